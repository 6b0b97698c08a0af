//! `/v1/roles`. The built-in ones go by their names too.

use axum::{http::Uri, response::Response};
use grantbook_api::roles::{CreateRole, RolePermission, UpdateRole};
use grantbook_domain::{
    command::{Command, RoleCommand},
    id::RoleId,
    model,
    refusal::Kind,
    rights::Ask,
};
use grantbook_views::Listing;
use serde_json::Value;

use crate::{
    context::{ReadContext, authz::Authorizer, paging::PageRequest},
    http::{body::shape, path::InPath, problem::Failure, query},
    routes::{
        parse::{ParseContext, ParsedWrite, builtin, id_in_path, role_in_body},
        render,
    },
};
use grantbook_views::Snapshot;

pub(crate) fn create(body: Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
    let CreateRole { name, permissions, includes } = shape(body)?;
    let permissions = permissions.into_iter().map(permission).collect();
    let includes = included(&includes, context)?;
    let id = context.ids.id();
    Ok(ParsedWrite::new(
        Command::Role(RoleCommand::Create { id, name, permissions, includes }),
        id.to_string(),
    ))
}

pub(crate) fn update(id: &str, body: Value, context: &ParseContext<'_>) -> Result<ParsedWrite, Failure> {
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

/// The role of an id or built-in name, as the view knows it.
pub(super) fn role_seen(authorizer: &Authorizer<'_>, text: &str) -> Result<RoleId, Failure> {
    match builtin(text) {
        None => id_in_path(text, Kind::Role),
        Some(builtin) => {
            let found = authorizer.builtin_role(builtin, text)?;
            found.ok_or_else(|| Failure::not_found(Kind::Role))
        }
    }
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

pub(crate) async fn list(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let wanted = PageRequest::named("roles", query::read(&uri)?)?;
        let mut authorizer = Authorizer::new(reading)?;
        let fetch = |rows: &Snapshot, listing: &Listing<'_>| rows.roles(reading.org, listing);
        wanted.page_of_each(&mut authorizer, Ask::Role, fetch, |_, role| Ok(render::role(role)))
    });
    answer.await
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, InPath(id): InPath<String>) -> Response {
    reading.respond(|reading| {
        query::require_no_other(&uri)?;
        let mut authorizer = Authorizer::new(reading)?;
        let id = role_seen(&authorizer, &id)?;
        let (found, _) = authorizer.find(Ask::Role, &id, Kind::Role)?;
        Ok(render::role(&found))
    })
}
