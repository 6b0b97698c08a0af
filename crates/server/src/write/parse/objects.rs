//! `/v1/objects`: objects whose ids the callers choose, or Grantbook does

use grantbook_api::nouns::objects::{self as words, RegisterObject, UpdateObject};
use grantbook_domain::{
    command::{Command, IfTaken, ObjectCommand},
    id::kind,
    refusal::Kind,
    scope::ObjectRef,
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    wire::reference::{id_in_body, id_in_path},
    write::parse::{ParseContext, ParsedWrite},
};

pub(crate) fn register(body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let RegisterObject { object_type, id, project, name, if_taken } = shape(body)?;
    let project = project.map(|project| id_in_body(&project, "/project")).transpose()?;
    let Some(id) = id else {
        let missing = || Failure::invalid_at("/name", "an object without an id needs a name");
        let name = name.ok_or_else(missing)?;
        let id = context.ids.id::<kind::Object>().to_string();
        let object = ObjectRef { object_type, id: id.clone(), project };
        let if_taken = match if_taken.unwrap_or(words::IfTaken::Number) {
            words::IfTaken::Number => IfTaken::Number,
            words::IfTaken::Use => IfTaken::Use,
        };
        return Ok(ParsedWrite::new(Command::Object(ObjectCommand::Create { object, name, if_taken }), id));
    };
    if if_taken.is_some() {
        return Err(Failure::invalid_at("/if_taken", "only an object without an id can have it"));
    }
    let object = ObjectRef { object_type, id: id.clone(), project };
    Ok(ParsedWrite::new(Command::Object(ObjectCommand::Register { object, name }), id))
}

pub(crate) fn update(
    path: (&str, &str),
    project: Option<&str>,
    body: &Value,
) -> Result<ParsedWrite, Failure> {
    let UpdateObject { name } = shape(body)?;
    Ok(ParsedWrite::new(
        Command::Object(ObjectCommand::Update { object: in_path(path, project)?, name }),
        path.1,
    ))
}

pub(crate) fn remove(path: (&str, &str), project: Option<&str>) -> Result<ParsedWrite, Failure> {
    Ok(ParsedWrite::new(Command::Object(ObjectCommand::Remove { object: in_path(path, project)? }), path.1))
}

/// A malformed project id is answered like a project without this object (404).
fn in_path((object_type, id): (&str, &str), project: Option<&str>) -> Result<ObjectRef, Failure> {
    let project = project.map(|id| id_in_path(id, Kind::Object)).transpose()?;
    Ok(ObjectRef::new(object_type, id).within(project))
}
