//! `/v1/tokens/{id}/keys`, `/v1/users/{id}/keys` and `/v1/keys/{id}`

use axum::{http::Uri, response::Response};
use grantbook_api::{
    keys::{IssueKey, Key, Narrowing, RotateKey},
    list::PageQuery,
};
use grantbook_domain::{
    command::{Command, KeyCommand},
    id::KeyId,
    model,
    principal::Principal,
    refusal::Kind,
    rights::Ask,
};
use serde_json::Value;

use crate::{
    context::{
        Permit, ReadContext,
        authz::{Authorizer, Resource},
        paging::PageRequest,
    },
    http::{body::shape, path::InPath, problem::Failure, query},
    routes::{
        grants::scope_in_body,
        parse::{NewSecret, ParseContext, ParsedWrite, end_of_new, id_in_path},
        render,
    },
};
use grantbook_command::secret::{KeyKind, Secret};

/// The service token of a path.
pub(crate) fn token(id: &str) -> Result<Principal, Failure> {
    Ok(Principal::Token(id_in_path(id, Kind::Token)?))
}

/// The user of a path.
pub(crate) fn user(id: &str) -> Result<Principal, Failure> {
    Ok(Principal::User(id_in_path(id, Kind::User)?))
}

pub(crate) fn issue(
    principal: Principal,
    body: Value,
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

pub(crate) fn rotate(id: &str, body: Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
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
pub(super) fn issued_by(command: &Command, context: &ParseContext<'_>) -> Option<(KeyId, Principal)> {
    let Command::Key(command) = command else { return None };
    match command {
        KeyCommand::Issue { id, principal, .. } => Some((*id, *principal)),
        KeyCommand::Rotate { id, new_id, .. } => Some((*new_id, owner(*id, context)?)),
        KeyCommand::Revoke { .. } => None,
    }
}

/// Whose key it is, also if an earlier command of the same batch issues it.
fn owner(id: KeyId, context: &ParseContext<'_>) -> Option<Principal> {
    let known = context.state.key(id).map(|key| key.principal);
    known.or_else(|| context.issued.get(&id).copied())
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

/// Keys of a principal that the caller may see but not list are forbidden; of others there is nothing to see.
async fn list(reading: ReadContext, uri: Uri, principal: Result<Principal, Failure>) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let query: PageQuery = query::read(&uri)?;
        let principal = principal?;
        let wanted = PageRequest::plain(format!("keys\n{principal:?}"), query)?;
        let mut authorizer = Authorizer::new(reading)?;
        let permit = require_seen(&mut authorizer, principal)?;
        let sees = seen_keys(&mut authorizer, principal)?;
        let owner = permit.named_principal(principal)?;
        let show = |key: &model::Key| {
            let shown = key.session.is_none() && sees.has(key.id);
            Ok(shown.then(|| Key { principal: owner.clone(), ..render::key(key) }))
        };
        wanted.page(permit, |rows, listing| rows.keys_of(reading.org, principal, listing), show)
    });
    answer.await
}

/// Which keys of a principal the caller may list.
#[derive(Debug, Clone, Copy)]
pub(super) enum SeenKeys {
    /// All.
    All,
    /// The one that it presents: a narrowed key disposes of itself alone, unless it has the right to list keys.
    Own(Option<KeyId>),
}

impl SeenKeys {
    pub(super) fn has(self, id: KeyId) -> bool {
        match self {
            Self::All => true,
            Self::Own(own) => own == Some(id),
        }
    }
}

pub(super) fn seen_keys(authorizer: &mut Authorizer<'_>, principal: Principal) -> Result<SeenKeys, Failure> {
    let caller = authorizer.reading().caller;
    if !authorizer.is_narrowed()? || caller.principal != principal {
        let _permit = authorizer.require(Ask::Keys, &Resource::Person(principal))?;
        return Ok(SeenKeys::All);
    }
    let all = authorizer.may(Ask::Keys, &Resource::Whole)?;
    Ok(if all { SeenKeys::All } else { SeenKeys::Own(caller.key) })
}

pub(super) fn require_seen<'r>(
    authorizer: &mut Authorizer<'r>,
    principal: Principal,
) -> Result<Permit<'r>, Failure> {
    match principal {
        Principal::User(id) => {
            authorizer.find::<model::User>(Ask::Members, &id, Kind::User).map(|(_, permit)| permit)
        }
        Principal::Token(id) => {
            authorizer.find::<model::Token>(Ask::Members, &id, Kind::Token).map(|(_, permit)| permit)
        }
    }
}

pub(crate) async fn list_of_token(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    list(reading, uri, token(&id)).await
}

pub(crate) async fn list_of_user(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    list(reading, uri, user(&id)).await
}
