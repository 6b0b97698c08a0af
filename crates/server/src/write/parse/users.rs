//! `/v1/users`; their keys are in `keys`

use grantbook_api::nouns::users::{CreateUser, UpdateUser};
use grantbook_domain::{
    command::{Command, UserCommand},
    refusal::Kind,
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    wire::reference::id_in_path,
    write::parse::{ParseContext, ParsedWrite},
};

pub(crate) fn create(body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let CreateUser { email, name, external_id } = shape(body)?;
    let id = context.ids.id();
    Ok(ParsedWrite::new(Command::User(UserCommand::Create { id, email, name, external_id }), id.to_string()))
}

pub(crate) fn update(id: &str, body: &Value) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::User)?;
    let UpdateUser { email, name, external_id } = shape(body)?;
    Ok(ParsedWrite::new(Command::User(UserCommand::Update { id, email, name, external_id }), id.to_string()))
}

pub(crate) fn deactivate(id: &str) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::User)?;
    Ok(ParsedWrite::new(Command::User(UserCommand::Deactivate { id }), id.to_string()))
}
