//! `/v1/grants`: grantee x permissions x scope x effect

use axum::{http::Uri, response::Response};
use grantbook_api::{
    grants::{CreateGrant, Effect, Grant, GrantQuery},
    list::PageQuery,
    scope as words,
};
use grantbook_domain::{
    command::{Command, GrantCommand},
    id::GrantId,
    model::{self, Gives},
    refusal::Kind,
    rights::Ask,
    scope::{Atom, ObjectRef, Scope, Selector},
};
use grantbook_views::GrantFilter;
use serde_json::Value;

use crate::{
    context::{ReadContext, authz::Authorizer, paging::PageRequest},
    http::{body::shape, path::InPath, problem::Failure, query},
    routes::{
        parse::{
            ParseContext, ParsedWrite, end_of_new, grantee, grantee_in_body, id_in_body, id_in_path,
            role_in_body,
        },
        render,
        roles::role_seen,
    },
};
use grantbook_views::Listing;
use grantbook_views::Snapshot;

pub(crate) fn create(body: Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let CreateGrant { to, role, permissions, on, effect, object_type, expires_at, reason } = shape(body)?;
    let to = grantee_in_body(&to, "/to")?;
    let gives = match (role, permissions) {
        (Some(role), None) => Gives::Role(role_in_body(&role, "/role", context)?),
        (None, Some(permissions)) => Gives::Permissions(permissions),
        _ => return Err(Failure::invalid_at("", "exactly one of role and permissions must be there")),
    };
    let effect = match effect {
        Effect::Allow => model::Effect::Allow,
        Effect::Deny => model::Effect::Deny,
    };
    let on = scope_in_body(on, "/on")?;
    let expires_at = end_of_new(expires_at.as_deref(), "/expires_at")?;
    let id = context.ids.id();
    let own_reason = reason.clone();
    let command =
        Command::Grant(GrantCommand::Create { id, to, gives, on, effect, object_type, expires_at, reason });
    Ok(ParsedWrite { reason: own_reason, ..ParsedWrite::new(command, id.to_string()) })
}

pub(crate) fn revoke(id: &str) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Grant)?;
    Ok(ParsedWrite::new(Command::Grant(GrantCommand::Revoke { id }), id.to_string()))
}

/// A scope in a body, at `pointer`.
pub(super) fn scope_in_body(scope: words::Scope, pointer: &str) -> Result<Scope, Failure> {
    Ok(match scope {
        words::Scope::Organization(words::True) => Scope::Organization,
        words::Scope::Object(object) => {
            let project = object.project.map(|id| id_in_body(&id, &format!("{pointer}/object/project")));
            let project = project.transpose()?;
            Scope::Object(ObjectRef { object_type: object.object_type, id: object.id, project })
        }
        words::Scope::Projects(words::Selector { include, exclude }) => Scope::Projects(Selector {
            include: atoms(include, &format!("{pointer}/projects/include"))?,
            exclude: match exclude {
                Some(exclude) => atoms(exclude, &format!("{pointer}/projects/exclude"))?,
                None => Vec::new(),
            },
        }),
    })
}

fn atoms(selection: words::Selection, pointer: &str) -> Result<Vec<Atom>, Failure> {
    let words::Selection::Any(atoms) = selection else { return Ok(vec![Atom::All]) };
    let one = |(index, atom)| {
        Ok(match atom {
            words::Atom::Id(id) => Atom::Id(id_in_body(&id, &format!("{pointer}/{index}/id"))?),
            words::Atom::Name(pattern) => Atom::Name(pattern),
            words::Atom::Label(labels) => Atom::Label(labels),
        })
    };
    atoms.into_iter().enumerate().map(one).collect()
}

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let GrantQuery { to, role, project, limit, cursor, as_of } = query::read(&uri)?;
        let filters = format!("grants\n{to:?}\n{role:?}\n{project:?}");
        let wanted = PageRequest::plain(filters, PageQuery { limit, cursor, as_of })?;
        let mut authorizer = Authorizer::new(reading)?;
        let filter = filter(&authorizer, to.as_deref(), role.as_deref(), project.as_deref())?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.grants(reading.org, &filter, listing);
        wanted.page_of_each(&mut authorizer, Ask::Grant, fetch, shown)
    });
    answer.await
}

fn filter(
    authorizer: &Authorizer<'_>,
    to: Option<&str>,
    role: Option<&str>,
    project: Option<&str>,
) -> Result<GrantFilter, Failure> {
    let named = |text: &str| text.split_once(':').and_then(|(kind, id)| grantee(kind, id));
    let wrong = |detail: &str| Failure::invalid(format!("the parameter {detail}"));
    let to = to.map(|text| named(text).ok_or_else(|| wrong("to must be user:ID, token:ID or group:ID")));
    let role = role
        .map(|text| role_seen(authorizer, text).map_err(|_| wrong("role must be an id or a built-in name")));
    let project = project.map(|text| text.parse().map_err(|_| wrong("project must be an id")));
    Ok(GrantFilter { to: to.transpose()?, role: role.transpose()?, project: project.transpose()? })
}

fn shown(authorizer: &mut Authorizer<'_>, grant: &model::Grant) -> Result<Grant, Failure> {
    Ok(Grant { to: authorizer.grantee(grant.to)?, ..render::grant(grant) })
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    reading.respond(|reading| {
        query::require_no_other(&uri)?;
        let id: GrantId = id_in_path(&id, Kind::Grant)?;
        let mut authorizer = Authorizer::new(reading)?;
        let (grant, _) = authorizer.find(Ask::Grant, &id, Kind::Grant)?;
        shown(&mut authorizer, &grant)
    })
}
