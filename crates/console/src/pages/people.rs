//! People: the list, a new one, and one with everything about them.

use askama::Template;
use axum::{
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use grantbook_api::{
    nouns::{
        batch::BatchMethod,
        users::{CreateUser, User},
    },
    people::text::clean,
    words::{
        list::ListQuery,
        reference::{GranteeRef, GranteeType, PrincipalRef, PrincipalType},
    },
};
use serde_json::Value;

use crate::{
    frame::Frame,
    pages::{
        keys,
        principal::{self, Account},
    },
    review::{Change, command, review},
    shown::{
        account::{self, ShownSession},
        form::{Asked, Fields},
        paging::{self, ITEMS},
        time::minute,
    },
    visit::{Stop, Visit, after, new_request, page_of, refusal},
};

const PART: &str = "/console/people";

struct Row {
    id: String,
    email: String,
    name: String,
    groups: String,
    keys: String,
    created: String,
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    search: String,
    can_create: bool,
    users: Vec<Row>,
    next: Option<String>,
}

pub(crate) async fn list(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    let query = ListQuery {
        search: asked.text("search"),
        limit: Some(ITEMS),
        cursor: asked.text("cursor"),
        ..ListQuery::default()
    };
    let answer = visit.client.users(&query).await?;
    let mut users = Vec::new();
    for user in &answer.value.items {
        users.push(row(&visit, user).await?);
    }
    let mut frame = visit.frame("People", PART, "grantbook user list");
    frame.position = answer.position;
    let next = paging::next(PART, &asked, &["search"], answer.value.next);
    Ok(page_of(&PeoplePage {
        frame,
        search: asked.or_empty("search"),
        can_create: visit.may("create", "org_member", "").await?,
        users,
        next,
    }))
}

async fn row(visit: &Visit, user: &User) -> Result<Row, Stop> {
    let principal = PrincipalRef { kind: PrincipalType::User, id: user.id.clone() };
    Ok(Row {
        groups: account::group_names(&visit.client, &principal.clone().into()).await?,
        keys: account::working_keys(&visit.client, &principal).await?,
        id: user.id.clone(),
        email: clean(&user.email),
        name: clean(user.name.as_deref().unwrap_or("-")),
        created: minute(&user.created_at),
    })
}

#[derive(Template)]
#[template(path = "person_new.html")]
struct NewPage {
    frame: Frame,
    request: String,
    email: String,
    name: String,
}

fn new_page(visit: &Visit, form: &Fields, wrong: Option<String>) -> Result<Response, Stop> {
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let mut frame = visit.frame("Add person", PART, "grantbook user create EMAIL --name NAME");
    let form = form.after(wrong.as_deref());
    frame.trouble = wrong;
    let page = NewPage {
        frame,
        request: form.text("request").map_or_else(new_request, Ok)?,
        email: form.or_empty("email"),
        name: form.or_empty("name"),
    };
    Ok((status, page_of(&page)).into_response())
}

pub(crate) async fn new(visit: Visit) -> Result<Response, Stop> {
    new_page(&visit, &Fields::default(), None)
}

pub(crate) async fn create(visit: Visit, form: Fields) -> Result<Response, Stop> {
    let request = form.text("request").ok_or_else(Stop::no_form)?;
    let body = CreateUser { email: form.or_empty("email"), name: form.text("name"), external_id: None };
    match visit.once(&request).create_user(&body).await {
        Ok(answer) => Ok(after(&format!("{PART}/{}", answer.value.id), answer.position.as_deref())),
        Err(error) => new_page(&visit, &form, Some(refusal(&error)?)),
    }
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    frame: Frame,
    id: String,
    name: String,
    state: &'static str,
    created: String,
    account: Account,
    sessions: Vec<ShownSession>,
}

pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    shown(visit, &id, Fields::default(), None).await
}

async fn shown(visit: Visit, id: &str, form: Fields, wrong: Option<String>) -> Result<Response, Stop> {
    let answer = visit.client.user(id).await?;
    let user = answer.value;
    let principal = PrincipalRef { kind: PrincipalType::User, id: id.to_owned() };
    let email = clean(&user.email);
    let mut frame = visit.frame(email.clone(), PART, format!("grantbook access user:{email}"));
    frame.position = answer.position;
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let form = form.after(wrong.as_deref());
    frame.trouble = wrong;
    let path = format!("{PART}/{id}");
    let account = Account::of(&visit, &principal, path, &user.keys_of_concern, form).await?;
    let page = PersonPage {
        frame,
        name: clean(user.name.as_deref().unwrap_or("-")),
        state: account::state(user.state),
        created: minute(&user.created_at),
        sessions: account::sessions(&visit.client, Some(id), &visit.session).await?,
        account,
        id: user.id,
    };
    Ok((status, page_of(&page)).into_response())
}

pub(crate) async fn issue_key(visit: Visit, Path(id): Path<String>, form: Fields) -> Result<Response, Stop> {
    let principal = PrincipalRef { kind: PrincipalType::User, id: id.clone() };
    match keys::issue(&visit, &principal, &form, (PART, &format!("{PART}/{id}"))).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, form, Some(text)).await,
    }
}

pub(crate) async fn join(visit: Visit, Path(id): Path<String>, form: Fields) -> Result<Response, Stop> {
    let member = GranteeRef { kind: GranteeType::User, id: id.clone() };
    match principal::join(&visit, member, &form, (PART, format!("{PART}/{id}"))).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, form, Some(text)).await,
    }
}

pub(crate) async fn deactivate(visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let change = Change {
        title: "Deactivate".to_owned(),
        commands: vec![command(BatchMethod::Delete, format!("/v1/users/{id}"), Value::Null)],
        back: PART.to_owned(),
        part: PART,
    };
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, Fields::default(), Some(text)).await,
    }
}
