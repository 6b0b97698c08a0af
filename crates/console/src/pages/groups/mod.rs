//! Permission groups: the list, a new one, and one with its grants, its members, and who manages it.

mod matrix;

use askama::Template;
use axum::{
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use grantbook_api::{
    client::Client,
    nouns::{
        batch::BatchMethod,
        groups::{CreateGroup, UpdateGroup},
        members::Member,
    },
    people::{names::NameBook, reference::GranteeArg, text::clean},
    questions::reverse::{WaysForm, WhoCanQuery},
    words::{
        list::{ListQuery, PageQuery},
        reference::{GranteeRef, GranteeType},
    },
};
use serde_json::{Value, json};

use self::matrix::{Cell, MatrixRow, edited, gathered, matrix};
use crate::{
    frame::Frame,
    pages::{
        grants::{Choice, choices, permissions},
        tokens::ALL,
    },
    review::{Change, command, review},
    shown::{
        account::{self, ShownMembership},
        change,
        form::{Asked, Fields},
        grant::{self, ShownGrant, expiry},
        paging::{self, ITEMS},
        time::{minute, minute_or_dash},
    },
    visit::{Stop, Visit, after, new_request, page_of, refusal, trouble},
};

const PART: &str = "/console/groups";
/// Managers that a page names.
const MANAGERS: u32 = 50;

struct Row {
    id: String,
    name: String,
    description: String,
    created: String,
    builtin: bool,
}

#[derive(Template)]
#[template(path = "groups.html")]
struct GroupsPage {
    frame: Frame,
    search: String,
    can_create: bool,
    groups: Vec<Row>,
    next: Option<String>,
}

pub(crate) async fn list(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    let query = ListQuery {
        search: asked.text("search"),
        limit: Some(ITEMS),
        cursor: asked.text("cursor"),
        ..ListQuery::default()
    };
    let answer = visit.client.groups(&query).await?;
    let row = |group: grantbook_api::nouns::groups::Group| Row {
        id: group.id,
        name: clean(&group.name),
        description: clean(group.description.as_deref().unwrap_or("-")),
        created: minute(&group.created_at),
        builtin: group.builtin,
    };
    let mut frame = visit.frame("Permission groups", PART, "grantbook group list");
    frame.position = answer.position;
    let next = paging::next(PART, &asked, &["search"], answer.value.next);
    // Who may make groups may on every group; who sees none is asked about the organization.
    let any = answer.value.items.first().map(|group| group.id.clone());
    let can_create = match &any {
        Some(id) => visit.may("create", "group", id).await?,
        None => visit.may("create", "organization", "").await?,
    };
    let groups = answer.value.items.into_iter().map(row).collect();
    Ok(page_of(&GroupsPage { frame, search: asked.or_empty("search"), can_create, groups, next }))
}

#[derive(Template)]
#[template(path = "group_new.html")]
struct NewPage {
    frame: Frame,
    request: String,
    name: String,
    description: String,
}

fn new_page(visit: &Visit, form: &Fields, wrong: Option<String>) -> Result<Response, Stop> {
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let mut frame = visit.frame("Create permission group", PART, "grantbook group create NAME");
    let form = form.after(wrong.as_deref());
    frame.trouble = wrong;
    let page = NewPage {
        frame,
        request: form.text("request").map_or_else(new_request, Ok)?,
        name: form.or_empty("name"),
        description: form.or_empty("description"),
    };
    Ok((status, page_of(&page)).into_response())
}

pub(crate) async fn new(visit: Visit) -> Result<Response, Stop> {
    new_page(&visit, &Fields::default(), None)
}

pub(crate) async fn create(visit: Visit, form: Fields) -> Result<Response, Stop> {
    let request = form.text("request").ok_or_else(Stop::no_form)?;
    let body = CreateGroup { name: form.or_empty("name"), description: form.text("description") };
    match visit.once(&request).create_group(&body).await {
        Ok(answer) => Ok(after(&format!("{PART}/{}", answer.value.id), answer.position.as_deref())),
        Err(error) => new_page(&visit, &form, Some(refusal(&error)?)),
    }
}

struct MemberRow {
    name: String,
    link: String,
    since: String,
    until: String,
    /// Type and id.
    key: String,
}

#[derive(Template)]
#[template(path = "group.html")]
struct GroupPage {
    frame: Frame,
    id: String,
    description: String,
    /// What the form for another name holds.
    new_name: String,
    new_description: String,
    created: String,
    /// Columns of the matrix, and boxes of the form.
    permissions: Vec<String>,
    matrix: Vec<MatrixRow>,
    own: Vec<ShownGrant>,
    members: Vec<MemberRow>,
    members_cut: bool,
    parents: Vec<ShownMembership>,
    managers: Vec<String>,
    managers_cut: bool,
    adding: &'static str,
    form: Fields,
    roles: Vec<Choice>,
    grant_action: String,
    grant_to: Option<String>,
    may: May,
    giving: MayGrant,
}

/// What the caller may do to the group.
struct May {
    change: bool,
    delete: bool,
}

/// What the caller may do with grants, somewhere.
struct MayGrant {
    add: bool,
    revoke: bool,
}

impl GroupPage {
    /// Whether a box of the matrix is ticked: as the form came back, else as it is.
    fn is_ticked(&self, row: &MatrixRow, index: &usize) -> bool {
        let permission = self.permissions.get(*index).map_or("", String::as_str);
        if self.form.is_ticked("row", &row.grant) {
            return self.form.is_ticked("cell", &format!("{} {permission}", row.grant));
        }
        row.cells.get(*index).is_some_and(|cell| *cell != Cell::None)
    }
}

pub(crate) async fn show(
    visit: Visit,
    Path(id): Path<String>,
    Asked(asked): Asked,
) -> Result<Response, Stop> {
    let adding = match asked.text("add").as_deref() {
        Some("edit") => "edit",
        Some("grant") => "grant",
        Some("member") => "member",
        _ => "",
    };
    shown(visit, &id, (adding, asked), None).await
}

async fn shown(
    visit: Visit,
    id: &str,
    (adding, form): (&'static str, Fields),
    wrong: Option<String>,
) -> Result<Response, Stop> {
    let client = &visit.client;
    let answer = client.group(id).await?;
    let group = answer.value;
    let name = clean(&group.name);
    let mut frame = visit.frame(name.clone(), PART, format!("grantbook group show {name}"));
    frame.position = answer.position;
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let form = form.after(wrong.as_deref());
    frame.trouble = wrong;
    let names = NameBook::new(client);
    let parents = account::memberships(client, &group_ref(id)).await?;
    let rows = gathered(client, id, &name, &parents).await?;
    let (permissions_shown, matrix) = matrix(client, &rows, &names, adding == "edit").await?;
    let mut own = Vec::new();
    for (given, source) in &rows {
        if source.is_none() {
            own.push(grant::row(given, &names, &format!("{PART}/{id}")).await);
        }
    }
    let (members, members_cut) = members(client, id).await?;
    let (managers, managers_cut) = managers(client, id).await?;
    let held = visit.holds(&[("update", "group", id), ("delete", "group", id)]).await?;
    let [add, revoke] = visit.holds_somewhere(["create_acls", "delete_acls"], ("group", id)).await?;
    let page = GroupPage {
        frame,
        description: clean(group.description.as_deref().unwrap_or_default()),
        new_name: if adding == "rename" { form.or_empty("name") } else { group.name.clone() },
        new_description: if adding == "rename" {
            form.or_empty("description")
        } else {
            group.description.clone().unwrap_or_default()
        },
        created: minute(&group.created_at),
        permissions: if adding == "grant" { permissions(client).await? } else { permissions_shown },
        matrix: if adding == "grant" { Vec::new() } else { matrix },
        own,
        members,
        members_cut,
        parents,
        managers,
        managers_cut,
        adding,
        form,
        roles: if adding == "grant" { choices(client).await? } else { Vec::new() },
        grant_action: format!("{PART}/{id}/review"),
        grant_to: None,
        may: May {
            change: held.first() == Some(&true),
            delete: held.get(1) == Some(&true) && !group.builtin,
        },
        giving: MayGrant { add, revoke },
        id: group.id,
    };
    Ok((status, page_of(&page)).into_response())
}

fn group_ref(id: &str) -> GranteeRef {
    GranteeRef { kind: GranteeType::Group, id: id.to_owned() }
}

async fn members(client: &Client, id: &str) -> Result<(Vec<MemberRow>, bool), Stop> {
    let query = PageQuery { limit: ALL, ..PageQuery::default() };
    let page = client.members(id, &query).await?.value;
    let row = |one: Member| {
        let name = one.member.name.as_ref().unwrap_or(&one.member.id);
        let part = match one.member.kind {
            GranteeType::User => "people",
            GranteeType::Token => "tokens",
            GranteeType::Group => "groups",
        };
        MemberRow {
            name: clean(&format!("{}:{name}", one.member.kind)),
            link: format!("/console/{part}/{}", one.member.id),
            since: minute(&one.created_at),
            until: minute_or_dash(one.expires_at.as_deref()),
            key: format!("{}:{}", one.member.kind, one.member.id),
        }
    };
    Ok((page.items.into_iter().map(row).collect(), page.next.is_some()))
}

/// Who may change the group, as far as the caller may ask.
async fn managers(client: &Client, id: &str) -> Result<(Vec<String>, bool), Stop> {
    let query = WhoCanQuery {
        permission: "update".to_owned(),
        object: format!("group:{id}"),
        project: None,
        ways: Some(WaysForm::Shared),
        limit: Some(MANAGERS),
        cursor: None,
        as_of: None,
    };
    let found = client.who_can(&query).await.map(|answer| (answer.value.items, answer.value.next));
    let (items, next) = account::seen(found)?;
    let items: Vec<grantbook_api::questions::reverse::Holder> = items;
    Ok((items.iter().map(|holder| change::principal(&holder.principal)).collect(), next.is_some()))
}

pub(crate) async fn review_grant(
    visit: Visit,
    Path(id): Path<String>,
    form: Fields,
) -> Result<Response, Stop> {
    let body = match grant::of_form(&visit.client, group_ref(&id), &form).await {
        Ok(grant) => json!(grant),
        Err(error) => return shown(visit, &id, ("grant", form), Some(trouble(&error)?)).await,
    };
    let change = Change {
        title: "Add grant".to_owned(),
        commands: vec![command(BatchMethod::Post, "/v1/grants", body)],
        back: format!("{PART}/{id}"),
        part: PART,
    };
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, ("grant", form), Some(text)).await,
    }
}

