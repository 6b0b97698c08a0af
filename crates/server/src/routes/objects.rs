//! `/v1/objects`: objects whose ids are the callers' own

use axum::{http::Uri, response::Response};
use grantbook_api::{
    list::PageQuery,
    objects::{ObjectQuery, RegisterObject, UpdateObject},
};
use grantbook_domain::{
    command::{Command, ObjectCommand},
    refusal::Kind,
    rights::Ask,
    scope::ObjectRef,
};
use serde_json::Value;

use crate::{
    context::{ReadContext, authz::Authorizer, paging::PageRequest},
    http::{body::shape, problem::Failure, query},
    routes::{
        parse::{ParsedWrite, id_in_body, id_in_path},
        render,
    },
};
use grantbook_views::Listing;
use grantbook_views::Snapshot;

pub(crate) fn register(body: Value) -> Result<ParsedWrite, Failure> {
    let RegisterObject { object_type, id, project, name } = shape(body)?;
    let project = project.map(|project| id_in_body(&project, "/project")).transpose()?;
    let object = ObjectRef { object_type, id: id.clone(), project };
    Ok(ParsedWrite::new(Command::Object(ObjectCommand::Register { object, name }), id))
}

pub(crate) fn update(path: (&str, &str), project: Option<&str>, body: Value) -> Result<ParsedWrite, Failure> {
    let UpdateObject { name } = shape(body)?;
    Ok(ParsedWrite::new(
        Command::Object(ObjectCommand::Update { object: in_path(path, project)?, name }),
        path.1,
    ))
}

pub(crate) fn remove(path: (&str, &str), project: Option<&str>) -> Result<ParsedWrite, Failure> {
    Ok(ParsedWrite::new(Command::Object(ObjectCommand::Remove { object: in_path(path, project)? }), path.1))
}

/// A project that cannot be is one that has no such object.
fn in_path((object_type, id): (&str, &str), project: Option<&str>) -> Result<ObjectRef, Failure> {
    let project = project.map(|id| id_in_path(id, Kind::Object)).transpose()?;
    Ok(ObjectRef::new(object_type, id).within(project))
}

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let ObjectQuery { object_type, limit, cursor, as_of } = query::read(&uri)?;
        let Some(object_type) = object_type else {
            return Err(Failure::invalid("the parameter type is missing"));
        };
        let wanted =
            PageRequest::plain(format!("objects\n{object_type}"), PageQuery { limit, cursor, as_of })?;
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.objects(reading.org, &object_type, listing);
        wanted.page_of_each(&mut authorizer, Ask::Object, fetch, |_, object| Ok(render::object(object)))
    });
    answer.await
}
