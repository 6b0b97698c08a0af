//! `/v1/projects`

use grantbook_api::nouns::projects::{CreateProject, UpdateProject};
use grantbook_domain::{
    command::{Command, ProjectCommand},
    refusal::Kind,
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    wire::reference::id_in_path,
    write::parse::{ParseContext, ParsedWrite},
};

pub(crate) fn create(body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let CreateProject { name, labels } = shape(body)?;
    let id = context.ids.id();
    Ok(ParsedWrite::new(Command::Project(ProjectCommand::Create { id, name, labels }), id.to_string()))
}

pub(crate) fn update(id: &str, body: &Value) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Project)?;
    let UpdateProject { name, labels } = shape(body)?;
    Ok(ParsedWrite::new(Command::Project(ProjectCommand::Update { id, name, labels }), id.to_string()))
}

pub(crate) fn delete(id: &str) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Project)?;
    Ok(ParsedWrite::new(Command::Project(ProjectCommand::Delete { id }), id.to_string()))
}
