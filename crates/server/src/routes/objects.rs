//! `/v1/objects`: objects whose ids are the callers' own

use std::sync::Arc;

use axum::{http::Uri, response::Response};
use grantbook_api::{
    list::{Page, PageQuery},
    objects::{Object as Registered, ObjectProjectQuery, ObjectQuery, RegisterObject, UpdateObject},
};
use grantbook_domain::{
    command::{Command, ObjectCommand},
    model,
    refusal::Kind,
    rights::Ask,
    scope::ObjectRef,
};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{Web, body::shape, problem::Failure, query, read::Reading, write::Write},
    routes::{
        lists::Wanted,
        plan::{Plan, id_in_body, id_in_path},
        render,
        sight::{Sight, Thing},
    },
};

pub(super) fn routes() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::new().routes(routes!(list, post)).routes(routes!(patch, delete_one))
}

pub(super) fn register(body: Value) -> Result<Plan, Failure> {
    let RegisterObject { object_type, id, project, name } = shape(body)?;
    let project = project.map(|project| id_in_body(&project, "/project")).transpose()?;
    let object = ObjectRef { object_type, id: id.clone(), project };
    Ok(Plan::new(Command::Object(ObjectCommand::Register { object, name }), id))
}

pub(super) fn update(path: (&str, &str), project: Option<&str>, body: Value) -> Result<Plan, Failure> {
    let UpdateObject { name } = shape(body)?;
    Ok(Plan::new(Command::Object(ObjectCommand::Update { object: in_path(path, project)?, name }), path.1))
}

pub(super) fn remove(path: (&str, &str), project: Option<&str>) -> Result<Plan, Failure> {
    Ok(Plan::new(Command::Object(ObjectCommand::Remove { object: in_path(path, project)? }), path.1))
}

/// A project that cannot be is one that has no such object.
fn in_path((object_type, id): (&str, &str), project: Option<&str>) -> Result<ObjectRef, Failure> {
    let project = project.map(|id| id_in_path(id, Kind::Object)).transpose()?;
    Ok(ObjectRef::new(object_type, id).within(project))
}

/// The registered objects of one type that the caller may read.
#[utoipa::path(get, path = "/v1/objects", tag = "objects", operation_id = "list_objects",
    params(ObjectQuery), responses((status = 200, body = Page<Registered>, description = "One page.")))]
async fn list(reading: Reading, uri: Uri) -> Response {
    let answer = reading.answer_at_leisure(move |reading| {
        let ObjectQuery { object_type, limit, cursor, as_of } = query::read(&uri)?;
        let Some(object_type) = object_type else {
            return Err(Failure::invalid("the parameter type is missing"));
        };
        let wanted = Wanted::plain(format!("objects\n{object_type}"), PageQuery { limit, cursor, as_of })?;
        let mut sight = Sight::new(reading)?;
        let show = |object: &model::RegisteredObject| {
            let seen = sight.may(Ask::Object, &Thing::Object(&object.object))?;
            Ok(seen.then(|| render::object(object)))
        };
        wanted.page(reading, |listing| reading.snapshot.objects(reading.org, &object_type, listing), show)
    });
    answer.await
}

/// Registers an object.
#[utoipa::path(post, path = "/v1/objects", tag = "objects", operation_id = "register_object",
    request_body = RegisterObject,
    responses((status = 201, body = Registered, description = "Registered."), (status = 200, body = Registered, description = "Registered already.")))]
async fn post(write: Write) -> Response {
    write.run().await
}

/// Changes an object's name.
#[utoipa::path(patch, path = "/v1/objects/{type}/{id}", tag = "objects", operation_id = "update_object",
    params(("type" = String, Path, description = "Its type."), ("id" = String, Path, description = "Its id."), ObjectProjectQuery),
    request_body = UpdateObject, responses((status = 200, body = Registered, description = "As it is now.")))]
async fn patch(write: Write) -> Response {
    write.run().await
}

/// Removes an object; the grants on it are dead for ever.
#[utoipa::path(delete, path = "/v1/objects/{type}/{id}", tag = "objects", operation_id = "remove_object",
    params(("type" = String, Path, description = "Its type."), ("id" = String, Path, description = "Its id."), ObjectProjectQuery),
    responses((status = 200, body = Registered, description = "As it was at its end.")))]
async fn delete_one(write: Write) -> Response {
    write.run().await
}
