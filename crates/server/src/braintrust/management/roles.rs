//! Roles. What these words cannot say of a native role is not shown, and stays.

use axum::{http::Method, response::Response};
use serde_json::{Map, Value, json};

use crate::braintrust::{
    body::{id_of, items, required, text, texts},
    call::{Call, answered},
    caller::Organization,
    denial::Denial,
    management::acl::{is_known_permission, is_known_type},
    native::{encoded, write},
    page::page,
};

/// A role as this wire has it.
fn role(native: &Value, organization: &str) -> Value {
    let member = |name: &str| native.get(name).cloned().unwrap_or_default();
    let is_builtin = native.get("builtin") == Some(&Value::Bool(true));
    let permissions: Vec<Value> =
        permissions(native).iter().filter(|one| is_sayable(one)).map(said).collect();
    json!({
        "id": member("id"), "org_id": if is_builtin { Value::Null } else { organization.into() }, "user_id": null,
        "created": member("created_at"), "name": member("name"), "description": null,
        "deleted_at": member("deleted_at"), "member_permissions": permissions, "member_roles": member("includes"),
    })
}

fn permissions(native: &Value) -> &[Value] {
    native.get("permissions").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is_sayable(native: &Value) -> bool {
    let member = |name: &str| native.get(name).and_then(Value::as_str);
    member("permission").is_some_and(is_known_permission) && member("object_type").is_none_or(is_known_type)
}

fn said(native: &Value) -> Value {
    let member = |name: &str| native.get(name).cloned().unwrap_or_default();
    json!({"permission": member("permission"), "restrict_object_type": member("object_type")})
}

/// The native permissions of a list in a body.
fn read(body: &Value, member: &str) -> Result<Vec<Value>, Denial> {
    let one = |item: &Value| -> Result<Value, Denial> {
        let permission = required(item, "permission")?;
        Ok(match text(item, "restrict_object_type")? {
            Some(object_type) => json!({"permission": permission, "object_type": object_type}),
            None => json!({"permission": permission}),
        })
    };
    items(body, member)?.iter().map(one).collect()
}

/// `POST /v1/role`: the role of this name as it is, made if there is none.
pub(crate) async fn create(call: Call) -> Response {
    answered(&call.native, created(&call).await)
}

async fn created(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    organization.require(None, call.text("org_name")?)?;
    let name = call.required("name")?;
    if let Some(found) = call.native.named("/v1/roles", name).await? {
        return Ok(role(&found, &organization.id));
    }
    let (permissions, includes) =
        (read(&call.body, "member_permissions")?, texts(&call.body, "member_roles")?);
    let body = json!({"name": name, "permissions": permissions, "includes": includes});
    let made = match call.native.command(Method::POST, "/v1/roles", &body).await {
        // Another client has made it since, or the caller may not see it.
        Err(denial) if denial.is_name_taken() => {
            call.native.named("/v1/roles", name).await?.ok_or_else(Denial::forbidden)?
        }
        outcome => outcome?,
    };
    Ok(role(&made, &organization.id))
}

/// `PUT /v1/role`: the role of this name with exactly these permissions and roles.
pub(crate) async fn replace(call: Call) -> Response {
    let outcome = async {
        let name = call.required("name")?;
        if call.native.named("/v1/roles", name).await?.is_none() {
            return created(&call).await;
        }
        let organization = Organization::of(&call.native).await?;
        organization.require(None, call.text("org_name")?)?;
        let mut revision = call.native.revision();
        loop {
            let commands = replacing(&call, name).await?;
            if revision.carried_out(commands).await?.is_some() {
                break;
            }
        }
        let found = call.native.named("/v1/roles", name).await?.ok_or_else(Denial::forbidden)?;
        Ok(role(&found, &organization.id))
    };
    answered(&call.native, outcome.await)
}

/// What makes the role of this name what the body says.
async fn replacing(call: &Call, name: &str) -> Result<Vec<Value>, Denial> {
    let (new, includes) = (read(&call.body, "member_permissions")?, texts(&call.body, "member_roles")?);
    let old = call.native.named("/v1/roles", name).await?.ok_or_else(Denial::forbidden)?;
    if !permissions(&old).iter().all(is_sayable) {
        let text = "the role has permissions that this call cannot name and would drop: use PATCH /v1/roles";
        return Err(Denial::conflict(format!("{text}/{} of the native API", id_of(&old))));
    }
    let body = json!({"permissions": new, "includes": includes});
    Ok(vec![write("PATCH", format!("/v1/roles/{}", id_of(&old)), body)])
}

/// `PATCH /v1/role/{id}`
pub(crate) async fn update(call: Call) -> Response {
    answered(&call.native, updated(&call).await)
}

async fn updated(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    let path = format!("/v1/roles/{}", encoded(call.at(0)));
    let mut revision = call.native.revision();
    loop {
        let old = call.native.get(&path).await?;
        let body = updating(call, &old)?;
        let is_change = !body.is_empty();
        let command = is_change.then(|| write("PATCH", path.as_str(), Value::Object(body)));
        if revision.carried_out(Vec::from_iter(command)).await?.is_some() {
            break;
        }
    }
    Ok(role(&call.native.get(&path).await?, &organization.id))
}

/// The body of a native `PATCH` that does to a role what the call says.
fn updating(call: &Call, old: &Value) -> Result<Map<String, Value>, Denial> {
    let mut body = Map::new();
    if let Some(name) = call.text("name")? {
        body.insert("name".to_owned(), name.into());
    }
    let list = |member: &str| read(&call.body, member);
    let (add, remove) = (list("add_member_permissions")?, list("remove_member_permissions")?);
    if !(add.is_empty() && remove.is_empty()) {
        body.insert("permissions".to_owned(), changed(permissions(old), &add, &remove));
    }
    let list = |member: &str| -> Result<Vec<Value>, Denial> {
        Ok(texts(&call.body, member)?.into_iter().map(Value::from).collect())
    };
    let (add, remove) = (list("add_member_roles")?, list("remove_member_roles")?);
    if !(add.is_empty() && remove.is_empty()) {
        let old = old.get("includes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        body.insert("includes".to_owned(), changed(old, &add, &remove));
    }
    Ok(body)
}

/// A list without some of its items and with others, each once.
fn changed(old: &[Value], add: &[Value], remove: &[Value]) -> Value {
    let mut new: Vec<Value> = old.iter().filter(|one| !remove.contains(one)).cloned().collect();
    for one in add {
        if !new.contains(one) {
            new.push(one.clone());
        }
    }
    Value::Array(new)
}

/// `GET /v1/role/{id}`
pub(crate) async fn get(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        let found = call.native.get(&format!("/v1/roles/{}", encoded(call.at(0)))).await?;
        Ok(role(&found, &organization.id))
    };
    answered(&call.native, outcome.await)
}

/// `DELETE /v1/role/{id}`
pub(crate) async fn delete(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        let path = format!("/v1/roles/{}", encoded(call.at(0)));
        call.native.get(&path).await?;
        Ok(role(&call.native.command(Method::DELETE, &path, &Value::Null).await?, &organization.id))
    };
    answered(&call.native, outcome.await)
}

/// `GET /v1/role`
pub(crate) async fn list(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        organization.require(None, call.parameter("org_name"))?;
        let found = match call.parameter("role_name") {
            Some(name) => Vec::from_iter(call.native.named("/v1/roles", name).await?),
            None => call.native.list("/v1/roles").await?,
        };
        page(&call, found.iter().rev().map(|one| role(one, &organization.id)).collect())
    };
    answered(&call.native, outcome.await)
}
