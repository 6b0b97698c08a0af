//! Grants: all that may be seen, a new one to anybody, and the end of one.

use askama::Template;
use axum::{
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use grantbook_api::{
    client::Client,
    nouns::{batch::BatchMethod, grants::GrantQuery, projects::Project},
    people::{
        names::{NameBook, NameError},
        reference::GranteeArg,
        text::clean,
    },
    words::list::{ListQuery, PageQuery},
};
use serde_json::{Value, json};

use crate::{
    frame::Frame,
    pages::tokens::ALL,
    review::{Change, command, review},
    shown::{
        account,
        form::{Asked, Fields},
        grant::{self, ShownGrant},
        paging::{self, ITEMS},
    },
    visit::{Stop, Visit, is_ours, page_of, trouble},
};

const PART: &str = "/console/grants";

/// A thing that a form offers.
pub(crate) struct Choice {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The roles that the caller may see.
pub(crate) async fn choices(client: &Client) -> Result<Vec<Choice>, Stop> {
    let query = ListQuery { limit: ALL, ..ListQuery::default() };
    let found = account::seen(client.roles(&query).await.map(|answer| answer.value.items))?;
    Ok(found.into_iter().map(|role| Choice { id: role.id, name: clean(&role.name) }).collect())
}

/// The permissions of the catalog.
pub(crate) async fn permissions(client: &Client) -> Result<Vec<String>, Stop> {
    account::seen(client.catalog().await.map(|answer| answer.value.permissions))
}

#[derive(Template)]
#[template(path = "grants.html")]
struct GrantsPage {
    frame: Frame,
    to: String,
    can_grant: bool,
    can_revoke: bool,
    grants: Vec<ShownGrant>,
    next: Option<String>,
}

pub(crate) async fn list(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    let mut frame = visit.frame("Grants", PART, "grantbook grant list");
    let [can_grant, can_revoke] =
        visit.holds_somewhere(["create_acls", "delete_acls"], ("organization", "")).await?;
    let to = match grantee(&visit, &asked).await {
        Ok(to) => to,
        Err(error) => {
            frame.trouble = Some(trouble(&error)?);
            let page = GrantsPage {
                frame,
                to: asked.or_empty("to"),
                can_grant,
                can_revoke,
                grants: Vec::new(),
                next: None,
            };
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page_of(&page)).into_response());
        }
    };
    let query = GrantQuery { to, limit: Some(ITEMS), cursor: asked.text("cursor"), ..GrantQuery::default() };
    let answer = visit.client.grants(&query).await?;
    let names = NameBook::new(&visit.client);
    let mut grants = Vec::new();
    for one in &answer.value.items {
        grants.push(grant::row(one, &names, PART).await);
    }
    frame.position = answer.position;
    let next = paging::next(PART, &asked, &["to"], answer.value.next);
    Ok(page_of(&GrantsPage { frame, to: asked.or_empty("to"), can_grant, can_revoke, grants, next }))
}

/// Whom the filter names.
async fn grantee(visit: &Visit, asked: &Fields) -> Result<Option<String>, NameError> {
    let Some(text) = asked.text("to") else { return Ok(None) };
    let arg: GranteeArg = text.parse().map_err(NameError::Malformed)?;
    let found = visit.client.grantee_of(&arg).await?;
    Ok(Some(format!("{}:{}", found.kind, found.id)))
}

#[derive(Template)]
#[template(path = "grant_new.html")]
struct NewPage {
    frame: Frame,
    form: Fields,
    permissions: Vec<String>,
    roles: Vec<Choice>,
    grant_action: String,
    grant_to: Option<String>,
}

