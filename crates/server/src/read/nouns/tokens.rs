//! `/v1/tokens`: service tokens; their keys are in `keys`

use axum::{http::Uri, response::Response};
use grantbook_api::{nouns::tokens::Token, words::state::State};
use grantbook_domain::{
    access::rights::Ask, id::TokenId, model, principal::Principal, refusal::Kind, time::Timestamp,
};

use crate::{
    http::{path::InPath, query},
    read::context::{ReadContext, authz::Authorizer, paging::PageRequest},
    wire::{reference::id_in_path, render},
};
use grantbook_views::Listing;
use grantbook_views::Snapshot;

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_list(move |reading| {
        let wanted = PageRequest::named("tokens", query::read(&uri)?)?;
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.tokens(reading.org, listing);
        wanted.page_of_each(&mut authorizer, Ask::Members, fetch, |_, token| Ok(shown(token, reading.at())))
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_list(move |reading| {
        query::require_no_other(&uri)?;
        let id: TokenId = id_in_path(&id, Kind::Token)?;
        let mut authorizer = Authorizer::new(reading)?;
        let (found, _) = authorizer.find(Ask::Members, &id, Kind::Token)?;
        let keys_of_concern = authorizer.keys_of_concern(Principal::Token(id))?;
        Ok(Token { keys_of_concern, ..shown(&found, reading.at()) })
    });
    answer.await
}

fn shown(token: &model::Token, at: Timestamp) -> Token {
    let state = Some(render::state(State::Deleted, token.ended_at, token.expires_at, at));
    Token { state, ..render::token(token) }
}
