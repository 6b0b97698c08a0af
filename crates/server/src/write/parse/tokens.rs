//! `/v1/tokens`: service tokens; their keys are in `keys`

use grantbook_api::nouns::tokens::{CreateToken, UpdateToken};
use grantbook_domain::{
    command::{Command, TokenCommand},
    refusal::Kind,
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    wire::reference::id_in_path,
    write::parse::{ParseContext, ParsedWrite, end, end_of_new},
};

pub(crate) fn create(body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let CreateToken { name, description, expires_at, external_id } = shape(body)?;
    let expires_at = end_of_new(expires_at.as_deref(), "/expires_at")?;
    let id = context.ids.id();
    Ok(ParsedWrite::new(
        Command::Token(TokenCommand::Create { id, name, description, external_id, expires_at }),
        id.to_string(),
    ))
}

pub(crate) fn update(id: &str, body: &Value) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Token)?;
    let UpdateToken { name, description, expires_at, external_id } = shape(body)?;
    let expires_at = expires_at.map(|text| end(&text, "/expires_at")).transpose()?;
    Ok(ParsedWrite::new(
        Command::Token(TokenCommand::Update { id, name, description, external_id, expires_at }),
        id.to_string(),
    ))
}

pub(crate) fn delete(id: &str) -> Result<ParsedWrite, Failure> {
    let id = id_in_path(id, Kind::Token)?;
    Ok(ParsedWrite::new(Command::Token(TokenCommand::Delete { id }), id.to_string()))
}
