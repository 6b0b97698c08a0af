//! `/v1/sessions`: short-lived keys of people

use grantbook_api::nouns::sessions::StartSession;
use grantbook_domain::{
    command::{Command, SessionCommand},
    id::KeyId,
    refusal::Kind,
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    wire::reference::id_in_path,
    write::parse::{NewSecret, ParseContext, ParsedWrite},
};
use grantbook_command::secret::{KeyKind, Secret};

/// A session is a key of the user who starts it.
pub(crate) fn start(body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let StartSession {} = shape(body)?;
    let id = context.ids.id();
    let secret = Secret::mint(KeyKind::User, id).map_err(|error| Failure::internal(&error))?;
    let command = Command::Session(SessionCommand::Start { id, hash: secret.hash() });
    Ok(ParsedWrite { secret: Some(NewSecret::Key(id, secret)), ..ParsedWrite::new(command, id.to_string()) })
}

pub(crate) fn end(id: &str) -> Result<ParsedWrite, Failure> {
    let id: KeyId = id_in_path(id, Kind::Session)?;
    Ok(ParsedWrite::new(Command::Session(SessionCommand::End { id }), id.to_string()))
}
