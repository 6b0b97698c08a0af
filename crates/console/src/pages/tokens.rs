//! Service tokens: the list, the creation of one with what it could do, and one with everything about it.

use std::{collections::HashMap, sync::Arc};

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use grantbook_api::{
    nouns::{
        batch::{Batch, BatchCommand, BatchMethod},
        keys::Key,
        tokens::Token,
    },
    people::{
        explanation::actor_words,
        names::{Kind, NameError},
        text::clean,
    },
    questions::audit::AuditQuery,
    words::{
        list::{LIMIT_MAX, ListQuery},
        reference::{GranteeRef, GranteeType, PrincipalRef, PrincipalType},
    },
};
use serde_json::{Value, json};

use crate::{
    Console,
    frame::Frame,
    pages::{
        keys::{self, NewKey},
        principal::{self, Account},
    },
    review::{Change, command, review},
    shown::{
        account,
        change::{self, ShownPlan},
        form::{Asked, Fields},
        grant::expiry,
        paging::{self, ITEMS},
        time::{just_after, minute, minute_or_dash},
    },
    visit::{Stop, Visit, new_request, page_of, refusal, trouble},
};

pub(crate) const PART: &str = "/console/tokens";
/// Groups that the form lists.
const GROUPS: u32 = 200;

struct Row {
    id: String,
    name: String,
    state: &'static str,
    groups: String,
    keys: String,
    ends: String,
    created: String,
    by: String,
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    frame: Frame,
    search: String,
    can_create: bool,
    tokens: Vec<Row>,
    next: Option<String>,
}

pub(crate) async fn list(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    let query = ListQuery {
        search: asked.text("search"),
        limit: Some(ITEMS),
        cursor: asked.text("cursor"),
        ..ListQuery::default()
    };
    let answer = visit.client.tokens(&query).await?;
    let makers = makers(&visit, &answer.value.items).await?;
    let mut tokens = Vec::new();
    for token in &answer.value.items {
        tokens.push(row(&visit, token, &makers).await?);
    }
    let mut frame = visit.frame("Service tokens", PART, "grantbook token list");
    frame.position = answer.position;
    let next = paging::next(PART, &asked, &["search"], answer.value.next);
    Ok(page_of(&TokensPage {
        frame,
        search: asked.or_empty("search"),
        can_create: visit.may("create", "org_member", "").await?,
        tokens,
        next,
    }))
}

/// Who created each of these, which are in the order of their creation; nobody, if the caller may not read the audit log.
async fn makers(visit: &Visit, tokens: &[Token]) -> Result<HashMap<String, String>, Stop> {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return Ok(HashMap::new()) };
    let query = AuditQuery {
        event: Some("TokenCreated".to_owned()),
        from: Some(first.created_at.clone()),
        to: just_after(&last.created_at),
        limit: ALL,
        ..AuditQuery::default()
    };
    let records = account::seen(visit.client.audit(&query).await.map(|answer| answer.value.items))?;
    let mut makers = HashMap::new();
    for record in &records {
        let made = record.events.iter().filter_map(|event| event.get("token")?.get("id")?.as_str());
        makers.extend(made.map(|id| (id.to_owned(), actor_words(&record.actor))));
    }
    Ok(makers)
}

async fn row(visit: &Visit, token: &Token, makers: &HashMap<String, String>) -> Result<Row, Stop> {
    let principal = PrincipalRef { kind: PrincipalType::Token, id: token.id.clone() };
    Ok(Row {
        groups: account::group_names(&visit.client, &principal.clone().into()).await?,
        keys: account::working_keys(&visit.client, &principal).await?,
        id: token.id.clone(),
        name: clean(&token.name),
        state: account::state(token.state),
        ends: minute_or_dash(token.expires_at.as_deref()),
        created: minute(&token.created_at),
        by: makers.get(&token.id).map_or_else(|| "-".to_owned(), |by| clean(by)),
    })
}

struct GroupBox {
    id: String,
    name: String,
    ticked: bool,
}

#[derive(Template)]
#[template(path = "token_new.html")]
struct NewPage {
    frame: Frame,
    request: String,
    name: String,
    description: String,
    expires: String,
    groups: Vec<GroupBox>,
    more_groups: bool,
    others: String,
    plan: Option<ShownPlan>,
    counted: String,
    refused: Option<String>,
}

