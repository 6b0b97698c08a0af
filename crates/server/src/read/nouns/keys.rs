//! `/v1/tokens/{id}/keys`, `/v1/users/{id}/keys` and `/v1/keys/{id}`

use axum::{http::Uri, response::Response};
use grantbook_api::{
    nouns::keys::{Key, KeyQuery},
    words::{list::PageQuery, state::State},
};
use grantbook_domain::{
    access::rights::Ask, id::KeyId, model, principal::Principal, refusal::Kind, time::Timestamp,
};

use crate::{
    http::{path::InPath, problem::Failure, query},
    read::context::{
        Permit, ReadContext,
        authz::{Authorizer, Resource},
        paging::PageRequest,
    },
    wire::{
        reference::{id_in_path, token_in_path, user_in_path},
        render,
    },
};

/// Keys of a principal that the caller may see but not list are forbidden; of others there is nothing to see.
async fn list(reading: ReadContext, uri: Uri, principal: Result<Principal, Failure>) -> Response {
    let answer = reading.respond_long_list(move |reading| {
        let KeyQuery { issued_with, limit, cursor, as_of } = query::read(&uri)?;
        let principal = principal?;
        let list = format!("keys\n{principal:?}\n{issued_with:?}");
        let wanted = PageRequest::plain(list, PageQuery { limit, cursor, as_of })?;
        let mut authorizer = Authorizer::new(reading)?;
        let permit = require_seen(&mut authorizer, principal)?;
        let sees = seen_keys(&mut authorizer, principal)?;
        let owner = permit.named_principal(principal)?;
        let show = |key: &model::Key| {
            let is_meant = issued_with.is_none() || permit.is_issued_with_own(key.id)?;
            let shown = is_meant && key.session.is_none() && sees.has(key.id);
            Ok(shown.then(|| Key { principal: owner.clone(), ..self::shown(key, reading.at()) }))
        };
        wanted.page(permit, |rows, listing| rows.keys_of(reading.org, principal, listing), show)
    });
    answer.await
}

/// One key that was not revoked. Sessions are no keys here.
pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_long_list(move |reading| {
        query::require_no_other(&uri)?;
        let id: KeyId = id_in_path(&id, Kind::Key)?;
        let mut authorizer = Authorizer::new(reading)?;
        let (key, permit): (model::Key, _) = authorizer.find(Ask::Members, &id, Kind::Key)?;
        let sees = seen_keys(&mut authorizer, key.principal)?;
        if key.session.is_some() || !sees.has(id) {
            return Err(Failure::not_found(Kind::Key));
        }
        Ok(Key { principal: permit.named_principal(key.principal)?, ..shown(&key, reading.at()) })
    });
    answer.await
}

fn shown(key: &model::Key, at: Timestamp) -> Key {
    let state = Some(render::state(State::Revoked, key.ended_at, key.expires_at, at));
    Key { state, ..render::key(key) }
}

/// Which keys of a principal the caller may list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SeenKeys {
    /// All.
    All,
    /// The one that it presents: a narrowed key disposes of itself alone, unless it has the right to list keys.
    Own(Option<KeyId>),
}

impl SeenKeys {
    pub(crate) fn has(self, id: KeyId) -> bool {
        match self {
            Self::All => true,
            Self::Own(own) => own == Some(id),
        }
    }
}

pub(crate) fn seen_keys(authorizer: &mut Authorizer<'_>, principal: Principal) -> Result<SeenKeys, Failure> {
    let caller = authorizer.reading().caller;
    if !authorizer.is_narrowed()? || caller.principal != principal {
        let _permit = authorizer.require(Ask::Keys, &Resource::Person(principal))?;
        return Ok(SeenKeys::All);
    }
    let all = authorizer.may(Ask::Keys, &Resource::Whole)?;
    Ok(if all { SeenKeys::All } else { SeenKeys::Own(caller.key) })
}

pub(crate) fn require_seen<'r>(
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
    list(reading, uri, token_in_path(&id)).await
}

pub(crate) async fn list_of_user(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    list(reading, uri, user_in_path(&id)).await
}
