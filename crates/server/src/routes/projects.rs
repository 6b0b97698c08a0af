//! `/v1/projects`

use axum::{http::Uri, response::Response};
use grantbook_api::projects::{CreateProject, UpdateProject};
use grantbook_domain::{
    command::{Command, ProjectCommand},
    id::ProjectId,
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
    let CreateProject { name, labels } = shape(body)?;
    let id = context.ids.id();
    Ok(ParsedWrite::new(Command::Project(ProjectCommand::Create { id, name, labels }), id.to_string()))
}

pub(crate) fn update(id: &str, body: Value) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Project)?;
    let UpdateProject { name, labels } = shape(body)?;
    Ok(ParsedWrite::new(Command::Project(ProjectCommand::Update { id, name, labels }), id.to_string()))
}

pub(crate) fn delete(id: &str) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Project)?;
    Ok(ParsedWrite::new(Command::Project(ProjectCommand::Delete { id }), id.to_string()))
}

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let wanted = PageRequest::named("projects", query::read(&uri)?)?;
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.projects(reading.org, listing);
        wanted.page_of_each(&mut authorizer, Ask::Project, fetch, |_, project| Ok(render::project(project)))
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    reading.respond(|reading| {
        query::require_no_other(&uri)?;
        let id: ProjectId = id_in_path(&id, Kind::Project)?;
        let (found, _) =
            Authorizer::new(reading)?.find::<model::Project>(Ask::Project, &id, Kind::Project)?;
        Ok(render::project(&found))
    })
}
