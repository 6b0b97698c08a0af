//! `/v1/objects`: objects whose ids are the callers' own

use grantbook_api::nouns::objects::{RegisterObject, UpdateObject};
use grantbook_domain::{
    command::{Command, ObjectCommand},
    refusal::Kind,
    scope::ObjectRef,
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    wire::reference::{id_in_body, id_in_path},
    write::parse::ParsedWrite,
};

pub(crate) fn register(body: Value) -> Result<ParsedWrite, Failure> {
    let RegisterObject { object_type, id, project, name } = shape(body)?;
    let project = project.map(|project| id_in_body(&project, "/project")).transpose()?;
    let object = ObjectRef { object_type, id: id.clone(), project };
    Ok(ParsedWrite::new(Command::Object(ObjectCommand::Register { object, name }), id))
}

pub(crate) fn update(path: (&str, &str), project: Option<&str>, body: Value) -> Result<ParsedWrite, Failure> {
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