/// What the page says of the access that would come.
#[derive(Default)]
struct Preview {
    plan: Option<ShownPlan>,
    refused: Option<String>,
}

async fn form_page(
    visit: &Visit,
    form: &Fields,
    preview: Preview,
    wrong: Option<String>,
) -> Result<Response, Stop> {
    let query = ListQuery { limit: Some(GROUPS), ..ListQuery::default() };
    let listed = account::seen(
        visit.client.groups(&query).await.map(|answer| (answer.value.items, answer.value.next)),
    )?;
    let (found, more): (Vec<_>, _) = listed;
    let groups = found.into_iter().map(|group| GroupBox {
        ticked: form.is_ticked("group", &group.id),
        name: clean(&group.name),
        id: group.id,
    });
    let mut frame = visit.frame(
        "Create service token",
        PART,
        "grantbook token create NAME; grantbook group add GROUP token:NAME; grantbook token key NAME",
    );
    let is_wrong = wrong.is_some();
    let form = form.after(wrong.as_deref());
    frame.trouble = wrong;
    let page = NewPage {
        frame,
        request: form.text("request").map_or_else(new_request, Ok)?,
        name: form.or_empty("name"),
        description: form.or_empty("description"),
        expires: form.or_empty("expires"),
        groups: groups.collect(),
        more_groups: more.is_some(),
        others: form.all("others").next().unwrap_or_default().to_owned(),
        counted: preview.plan.as_ref().map(counted).unwrap_or_default(),
        plan: preview.plan,
        refused: preview.refused,
    };
    let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, page_of(&page)).into_response())
}

/// Counts first, as the lists can be long.
fn counted(plan: &ShownPlan) -> String {
    let lines = plan.gained.iter().flat_map(|change| &change.lines);
    let kinds = lines.clone().count();
    let permissions: usize = lines.map(|line| line.permissions.split(", ").count()).sum();
    match kinds {
        0 => "The token could do nothing yet.".to_owned(),
        1 => format!("The token could use {permissions} permissions in one kind of place:"),
        _ => format!("The token could use {permissions} permissions in {kinds} kinds of places:"),
    }
}

pub(crate) async fn new(visit: Visit) -> Result<Response, Stop> {
    form_page(&visit, &Fields::default(), Preview::default(), None).await
}

/// The commands of the form: the token, its memberships, and its first key.
async fn commands(visit: &Visit, form: &Fields, with_key: bool) -> Result<Vec<BatchCommand>, NameError> {
    let mut body = json!({"name": form.or_empty("name")});
    set(&mut body, "description", form.text("description"));
    set(&mut body, "expires_at", expiry(form)?);
    let mut commands = vec![command(BatchMethod::Post, "/v1/tokens", body)];
    let mut groups: Vec<String> = form.all("group").map(str::to_owned).collect();
    for name in form.lines("others") {
        groups.push(visit.client.id_of(Kind::Group, &name).await?);
    }
    groups.sort();
    groups.dedup();
    let member = json!({"member": {"type": "token", "id": "$0.id"}});
    commands.extend(
        groups
            .iter()
            .map(|id| command(BatchMethod::Post, format!("/v1/groups/{id}/members"), member.clone())),
    );
    if with_key {
        commands.push(command(BatchMethod::Post, "/v1/tokens/$0.id/keys", json!({})));
    }
    Ok(commands)
}

fn set(body: &mut Value, member: &str, value: Option<String>) {
    if let (Some(members), Some(value)) = (body.as_object_mut(), value) {
        members.insert(member.to_owned(), Value::String(value));
    }
}

pub(crate) async fn preview(
    State(console): State<Arc<Console>>,
    visit: Visit,
    form: Fields,
) -> Result<Response, Stop> {
    let turn = console.previews.begin(&visit.session);
    if let Some(made) = turn.make(previewed(&visit, &form)).await {
        return made;
    }
    let refused = Some("A newer preview of this session took its place.".to_owned());
    form_page(&visit, &form, Preview { refused, ..Preview::default() }, None).await
}

