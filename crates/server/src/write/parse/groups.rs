//! `/v1/groups`; their members are in `members`

use grantbook_api::nouns::groups::{CreateGroup, UpdateGroup};
use grantbook_domain::{
    command::{Command, GroupCommand},
    refusal::Kind,
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    wire::reference::id_in_path,
    write::parse::{ParseContext, ParsedWrite},
};

pub(crate) fn create(body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let CreateGroup { name, description } = shape(body)?;
    let id = context.ids.id();
    Ok(ParsedWrite::new(Command::Group(GroupCommand::Create { id, name, description }), id.to_string()))
}

pub(crate) fn update(id: &str, body: &Value) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Group)?;
    let UpdateGroup { name, description } = shape(body)?;
    Ok(ParsedWrite::new(Command::Group(GroupCommand::Update { id, name, description }), id.to_string()))
}

pub(crate) fn delete(id: &str) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Group)?;
    Ok(ParsedWrite::new(Command::Group(GroupCommand::Delete { id }), id.to_string()))
}
