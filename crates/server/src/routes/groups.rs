//! `/v1/groups`; their members are in `members`

use std::sync::Arc;

use axum::{http::Uri, response::Response};
use grantbook_api::{
    groups::{CreateGroup, Group, UpdateGroup},
    list::{AsOfQuery, ListQuery, Page},
};
use grantbook_domain::{
    command::{Command, GroupCommand},
    id::GroupId,
    model,
    refusal::Kind,
    rights::Ask,
};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{Web, body::shape, path::InPath, problem::Failure, query, read::Reading, write::Write},
    routes::{
        lists::Wanted,
        plan::{Intake, Plan, id_in_path},
        render,
        sight::{Sight, Thing},
    },
};

pub(super) fn routes() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::new().routes(routes!(list, post)).routes(routes!(get, patch, delete_one))
}

pub(super) fn create(body: Value, intake: &Intake<'_>) -> Result<Plan, Failure> {
    let CreateGroup { name, description } = shape(body)?;
    let id = intake.ids.id();
    Ok(Plan::new(Command::Group(GroupCommand::Create { id, name, description }), id.to_string()))
}

pub(super) fn update(id: &str, body: Value) -> Result<Plan, Failure> {
    let id = id_in_path(id, Kind::Group)?;
    let UpdateGroup { name, description } = shape(body)?;
    Ok(Plan::new(Command::Group(GroupCommand::Update { id, name, description }), id.to_string()))
}

pub(super) fn delete(id: &str) -> Result<Plan, Failure> {
    let id = id_in_path(id, Kind::Group)?;
    Ok(Plan::new(Command::Group(GroupCommand::Delete { id }), id.to_string()))
}

/// The groups that the caller may read.
#[utoipa::path(get, path = "/v1/groups", tag = "groups", operation_id = "list_groups",
    params(ListQuery), responses((status = 200, body = Page<Group>, description = "One page.")))]
async fn list(reading: Reading, uri: Uri) -> Response {
    let answer = reading.answer_at_leisure(move |reading| {
        let wanted = Wanted::named("groups", query::read(&uri)?)?;
        let mut sight = Sight::new(reading)?;
        let show = |group: &model::Group| {
            let seen = sight.may(Ask::Group, &Thing::Group(group.id))?;
            Ok(seen.then(|| render::group(group)))
        };
        wanted.page(reading, |listing| reading.snapshot.groups(reading.org, listing), show)
    });
    answer.await
}

/// Makes a group.
#[utoipa::path(post, path = "/v1/groups", tag = "groups", operation_id = "create_group",
    request_body = CreateGroup, responses((status = 201, body = Group, description = "Made.")))]
async fn post(write: Write) -> Response {
    write.run().await
}

/// One group.
#[utoipa::path(get, path = "/v1/groups/{id}", tag = "groups", operation_id = "get_group",
    params(("id" = String, Path, description = "Its id."), AsOfQuery),
    responses((status = 200, body = Group, description = "As it is.")))]
async fn get(reading: Reading, uri: Uri, InPath(id): InPath<String>) -> Response {
    reading.answer(|reading| {
        query::require_no_other(&uri)?;
        let id: GroupId = id_in_path(&id, Kind::Group)?;
        let found = Sight::new(reading)?.find(Ask::Group, &Thing::Group(id), &id, Kind::Group)?;
        Ok(render::group(&found))
    })
}

/// Changes a group's name or description.
#[utoipa::path(patch, path = "/v1/groups/{id}", tag = "groups", operation_id = "update_group",
    params(("id" = String, Path, description = "Its id.")),
    request_body = UpdateGroup, responses((status = 200, body = Group, description = "As it is now.")))]
async fn patch(write: Write) -> Response {
    write.run().await
}

/// Ends a group with its memberships both ways and the grants to it, for ever.
#[utoipa::path(delete, path = "/v1/groups/{id}", tag = "groups", operation_id = "delete_group",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, body = Group, description = "As it was at its end.")))]
async fn delete_one(write: Write) -> Response {
    write.run().await
}
