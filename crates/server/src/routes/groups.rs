//! `/v1/groups`; their members are in `members`

use axum::{http::Uri, response::Response};
use grantbook_api::groups::{CreateGroup, UpdateGroup};
use grantbook_domain::{
    command::{Command, GroupCommand},
    id::GroupId,
    model,
    refusal::Kind,
    rights::Ask,
};
use serde_json::Value;

use crate::{
    context::{ReadContext, authz::Authorizer, paging::PageRequest},
    http::{body::shape, path::InPath, problem::Failure, query},
    routes::{
        parse::{ParseContext, ParsedWrite, id_in_path},
        render,
    },
};
use grantbook_views::Listing;
use grantbook_views::Snapshot;

pub(crate) fn create(body: Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let CreateGroup { name, description } = shape(body)?;
    let id = context.ids.id();
    Ok(ParsedWrite::new(Command::Group(GroupCommand::Create { id, name, description }), id.to_string()))
}

pub(crate) fn update(id: &str, body: Value) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Group)?;
    let UpdateGroup { name, description } = shape(body)?;
    Ok(ParsedWrite::new(Command::Group(GroupCommand::Update { id, name, description }), id.to_string()))
}

pub(crate) fn delete(id: &str) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Group)?;
    Ok(ParsedWrite::new(Command::Group(GroupCommand::Delete { id }), id.to_string()))
}

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let wanted = PageRequest::named("groups", query::read(&uri)?)?;
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.groups(reading.org, listing);
        wanted.page_of_each(&mut authorizer, Ask::Group, fetch, |_, group| Ok(render::group(group)))
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    reading.respond(|reading| {
        query::require_no_other(&uri)?;
        let id: GroupId = id_in_path(&id, Kind::Group)?;
        let (found, _) = Authorizer::new(reading)?.find::<model::Group>(Ask::Group, &id, Kind::Group)?;
        Ok(render::group(&found))
    })
}
