//! `/v1/grants`: grantee x permissions x scope x effect

use grantbook_api::{
    nouns::grants::{CreateGrant, Effect},
    words::scope as words,
};
use grantbook_domain::{
    command::{Command, GrantCommand},
    model::{self, Gives},
    refusal::Kind,
    scope::{Atom, Atoms, ObjectRef, Scope, Selector},
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    wire::reference::{id_in_body, id_in_path},
    write::parse::{ParseContext, ParsedWrite, end_of_new, grantee_in_body, role_in_body},
};

pub(crate) fn create(body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
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
pub(crate) fn scope_in_body(scope: words::Scope, pointer: &str) -> Result<Scope, Failure> {
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
                None => Atoms::default(),
            },
        }),
    })
}

fn atoms(selection: words::Selection, pointer: &str) -> Result<Atoms, Failure> {
    let words::Selection::Any(atoms) = selection else { return Ok(vec![Atom::All].into()) };
    let one = |(index, atom)| {
        Ok(match atom {
            words::Atom::Id(id) => Atom::Id(id_in_body(&id, &format!("{pointer}/{index}/id"))?),
            words::Atom::Name(pattern) => Atom::Name(pattern),
            words::Atom::Label(labels) => Atom::Label(labels),
        })
    };
    atoms.into_iter().enumerate().map(one).collect()
}