async fn new_page(visit: &Visit, form: Fields, wrong: Option<String>) -> Result<Response, Stop> {
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let mut frame = visit.frame(
        "Add grant",
        PART,
        "grantbook grant create --to group:NAME --role Engineer --projects all",
    );
    frame.trouble = wrong;
    let page = NewPage {
        frame,
        permissions: permissions(&visit.client).await?,
        roles: choices(&visit.client).await?,
        grant_action: format!("{PART}/review"),
        grant_to: Some(form.or_empty("to")),
        form,
    };
    Ok((status, page_of(&page)).into_response())
}

pub(crate) async fn new(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    new_page(&visit, asked, None).await
}

pub(crate) async fn review_new(visit: Visit, form: Fields) -> Result<Response, Stop> {
    let body = match asked_for(&visit, &form).await {
        Ok(body) => body,
        Err(error) => return new_page(&visit, form, Some(trouble(&error)?)).await,
    };
    let change = Change {
        title: "Add grant".to_owned(),
        commands: vec![command(BatchMethod::Post, "/v1/grants", body)],
        back: PART.to_owned(),
        part: PART,
    };
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => new_page(&visit, form, Some(text)).await,
    }
}

async fn asked_for(visit: &Visit, form: &Fields) -> Result<Value, NameError> {
    let to: GranteeArg = form.or_empty("to").parse().map_err(NameError::Malformed)?;
    let to = visit.client.grantee_of(&to).await?;
    Ok(json!(grant::of_form(&visit.client, to, form).await?))
}

pub(crate) async fn revoke(visit: Visit, Path(id): Path<String>, form: Fields) -> Result<Response, Stop> {
    let change = Change {
        title: "Revoke grant".to_owned(),
        commands: vec![command(BatchMethod::Delete, format!("/v1/grants/{id}"), Value::Null)],
        back: form.text("back").filter(|path| is_ours(path)).unwrap_or_else(|| PART.to_owned()),
        part: PART,
    };
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => Err(Stop::failed(StatusCode::CONFLICT, "refused", text)),
    }
}

/// Projects that the part of a page names.
const NAMED: u32 = 10;

#[derive(Template)]
#[template(path = "grant_covers.html")]
struct CoversPart {
    id: String,
    projects: Vec<Choice>,
    more: bool,
}

/// The first projects that a grant covers today, as a part of a page.
pub(crate) async fn covers(visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let query = PageQuery { limit: Some(NAMED), ..PageQuery::default() };
    let (projects, next) = covered(&visit.client, &id, &query).await?;
    Ok(page_of(&CoversPart { id, projects, more: next.is_some() }))
}

#[derive(Template)]
#[template(path = "grant_projects.html")]
struct CoveredPage {
    frame: Frame,
    gives: String,
    on: String,
    projects: Vec<Choice>,
    next: Option<String>,
}

/// Everything that a grant covers today.
pub(crate) async fn projects(
    visit: Visit,
    Path(id): Path<String>,
    Asked(asked): Asked,
) -> Result<Response, Stop> {
    let answer = visit.client.grant(&id).await?;
    let names = NameBook::new(&visit.client);
    let shown = grant::row(&answer.value, &names, PART).await;
    let query = PageQuery { limit: Some(ITEMS), cursor: asked.text("cursor"), ..PageQuery::default() };
    let (projects, next) = covered(&visit.client, &id, &query).await?;
    let title = format!("Projects of a grant to {}", shown.to);
    let mut frame = visit.frame(title, PART, format!("grantbook grant projects {id}"));
    frame.position = answer.position;
    let next = paging::next(&format!("{PART}/{id}/projects"), &asked, &[], next);
    Ok(page_of(&CoveredPage { frame, gives: shown.gives, on: shown.on, projects, next }))
}

async fn covered(
    client: &Client,
    id: &str,
    query: &PageQuery,
) -> Result<(Vec<Choice>, Option<String>), Stop> {
    let page = client.projects_of_grant(id, query).await?.value;
    let projects = page.items.into_iter();
    let choice = |project: Project| Choice { id: project.id, name: clean(&project.name) };
    Ok((projects.map(choice).collect(), page.next))
}
