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
    http::{body::shape, path::InPath, problem::Failure, query, read::ReadContext},
    routes::{
        authz::{Authorizer, Resource},
        lists::PageRequest,
        parse::{ParseContext, ParsedWrite, id_in_path},
        render,
    },
};

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
        let show = |group: &model::Group| {
            let seen = authorizer.may(Ask::Group, &Resource::Group(group.id))?;
            Ok(seen.then(|| render::group(group)))
        };
        wanted.page(reading, |listing| reading.rows().groups(reading.org, listing), show)
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    reading.respond(|reading| {
        query::require_no_other(&uri)?;
        let id: GroupId = id_in_path(&id, Kind::Group)?;
        let found = Authorizer::new(reading)?.find(Ask::Group, &Resource::Group(id), &id, Kind::Group)?;
        Ok(render::group(&found))
    })
}
