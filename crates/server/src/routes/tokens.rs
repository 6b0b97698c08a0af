//! `/v1/tokens`: service tokens; their keys are in `keys`

use axum::{http::Uri, response::Response};
use grantbook_api::tokens::{CreateToken, Token, UpdateToken};
use grantbook_domain::{
    command::{Command, TokenCommand},
    id::TokenId,
    principal::Principal,
    refusal::Kind,
    rights::Ask,
};
use serde_json::Value;

use crate::{
    context::{ReadContext, authz::Authorizer, paging::PageRequest},
    http::{body::shape, path::InPath, problem::Failure, query},
    routes::{
        parse::{ParseContext, ParsedWrite, end, end_of_new, id_in_path},
        render,
    },
};
use grantbook_views::Listing;
use grantbook_views::Snapshot;

pub(crate) fn create(body: Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let CreateToken { name, description, expires_at, external_id } = shape(body)?;
    let expires_at = end_of_new(expires_at.as_deref(), "/expires_at")?;
    let id = context.ids.id();
    Ok(ParsedWrite::new(
        Command::Token(TokenCommand::Create { id, name, description, external_id, expires_at }),
        id.to_string(),
    ))
}

pub(crate) fn update(id: &str, body: Value) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Token)?;
    let UpdateToken { name, description, expires_at, external_id } = shape(body)?;
    let expires_at = expires_at.map(|text| end(&text, "/expires_at")).transpose()?;
    Ok(ParsedWrite::new(
        Command::Token(TokenCommand::Update { id, name, description, external_id, expires_at }),
        id.to_string(),
    ))
}

pub(crate) fn delete(id: &str) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Token)?;
    Ok(ParsedWrite::new(Command::Token(TokenCommand::Delete { id }), id.to_string()))
}

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let wanted = PageRequest::named("tokens", query::read(&uri)?)?;
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.tokens(reading.org, listing);
        wanted.page_of_each(&mut authorizer, Ask::Members, fetch, |_, token| Ok(render::token(token)))
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        query::require_no_other(&uri)?;
        let id: TokenId = id_in_path(&id, Kind::Token)?;
        let mut authorizer = Authorizer::new(reading)?;
        let (found, _) = authorizer.find(Ask::Members, &id, Kind::Token)?;
        let keys_of_concern = authorizer.keys_of_concern(Principal::Token(id))?;
        Ok(Token { keys_of_concern, ..render::token(&found) })
    });
    answer.await
}
