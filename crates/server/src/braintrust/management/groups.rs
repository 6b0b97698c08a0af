//! Permission groups.

use axum::{http::Method, response::Response};
use serde_json::{Value, json};

use crate::braintrust::{
    body::{id_of, string_of, texts},
    call::{Call, answered},
    caller::Organization,
    denial::Denial,
    management::accounts,
    native::{Native, encoded, write},
    page::part,
};

/// A group as this wire has it, with its members as far as the caller may see them.
async fn shown(native: &Native, group: &Value, organization: &str) -> Result<Value, Denial> {
    let member = |name: &str| group.get(name).cloned().unwrap_or_default();
    let members = members(native, id_of(group)).await?;
    let of = |is_group: bool| -> Vec<&str> {
        let wanted = members.iter().filter(|one| (string_of(one, "type") == "group") == is_group);
        wanted.map(id_of).collect()
    };
    Ok(json!({
        "id": member("id"), "org_id": organization, "user_id": null, "created": member("created_at"), "name": member("name"),
        "description": member("description"), "deleted_at": member("deleted_at"),
        "member_users": of(false), "member_groups": of(true),
    }))
}

/// Who is in a group: references of the native API. None if the caller may see the group and not those in it.
async fn members(native: &Native, group: &str) -> Result<Vec<Value>, Denial> {
    match native.list(&format!("/v1/groups/{}/members", encoded(group))).await {
        Ok(found) => Ok(found
            .into_iter()
            .map(|mut one| one.get_mut("member").map(Value::take).unwrap_or_default())
            .collect()),
        Err(denial) if denial.is_forbidden() => Ok(Vec::new()),
        Err(denial) => Err(denial),
    }
}

/// Commands that add accounts and groups to a group.
async fn adding(native: &Native, group: &str, users: &[&str], groups: &[&str]) -> Result<Vec<Value>, Denial> {
    let path = format!("/v1/groups/{group}/members");
    let add =
        |kind: &str, id: &str| write("POST", path.as_str(), json!({"member": {"type": kind, "id": id}}));
    let mut commands = Vec::new();
    for id in users {
        let (kind, _) = accounts::find(native, id).await?;
        commands.push(add(kind.word(), id));
    }
    commands.extend(groups.iter().map(|id| add("group", id)));
    Ok(commands)
}

/// A command that removes a member.
fn removing(group: &str, member: &Value) -> Value {
    let (kind, id) = (string_of(member, "type"), encoded(id_of(member)));
    write("DELETE", format!("/v1/groups/{group}/members/{kind}/{id}"), Value::Null)
}

/// `POST /v1/group`: the group of this name as it is, made if there is none.
pub(crate) async fn create(call: Call) -> Response {
    answered(&call.native, created(&call).await)
}

async fn created(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    organization.require(None, call.text("org_name")?)?;
    let name = call.required("name")?;
    let group = match call.native.named("/v1/groups", name).await? {
        Some(found) => found,
        None => make(call, name).await?,
    };
    shown(&call.native, &group, &organization.id).await
}

async fn make(call: &Call, name: &str) -> Result<Value, Denial> {
    let body = json!({"name": name, "description": call.text("description")?});
    let mut commands = vec![write("POST", "/v1/groups", body)];
    let (users, groups) = (texts(&call.body, "member_users")?, texts(&call.body, "member_groups")?);
    commands.extend(adding(&call.native, "$0.id", &users, &groups).await?);
    match call.native.batch(commands).await {
        Ok(made) => Ok(made.into_iter().next().unwrap_or_default()),
        // Another client has made it since, or the caller may not see it.
        Err(denial) if denial.is_name_taken() => {
            call.native.named("/v1/groups", name).await?.ok_or_else(Denial::forbidden)
        }
        Err(denial) => Err(denial),
    }
}

/// `PUT /v1/group`: the group of this name with exactly this description and these members. Who stays in it stays until when
/// he was.
pub(crate) async fn replace(call: Call) -> Response {
    answered(&call.native, replaced(&call).await)
}

