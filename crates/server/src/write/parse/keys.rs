//! `/v1/tokens/{id}/keys`, `/v1/users/{id}/keys` and `/v1/keys/{id}`

use grantbook_api::nouns::keys::{IssueKey, Narrowing, RotateKey};
use grantbook_domain::{
    command::{Command, KeyCommand},
    id::KeyId,
    model,
    principal::Principal,
    refusal::Kind,
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    wire::reference::id_in_path,
    write::parse::{NewSecret, ParseContext, ParsedWrite, end_of_new, grants::scope_in_body},
};
use grantbook_command::secret::{KeyKind, Secret};

pub(crate) fn issue(
    principal: Principal,
    body: &Value,
    context: &ParseContext<'_>,
) -> Result<ParsedWrite, Failure> {
    let IssueKey { name, expires_at, narrow } = shape(body)?;
    let expires_at = end_of_new(expires_at.as_deref(), "/expires_at")?;
    let narrow = narrow.map(narrowing).transpose()?;
    let id = context.ids.id();
    let secret = Secret::mint(KeyKind::of(principal), id).map_err(|error| Failure::internal(&error))?;
    let command =
        Command::Key(KeyCommand::Issue { id, principal, name, hash: secret.hash(), expires_at, narrow });
    Ok(ParsedWrite { secret: Some(NewSecret::Key(id, secret)), ..ParsedWrite::new(command, id.to_string()) })
}

pub(crate) fn rotate(id: &str, body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Key)?;
    let RotateKey { grace_seconds } = shape(body)?;
    // Where it is refused that there is no such key, it is refused that the caller sees none: both are decided in one place. So
    // for a key that is not known here the command names one that nobody has: its secret could be of the wrong kind.
    let (id, kind) = match owner(id, context) {
        Some(principal) => (id, KeyKind::of(principal)),
        None => (context.ids.id(), KeyKind::Token),
    };
    let new_id = context.ids.id();
    let secret = Secret::mint(kind, new_id).map_err(|error| Failure::internal(&error))?;
    let command = Command::Key(KeyCommand::Rotate { id, new_id, hash: secret.hash(), grace_seconds });
    Ok(ParsedWrite {
        secret: Some(NewSecret::Key(new_id, secret)),
        ..ParsedWrite::new(command, new_id.to_string())
    })
}

/// The key that a command issues, and whose.
pub(crate) fn issued_by(command: &Command, context: &ParseContext<'_>) -> Option<(KeyId, Principal)> {
    let Command::Key(command) = command else { return None };
    match command {
        KeyCommand::Issue { id, principal, .. } => Some((*id, *principal)),
        KeyCommand::Rotate { id, new_id, .. } => Some((*new_id, owner(*id, context)?)),
        KeyCommand::Revoke { .. } => None,
    }
}

pub(crate) fn revoke(id: &str) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Key)?;
    Ok(ParsedWrite::new(Command::Key(KeyCommand::Revoke { id }), id.to_string()))
}

fn narrowing(narrow: Narrowing) -> Result<model::Narrowing, Failure> {
    if narrow.permissions.is_none() && narrow.on.is_none() {
        let detail = "narrows nothing: give `permissions`, `on` or both, or leave `narrow` out";
        return Err(Failure::invalid_at("/narrow", detail));
    }
    let on = narrow.on.map(|scope| scope_in_body(scope, "/narrow/on")).transpose()?;
    Ok(model::Narrowing { permissions: narrow.permissions, on, generation: 0 })
}

/// Whose key it is, also if an earlier command of the same batch issues it.
fn owner(id: KeyId, context: &ParseContext<'_>) -> Option<Principal> {
    let known = context.state.key(id).map(|key| key.principal);
    known.or_else(|| context.issued.get(&id).copied())
}