async fn previewed(visit: &Visit, form: &Fields) -> Result<Response, Stop> {
    let mut preview = Preview::default();
    // Without a name yet: that is said when the token is created.
    let named = if form.text("name").is_some() { form.clone() } else { form.with("name", "a new token") };
    match commands(visit, &named, false).await {
        Err(error) => preview.refused = Some(trouble(&error)?),
        Ok(commands) => match visit.client.plan(&Batch { commands }).await {
            Ok(answer) => preview.plan = Some(change::plan(&answer.value)),
            Err(error) => preview.refused = Some(refusal(&error)?),
        },
    }
    form_page(visit, form, preview, None).await
}

pub(crate) async fn create(visit: Visit, form: Fields) -> Result<Response, Stop> {
    let request = form.text("request").ok_or_else(Stop::no_form)?;
    let commands = match commands(&visit, &form, true).await {
        Ok(commands) => commands,
        Err(error) => return form_page(&visit, &form, Preview::default(), Some(trouble(&error)?)).await,
    };
    let answer = match visit.once(&request).batch(&Batch { commands }).await {
        Ok(answer) => answer,
        Err(error) => return form_page(&visit, &form, Preview::default(), Some(refusal(&error)?)).await,
    };
    let results = &answer.value.results;
    let id = results.first().and_then(|made| made.body.get("id")).and_then(Value::as_str).unwrap_or_default();
    let key = results.last().and_then(|made| serde_json::from_value::<Key>(made.body.clone()).ok());
    let new = NewKey {
        title: "Service token created".to_owned(),
        is_key: true,
        part: PART,
        back: format!("{PART}/{id}"),
        secret: key.and_then(|key| key.secret.flatten()),
        old_until: None,
        position: Some(answer.value.position),
    };
    Ok(keys::once(&visit, new))
}

#[derive(Template)]
#[template(path = "token.html")]
struct TokenPage {
    frame: Frame,
    id: String,
    state: &'static str,
    description: String,
    ends: String,
    created: String,
    account: Account,
}

pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    shown(visit, &id, Fields::default(), None).await
}

async fn shown(visit: Visit, id: &str, form: Fields, wrong: Option<String>) -> Result<Response, Stop> {
    let answer = visit.client.token(id).await?;
    let token = answer.value;
    let principal = PrincipalRef { kind: PrincipalType::Token, id: id.to_owned() };
    let name = clean(&token.name);
    let mut frame = visit.frame(name.clone(), PART, format!("grantbook access token:{name}"));
    frame.position = answer.position;
    let is_wrong = wrong.is_some();
    let form = form.after(wrong.as_deref());
    frame.trouble = wrong;
    let page = TokenPage {
        frame,
        state: account::state(token.state),
        description: clean(token.description.as_deref().unwrap_or("-")),
        ends: minute_or_dash(token.expires_at.as_deref()),
        created: minute(&token.created_at),
        account: Account::of(&visit, &principal, format!("{PART}/{id}"), &token.keys_of_concern, form)
            .await?,
        id: token.id,
    };
    let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, page_of(&page)).into_response())
}

pub(crate) async fn issue_key(visit: Visit, Path(id): Path<String>, form: Fields) -> Result<Response, Stop> {
    let principal = PrincipalRef { kind: PrincipalType::Token, id: id.clone() };
    match keys::issue(&visit, &principal, &form, (PART, &format!("{PART}/{id}"))).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, form, Some(text)).await,
    }
}

pub(crate) async fn join(visit: Visit, Path(id): Path<String>, form: Fields) -> Result<Response, Stop> {
    let member = GranteeRef { kind: GranteeType::Token, id: id.clone() };
    match principal::join(&visit, member, &form, (PART, format!("{PART}/{id}"))).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, form, Some(text)).await,
    }
}

pub(crate) async fn delete(visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let change = Change {
        title: "Delete service token".to_owned(),
        commands: vec![command(BatchMethod::Delete, format!("/v1/tokens/{id}"), Value::Null)],
        back: PART.to_owned(),
        part: PART,
    };
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, Fields::default(), Some(text)).await,
    }
}

/// Most items of a list that a page looks at.
pub(crate) const ALL: Option<u32> = Some(LIMIT_MAX);
