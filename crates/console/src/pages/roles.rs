//! Roles: the list, a new one, and changes of one.

use askama::Template;
use axum::{
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use grantbook_api::{
    nouns::{
        batch::{BatchCommand, BatchMethod},
        roles::{Role, RolePermission},
    },
    people::{
        names::{Kind, NameBook, NameError},
        text::clean,
    },
    words::list::ListQuery,
};
use serde_json::{Value, json};

use crate::{
    frame::Frame,
    pages::grants::permissions,
    review::{Change, command, review},
    shown::{
        form::{Asked, Fields},
        paging::{self, ITEMS},
        time::minute,
    },
    visit::{Stop, Visit, page_of, trouble},
};

const PART: &str = "/console/roles";

struct Row {
    id: String,
    name: String,
    permissions: String,
    includes: String,
    created: String,
    builtin: bool,
}

#[derive(Template)]
#[template(path = "roles.html")]
struct RolesPage {
    frame: Frame,
    can_create: bool,
    roles: Vec<Row>,
    next: Option<String>,
}

fn lines(permissions: &[RolePermission]) -> Vec<String> {
    let line = |one: &RolePermission| match &one.object_type {
        Some(only) => format!("{} {only}", one.permission),
        None => one.permission.clone(),
    };
    permissions.iter().map(line).collect()
}

async fn included(role: &Role, names: &NameBook<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for id in &role.includes {
        found.push(clean(&names.name(Kind::Role, id).await));
    }
    found
}

pub(crate) async fn list(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    let query = ListQuery { limit: Some(ITEMS), cursor: asked.text("cursor"), ..ListQuery::default() };
    let answer = visit.client.roles(&query).await?;
    let names = NameBook::new(&visit.client);
    let mut roles = Vec::new();
    for role in &answer.value.items {
        let includes = included(role, &names).await;
        roles.push(Row {
            id: role.id.clone(),
            name: clean(&role.name),
            permissions: clean(&lines(&role.permissions).join(", ")),
            includes: if includes.is_empty() { "-".to_owned() } else { includes.join(", ") },
            created: minute(&role.created_at),
            builtin: role.builtin,
        });
    }
    // Who may make roles may on every role.
    let can_create = match answer.value.items.first() {
        Some(role) => visit.may("create", "role", &role.id).await?,
        None => visit.may("create", "organization", "").await?,
    };
    let mut frame = visit.frame("Roles", PART, "grantbook role list");
    frame.position = answer.position;
    let next = paging::next(PART, &asked, &[], answer.value.next);
    Ok(page_of(&RolesPage { frame, can_create, roles, next }))
}

#[derive(Template)]
#[template(path = "role_form.html")]
struct FormPage {
    frame: Frame,
    action: String,
    name: String,
    permissions: String,
    includes: String,
    /// The permissions of the catalog.
    known: String,
    delete: Option<String>,
    can_change: bool,
}

struct Text {
    name: String,
    permissions: String,
    includes: String,
}

impl Text {
    fn of(form: &Fields) -> Self {
        let whole = |name: &str| form.all(name).next().unwrap_or_default().to_owned();
        Self { name: form.or_empty("name"), permissions: whole("permissions"), includes: whole("includes") }
    }
}

async fn page(visit: &Visit, id: Option<&str>, text: Text, wrong: Option<String>) -> Result<Response, Stop> {
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let (title, action) = match id {
        Some(id) => (text.name.clone(), format!("{PART}/{id}/review")),
        None => ("Create role".to_owned(), format!("{PART}/review")),
    };
    let mut frame = visit.frame(title, PART, "grantbook role create NAME --permission read");
    frame.trouble = wrong;
    let Text { name, permissions: written, includes } = text;
    let known = permissions(&visit.client).await?.join(", ");
    let (can_change, can_delete) = match id {
        Some(id) => (visit.may("update", "role", id).await?, visit.may("delete", "role", id).await?),
        None => (true, false),
    };
    let delete = id.filter(|_| can_delete).map(|id| format!("{PART}/{id}/delete/review"));
    Ok((
        status,
        page_of(&FormPage { frame, action, name, permissions: written, includes, known, delete, can_change }),
    )
        .into_response())
}

pub(crate) async fn new(visit: Visit) -> Result<Response, Stop> {
    page(&visit, None, Text::of(&Fields::default()), None).await
}

pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let role = visit.client.role(&id).await?.value;
    let includes = included(&role, &NameBook::new(&visit.client)).await.join("\n");
    let text = Text { name: clean(&role.name), permissions: lines(&role.permissions).join("\n"), includes };
    page(&visit, Some(&id), text, None).await
}

/// The role that a form describes.
async fn body(visit: &Visit, form: &Fields) -> Result<Value, NameError> {
    let permission = |line: &String| {
        let mut words = line.split_whitespace().map(str::to_owned);
        match (words.next(), words.next(), words.next()) {
            (Some(permission), object_type, None) => Ok(RolePermission { permission, object_type }),
            _ => Err(NameError::Malformed(format!("`{line}`: write `read`, or `read dataset`"))),
        }
    };
    let permissions: Result<Vec<RolePermission>, NameError> =
        form.lines("permissions").iter().map(permission).collect();
    let mut includes = Vec::new();
    for name in form.lines("includes") {
        includes.push(visit.client.id_of(Kind::Role, &name).await?);
    }
    Ok(json!({"name": form.or_empty("name"), "permissions": permissions?, "includes": includes}))
}

async fn reviewed(
    visit: &Visit,
    id: Option<&str>,
    form: &Fields,
    command: impl FnOnce(Value) -> BatchCommand,
) -> Result<Response, Stop> {
    let body = match body(visit, form).await {
        Ok(body) => body,
        Err(error) => return page(visit, id, Text::of(form), Some(trouble(&error)?)).await,
    };
    let title = if id.is_some() { "Change role" } else { "Create role" };
    let change =
        Change { title: title.to_owned(), commands: vec![command(body)], back: PART.to_owned(), part: PART };
    match review(visit, &change).await? {
        Ok(shown) => Ok(shown),
        Err(text) => page(visit, id, Text::of(form), Some(text)).await,
    }
}

pub(crate) async fn review_new(visit: Visit, form: Fields) -> Result<Response, Stop> {
    reviewed(&visit, None, &form, |body| command(BatchMethod::Post, "/v1/roles", body)).await
}

pub(crate) async fn review_change(
    visit: Visit,
    Path(id): Path<String>,
    form: Fields,
) -> Result<Response, Stop> {
    reviewed(&visit, Some(&id), &form, |body| command(BatchMethod::Patch, format!("/v1/roles/{id}"), body))
        .await
}

pub(crate) async fn delete(visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let change = Change {
        title: "Delete role".to_owned(),
        commands: vec![command(BatchMethod::Delete, format!("/v1/roles/{id}"), Value::Null)],
        back: PART.to_owned(),
        part: PART,
    };
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => Err(Stop::failed(StatusCode::CONFLICT, "refused", text)),
    }
}
