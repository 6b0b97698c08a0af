//! `/v1/roles`. The built-in ones go by their names too.

use grantbook_api::nouns::roles::{CreateRole, RolePermission, UpdateRole};
use grantbook_domain::{
    command::{Command, RoleCommand},
    id::RoleId,
    model,
    refusal::Kind,
};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    wire::reference::{builtin, id_in_path},
    write::parse::{ParseContext, ParsedWrite, role_in_body},
};

pub(crate) fn create(body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let CreateRole { name, permissions, includes } = shape(body)?;
    let permissions = permissions.into_iter().map(permission).collect();
    let includes = included(&includes, context)?;
    let id = context.ids.id();
    Ok(ParsedWrite::new(
        Command::Role(RoleCommand::Create { id, name, permissions, includes }),
        id.to_string(),
    ))
}

pub(crate) fn update(id: &str, body: &Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let id = role_in_path(id, context)?;
    let UpdateRole { name, permissions, includes } = shape(body)?;
    let permissions = permissions.map(|all| all.into_iter().map(permission).collect());
    let includes = includes.map(|all| included(&all, context)).transpose()?;
    Ok(ParsedWrite::new(
        Command::Role(RoleCommand::Update { id, name, permissions, includes }),
        id.to_string(),
    ))
}

pub(crate) fn delete(id: &str, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let id = role_in_path(id, context)?;
    Ok(ParsedWrite::new(Command::Role(RoleCommand::Delete { id }), id.to_string()))
}

fn role_in_path(text: &str, context: &ParseContext<'_>) -> Result<RoleId, Failure> {
    match builtin(text).and_then(|known| context.state.builtin_role(known)) {
        Some(id) => Ok(id),
        None => id_in_path(text, Kind::Role),
    }
}

fn included(names: &[String], context: &ParseContext<'_>) -> Result<Vec<RoleId>, Failure> {
    let one = |(index, name): (usize, &String)| role_in_body(name, &format!("/includes/{index}"), context);
    names.iter().enumerate().map(one).collect()
}

fn permission(one: RolePermission) -> model::RolePermission {
    model::RolePermission { permission: one.permission, object_type: one.object_type }
}