/// The plan for the matrix as it was ticked: a grant whose row changed is replaced by one of the same scope.
pub(crate) async fn edit(visit: Visit, Path(id): Path<String>, form: Fields) -> Result<Response, Stop> {
    let change = Change {
        title: "Edit permissions".to_owned(),
        commands: edited(&visit.client, &id, &form).await?,
        back: format!("{PART}/{id}"),
        part: PART,
    };
    if change.commands.is_empty() {
        return Ok(after(&change.back, None));
    }
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, ("edit", form), Some(text)).await,
    }
}

pub(crate) async fn review_member(
    visit: Visit,
    Path(id): Path<String>,
    form: Fields,
) -> Result<Response, Stop> {
    let change = match member_change(&visit, &id, &form).await? {
        Ok(change) => change,
        Err(text) => return shown(visit, &id, ("member", form), Some(text)).await,
    };
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, ("member", form), Some(text)).await,
    }
}

async fn member_change(visit: &Visit, id: &str, form: &Fields) -> Result<Result<Change, String>, Stop> {
    let (title, command) =
        if let Some((kind, member)) = form.text("remove").as_deref().and_then(|key| key.split_once(':')) {
            let path = format!("/v1/groups/{id}/members/{kind}/{member}");
            ("Remove member", command(BatchMethod::Delete, path, Value::Null))
        } else {
            let arg: GranteeArg = match form.or_empty("member").parse() {
                Ok(arg) => arg,
                Err(text) => return Ok(Err(text)),
            };
            let member = match visit.client.grantee_of(&arg).await {
                Ok(member) => member,
                Err(error) => return Ok(Err(trouble(&error)?)),
            };
            let mut body = json!({"member": member});
            match expiry(form) {
                Ok(None) => {}
                Ok(Some(time)) => {
                    body.as_object_mut().map(|members| members.insert("expires_at".to_owned(), json!(time)));
                }
                Err(error) => return Ok(Err(trouble(&error)?)),
            }
            ("Add member", command(BatchMethod::Post, format!("/v1/groups/{id}/members"), body))
        };
    Ok(Ok(Change {
        title: title.to_owned(),
        commands: vec![command],
        back: format!("{PART}/{id}"),
        part: PART,
    }))
}

pub(crate) async fn rename(visit: Visit, Path(id): Path<String>, form: Fields) -> Result<Response, Stop> {
    let body = UpdateGroup { name: Some(form.or_empty("name")), description: Some(form.text("description")) };
    match visit.client.update_group(&id, &body).await {
        Ok(answer) => Ok(after(&format!("{PART}/{id}"), answer.position.as_deref())),
        Err(error) => {
            let text = refusal(&error)?;
            shown(visit, &id, ("rename", form), Some(text)).await
        }
    }
}

pub(crate) async fn delete(visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let change = Change {
        title: "Delete group".to_owned(),
        commands: vec![command(BatchMethod::Delete, format!("/v1/groups/{id}"), Value::Null)],
        back: PART.to_owned(),
        part: PART,
    };
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => shown(visit, &id, ("", Fields::default()), Some(text)).await,
    }
}
