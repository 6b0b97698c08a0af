//! Projects: the list, a new one, and one with who can do what in it and what its labels change.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use grantbook_api::{
    nouns::{
        batch::BatchMethod,
        projects::{CreateProject, UpdateProject},
    },
    people::{reference::pair, scope::label_words, text::clean},
    questions::reverse::{WaysForm, WhoCanQuery},
    words::list::ListQuery,
};
use serde_json::{Value, json};

use crate::{
    frame::Frame,
    pages::{
        ask::{Holder, holders},
        grants::permissions,
    },
    review::{Change, command, review},
    shown::{
        account,
        form::{Asked, Fields},
        paging::{self, ITEMS},
        time::minute,
    },
    visit::{Stop, Visit, after, new_request, page_of, refusal},
};

const PART: &str = "/console/projects";

struct Row {
    id: String,
    name: String,
    labels: String,
    created: String,
}

#[derive(Template)]
#[template(path = "projects.html")]
struct ProjectsPage {
    frame: Frame,
    search: String,
    can_create: bool,
    projects: Vec<Row>,
    next: Option<String>,
}

pub(crate) async fn list(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    let query = ListQuery {
        search: asked.text("search"),
        limit: Some(ITEMS),
        cursor: asked.text("cursor"),
        ..ListQuery::default()
    };
    let answer = visit.client.projects(&query).await?;
    let row = |project: grantbook_api::nouns::projects::Project| Row {
        id: project.id,
        name: clean(&project.name),
        labels: shown_labels(&project.labels),
        created: minute(&project.created_at),
    };
    let mut frame = visit.frame("Projects", PART, "grantbook project list");
    frame.position = answer.position;
    let next = paging::next(PART, &asked, &["search"], answer.value.next);
    let projects = answer.value.items.into_iter().map(row).collect();
    Ok(page_of(&ProjectsPage {
        frame,
        search: asked.or_empty("search"),
        can_create: visit.may("create", "org_project", "").await?,
        projects,
        next,
    }))
}

fn shown_labels(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() { "-".to_owned() } else { clean(&label_words(labels)) }
}

#[derive(Template)]
#[template(path = "project_new.html")]
struct NewPage {
    frame: Frame,
    request: String,
    name: String,
    labels: String,
}

fn new_page(visit: &Visit, form: &Fields, wrong: Option<String>) -> Result<Response, Stop> {
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let mut frame = visit.frame("Create project", PART, "grantbook project create NAME --label env=staging");
    let form = form.after(wrong.as_deref());
    frame.trouble = wrong;
    let page = NewPage {
        frame,
        request: form.text("request").map_or_else(new_request, Ok)?,
        name: form.or_empty("name"),
        labels: form.all("labels").next().unwrap_or_default().to_owned(),
    };
    Ok((status, page_of(&page)).into_response())
}

pub(crate) async fn new(visit: Visit) -> Result<Response, Stop> {
    new_page(&visit, &Fields::default(), None)
}

fn labels(form: &Fields) -> Result<BTreeMap<String, String>, String> {
    form.lines("labels").iter().map(|line| pair(line)).collect()
}

pub(crate) async fn create(visit: Visit, form: Fields) -> Result<Response, Stop> {
    let request = form.text("request").ok_or_else(Stop::no_form)?;
    let labels = match labels(&form) {
        Ok(labels) => labels,
        Err(text) => return new_page(&visit, &form, Some(text)),
    };
    let body = CreateProject { name: form.or_empty("name"), labels };
    match visit.once(&request).create_project(&body).await {
        Ok(answer) => Ok(after(&format!("{PART}/{}", answer.value.id), answer.position.as_deref())),
        Err(error) => new_page(&visit, &form, Some(refusal(&error)?)),
    }
}

#[derive(Template)]
#[template(path = "project.html")]
struct ProjectPage {
    frame: Frame,
    id: String,
    labels: String,
    created: String,
    permissions: Vec<String>,
    permission: String,
    holders: Vec<Holder>,
    holders_cut: bool,
    edited_name: String,
    edited_labels: String,
    can_change: bool,
    can_delete: bool,
}

pub(crate) async fn show(
    visit: Visit,
    Path(id): Path<String>,
    Asked(asked): Asked,
) -> Result<Response, Stop> {
    shown(visit, &id, asked, None).await
}

async fn shown(visit: Visit, id: &str, form: Fields, wrong: Option<String>) -> Result<Response, Stop> {
    let client = &visit.client;
    let answer = client.project(id).await?;
    let project = answer.value;
    let name = clean(&project.name);
    let permission = form.text("permission").unwrap_or_else(|| "update".to_owned());
    let mut frame = visit.frame(name.clone(), PART, format!("grantbook who-can {permission} project:{name}"));
    frame.position = answer.position;
    let is_wrong = wrong.is_some();
    let form = form.after(wrong.as_deref());
    frame.trouble = wrong;
    let query = WhoCanQuery {
        permission: permission.clone(),
        object: format!("project:{id}"),
        project: None,
        ways: Some(WaysForm::Shared),
        limit: Some(ITEMS),
        cursor: None,
        as_of: None,
    };
    let found = account::seen(client.who_can(&query).await.map(|answer| Some(answer.value)))?;
    let lines: Vec<String> = project.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let page = ProjectPage {
        frame,
        labels: shown_labels(&project.labels),
        created: minute(&project.created_at),
        permissions: permissions(client).await?,
        permission,
        holders_cut: found.as_ref().is_some_and(|found| found.next.is_some()),
        holders: found.map(|found| holders(&found)).unwrap_or_default(),
        can_change: visit.may("update", "project", id).await?,
        can_delete: visit.may("delete", "project", id).await?,
        edited_name: if is_wrong { form.or_empty("name") } else { project.name },
        edited_labels: match form.all("labels").next() {
            Some(text) if is_wrong => text.to_owned(),
            _ => lines.join("\n"),
        },
        id: project.id,
    };
    let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, page_of(&page)).into_response())
}

pub(crate) async fn review_change(
    visit: Visit,
    Path(id): Path<String>,
    form: Fields,
) -> Result<Response, Stop> {
    let labels = match labels(&form) {
        Ok(labels) => labels,
        Err(text) => return shown(visit, &id, form, Some(text)).await,
    };
    let body = UpdateProject { name: Some(form.or_empty("name")), labels: Some(labels) };
    let change = Change {
        title: "Change project".to_owned(),
        commands: vec![command(BatchMethod::Patch, format!("/v1/projects/{id}"), json!(body))],
        back: format!("{PART}/{id}"),
        part: PART,
    };
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, form, Some(text)).await,
    }
}

pub(crate) async fn delete(visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let change = Change {
        title: "Delete project".to_owned(),
        commands: vec![command(BatchMethod::Delete, format!("/v1/projects/{id}"), Value::Null)],
        back: PART.to_owned(),
        part: PART,
    };
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, Fields::default(), Some(text)).await,
    }
}
