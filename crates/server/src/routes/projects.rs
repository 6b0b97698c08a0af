//! `/v1/projects`

use std::sync::Arc;

use axum::{http::Uri, response::Response};
use grantbook_api::{
    list::{AsOfQuery, ListQuery, Page},
    projects::{CreateProject, Project, UpdateProject},
};
use grantbook_domain::{
    command::{Command, ProjectCommand},
    id::ProjectId,
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
    let CreateProject { name, labels } = shape(body)?;
    let id = intake.ids.id();
    Ok(Plan::new(Command::Project(ProjectCommand::Create { id, name, labels }), id.to_string()))
}

pub(super) fn update(id: &str, body: Value) -> Result<Plan, Failure> {
    let id = id_in_path(id, Kind::Project)?;
    let UpdateProject { name, labels } = shape(body)?;
    Ok(Plan::new(Command::Project(ProjectCommand::Update { id, name, labels }), id.to_string()))
}

pub(super) fn delete(id: &str) -> Result<Plan, Failure> {
    let id = id_in_path(id, Kind::Project)?;
    Ok(Plan::new(Command::Project(ProjectCommand::Delete { id }), id.to_string()))
}

/// The projects that the caller may read.
#[utoipa::path(get, path = "/v1/projects", tag = "projects", operation_id = "list_projects",
    params(ListQuery), responses((status = 200, body = Page<Project>, description = "One page.")))]
async fn list(reading: Reading, uri: Uri) -> Response {
    let answer = reading.answer_at_leisure(move |reading| {
        let wanted = Wanted::named("projects", query::read(&uri)?)?;
        let mut sight = Sight::new(reading)?;
        let show = |project: &model::Project| {
            let seen = sight.may(Ask::Project, &Thing::Project(project.id))?;
            Ok(seen.then(|| render::project(project)))
        };
        wanted.page(reading, |listing| reading.snapshot.projects(reading.org, listing), show)
    });
    answer.await
}

/// Makes a project.
#[utoipa::path(post, path = "/v1/projects", tag = "projects", operation_id = "create_project",
    request_body = CreateProject, responses((status = 201, body = Project, description = "Made.")))]
async fn post(write: Write) -> Response {
    write.run().await
}

/// One project.
#[utoipa::path(get, path = "/v1/projects/{id}", tag = "projects", operation_id = "get_project",
    params(("id" = String, Path, description = "Its id."), AsOfQuery),
    responses((status = 200, body = Project, description = "As it is.")))]
async fn get(reading: Reading, uri: Uri, InPath(id): InPath<String>) -> Response {
    reading.answer(|reading| {
        query::require_no_other(&uri)?;
        let id: ProjectId = id_in_path(&id, Kind::Project)?;
        let found = Sight::new(reading)?.find(Ask::Project, &Thing::Project(id), &id, Kind::Project)?;
        Ok(render::project(&found))
    })
}

/// Renames or relabels a project.
#[utoipa::path(patch, path = "/v1/projects/{id}", tag = "projects", operation_id = "update_project",
    params(("id" = String, Path, description = "Its id.")),
    request_body = UpdateProject, responses((status = 200, body = Project, description = "As it is now.")))]
async fn patch(write: Write) -> Response {
    write.run().await
}

/// Ends a project with what lies below it, for ever.
#[utoipa::path(delete, path = "/v1/projects/{id}", tag = "projects", operation_id = "delete_project",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, body = Project, description = "As it was at its end.")))]
async fn delete_one(write: Write) -> Response {
    write.run().await
}