async fn replaced(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    organization.require(None, call.text("org_name")?)?;
    let name = call.required("name")?;
    if call.native.named("/v1/groups", name).await?.is_none() {
        return shown(&call.native, &make(call, name).await?, &organization.id).await;
    }
    let mut revision = call.native.revision();
    loop {
        let commands = replacing(call, name).await?;
        if revision.carried_out(commands).await?.is_some() {
            break;
        }
    }
    let group = call.native.named("/v1/groups", name).await?.ok_or_else(Denial::forbidden)?;
    shown(&call.native, &group, &organization.id).await
}

/// What makes the group of this name what the body says.
async fn replacing(call: &Call, name: &str) -> Result<Vec<Value>, Denial> {
    let wanted = |member: &str| texts(&call.body, member);
    let (mut users, mut groups) = (wanted("member_users")?, wanted("member_groups")?);
    let group = call.native.named("/v1/groups", name).await?.ok_or_else(Denial::forbidden)?;
    let (id, old) = (id_of(&group), members(&call.native, id_of(&group)).await?);
    let leaving = old.iter().filter(|one| !users.contains(&id_of(one)) && !groups.contains(&id_of(one)));
    let mut commands: Vec<Value> = leaving.map(|one| removing(id, one)).collect();
    let is_new = |id: &&str| !old.iter().any(|one| id_of(one) == *id);
    users.retain(is_new);
    groups.retain(is_new);
    commands.extend(adding(&call.native, id, &users, &groups).await?);
    let description = json!({"description": call.text("description")?});
    commands.push(write("PATCH", format!("/v1/groups/{id}"), description));
    Ok(commands)
}

/// `PATCH /v1/group/{id}`
pub(crate) async fn update(call: Call) -> Response {
    answered(&call.native, updated(&call, call.at(0)).await)
}

async fn updated(call: &Call, id: &str) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    let path = format!("/v1/groups/{}", encoded(id));
    let group = call.native.get(&path).await?;
    let id = id_of(&group);
    let mut commands = Vec::new();
    let changed: serde_json::Map<String, Value> = ["name", "description"]
        .into_iter()
        .filter_map(|member| Some((member.to_owned(), call.text(member).transpose()?)))
        .map(|(member, text)| text.map(|text| (member, Value::from(text))))
        .collect::<Result<_, _>>()?;
    if !changed.is_empty() {
        commands.push(write("PATCH", path.as_str(), Value::Object(changed)));
    }
    let list = |member: &str| texts(&call.body, member);
    let leaving = [list("remove_member_users")?, list("remove_member_groups")?].concat();
    let old = if leaving.is_empty() { Vec::new() } else { members(&call.native, id).await? };
    // Who is not in it need not be removed.
    let leave = old.iter().filter(|one| leaving.contains(&id_of(one)));
    commands.extend(leave.map(|one| removing(id, one)));
    let (users, groups) = (list("add_member_users")?, list("add_member_groups")?);
    commands.extend(adding(&call.native, id, &users, &groups).await?);
    call.native.batch(commands).await?;
    shown(&call.native, &call.native.get(&path).await?, &organization.id).await
}

/// `GET /v1/group/{id}`
pub(crate) async fn get(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        let group = call.native.get(&format!("/v1/groups/{}", encoded(call.at(0)))).await?;
        shown(&call.native, &group, &organization.id).await
    };
    answered(&call.native, outcome.await)
}

/// `DELETE /v1/group/{id}`: as it was.
pub(crate) async fn delete(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        let path = format!("/v1/groups/{}", encoded(call.at(0)));
        let mut was = shown(&call.native, &call.native.get(&path).await?, &organization.id).await?;
        let ended = call.native.command(Method::DELETE, &path, &Value::Null).await?;
        if let Some(at) = was.get_mut("deleted_at") {
            *at = ended.get("deleted_at").cloned().unwrap_or_default();
        }
        Ok(was)
    };
    answered(&call.native, outcome.await)
}

/// `GET /v1/group`
pub(crate) async fn list(call: Call) -> Response {
    answered(&call.native, listed(&call).await)
}

async fn listed(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    organization.require(None, call.parameter("org_name"))?;
    let mut found = match call.parameter("group_name") {
        Some(name) => Vec::from_iter(call.native.named("/v1/groups", name).await?),
        None => call.native.list("/v1/groups").await?,
    };
    found.reverse();
    let mut objects = Vec::new();
    for group in part(call, found)? {
        objects.push(shown(&call.native, &group, &organization.id).await?);
    }
    Ok(json!({"objects": objects}))
}
