//! `/v1/grants`: grantee x permissions x scope x effect

use axum::{http::Uri, response::Response};
use grantbook_api::{
    nouns::grants::{Grant, GrantQuery},
    words::{list::PageQuery, state::State},
};
use grantbook_domain::{
    access::rights::Ask, id::GrantId, model, refusal::Kind, scope::Scope, state::project_view,
};
use grantbook_views::GrantFilter;

use crate::{
    http::{path::InPath, problem::Failure, query},
    read::{
        context::{ReadContext, authz::Authorizer, paging::PageRequest},
        nouns::{projects, roles::role_seen},
    },
    wire::{
        reference::{grantee, id_in_path},
        render,
    },
};
use grantbook_views::Listing;
use grantbook_views::Snapshot;

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_long_list(move |reading| {
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
    let at = authorizer.reading().at();
    let state = Some(render::state(State::Revoked, grant.ended_at, grant.expires_at, at));
    Ok(Grant { to: authorizer.grantee(grant.to)?, state, ..render::grant(grant) })
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_long_list(move |reading| {
        query::require_no_other(&uri)?;
        let id: GrantId = id_in_path(&id, Kind::Grant)?;
        let mut authorizer = Authorizer::new(reading)?;
        let (grant, _) = authorizer.find(Ask::Grant, &id, Kind::Grant)?;
        shown(&mut authorizer, &grant)
    });
    answer.await
}

/// The projects that a grant covers now: those that its selector takes, or all of them. On a single object it covers none.
pub(crate) async fn projects(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_long_list(move |reading| {
        let id: GrantId = id_in_path(&id, Kind::Grant)?;
        let wanted = PageRequest::plain(format!("grants/{id}/projects"), query::read(&uri)?)?;
        let mut authorizer = Authorizer::new(reading)?;
        let (grant, _) = authorizer.find::<model::Grant>(Ask::Grant, &id, Kind::Grant)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.projects(reading.org, listing);
        let is_covered = |project: &model::Project| match &grant.on {
            Scope::Organization => true,
            Scope::Projects(selector) => selector.covers(project_view(project)),
            Scope::Object(_) => false,
        };
        let show =
            |_: &mut Authorizer<'_>, project: &model::Project| Ok(projects::shown(project, reading.at()));
        wanted.page_of_each_that(&mut authorizer, Ask::Project, (fetch, is_covered), show)
    });
    answer.await
}
