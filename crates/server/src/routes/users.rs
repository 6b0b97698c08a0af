//! `/v1/users`; their keys are in `keys`

use std::sync::Arc;

use axum::{http::Uri, response::Response};
use grantbook_api::{
    list::{AsOfQuery, ListQuery, Page},
    users::{CreateUser, UpdateUser, User},
};
use grantbook_domain::{
    command::{Command, UserCommand},
    id::UserId,
    model,
    principal::Principal,
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
    let CreateUser { email, name, external_id } = shape(body)?;
    let id = intake.ids.id();
    Ok(Plan::new(Command::User(UserCommand::Create { id, email, name, external_id }), id.to_string()))
}

pub(super) fn update(id: &str, body: Value) -> Result<Plan, Failure> {
    let id = id_in_path(id, Kind::User)?;
    let UpdateUser { email, name, external_id } = shape(body)?;
    Ok(Plan::new(Command::User(UserCommand::Update { id, email, name, external_id }), id.to_string()))
}

pub(super) fn deactivate(id: &str) -> Result<Plan, Failure> {
    let id = id_in_path(id, Kind::User)?;
    Ok(Plan::new(Command::User(UserCommand::Deactivate { id }), id.to_string()))
}

/// The active users that the caller may read; itself always. `name` filters by e-mail.
#[utoipa::path(get, path = "/v1/users", tag = "users", operation_id = "list_users",
    params(ListQuery), responses((status = 200, body = Page<User>, description = "One page.")))]
async fn list(reading: Reading, uri: Uri) -> Response {
    let answer = reading.answer_at_leisure(move |reading| {
        let mut query: ListQuery = query::read(&uri)?;
        query.name = query.name.map(|email| email.to_ascii_lowercase());
        let wanted = Wanted::named("users", query)?;
        let mut sight = Sight::new(reading)?;
        let show = |user: &model::User| {
            let seen = sight.may(Ask::Members, &Thing::Person(Principal::User(user.id)))?;
            Ok(seen.then(|| render::user(user)))
        };
        wanted.page(reading, |listing| reading.snapshot.users(reading.org, listing), show)
    });
    answer.await
}

/// Makes a user.
#[utoipa::path(post, path = "/v1/users", tag = "users", operation_id = "create_user",
    request_body = CreateUser, responses((status = 201, body = User, description = "Made.")))]
async fn post(write: Write) -> Response {
    write.run().await
}

/// One user.
#[utoipa::path(get, path = "/v1/users/{id}", tag = "users", operation_id = "get_user",
    params(("id" = String, Path, description = "Its id."), AsOfQuery),
    responses((status = 200, body = User, description = "As it is.")))]
async fn get(reading: Reading, uri: Uri, InPath(id): InPath<String>) -> Response {
    let answer = reading.answer_at_leisure(move |reading| {
        query::require_no_other(&uri)?;
        let id: UserId = id_in_path(&id, Kind::User)?;
        let oneself = Thing::Person(Principal::User(id));
        let mut sight = Sight::new(reading)?;
        let found = sight.find(Ask::Members, &oneself, &id, Kind::User)?;
        let keys_of_concern = sight.keys_of_concern(Principal::User(id))?;
        Ok(User { keys_of_concern, ..render::user(&found) })
    });
    answer.await
}

/// Changes a user.
#[utoipa::path(patch, path = "/v1/users/{id}", tag = "users", operation_id = "update_user",
    params(("id" = String, Path, description = "Its id.")),
    request_body = UpdateUser, responses((status = 200, body = User, description = "As it is now.")))]
async fn patch(write: Write) -> Response {
    write.run().await
}

/// Deactivates a user with its keys, memberships and grants, for ever.
#[utoipa::path(delete, path = "/v1/users/{id}", tag = "users", operation_id = "deactivate_user",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, body = User, description = "As it was at its end.")))]
async fn delete_one(write: Write) -> Response {
    write.run().await
}
