//! Projects as the clients look for them: by name, made where there is none.

use axum::{http::Method, response::Response};
use serde_json::{Value, json};

use crate::braintrust::{
    call::{Call, answered},
    caller::Organization,
    denial::Denial,
    management::project_groups,
    native::{Native, encoded},
    page::page,
};

/// A project as this wire has it.
pub(crate) fn project(native: &Value, organization: &str) -> Value {
    let member = |name: &str| native.get(name).cloned().unwrap_or_default();
    json!({
        "id": member("id"), "org_id": organization, "name": member("name"), "description": null,
        "created": member("created_at"), "deleted_at": member("deleted_at"), "user_id": null, "settings": null,
    })
}

/// `POST /v1/project`: the project of this name, made if there is none.
pub(crate) async fn create(call: Call) -> Response {
    answered(&call.native, created(&call).await)
}

async fn created(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    organization.require(None, call.text("org_name")?)?;
    let name = call.required("name")?;
    let found = match call.text("project_group_name")? {
        Some(group) => find_or_create_in(&call.native, name, group).await?,
        None => find_or_create(&call.native, name).await?,
    };
    Ok(project(&found, &organization.id))
}

/// A new project in a project group. One that is there already is given back only if it is in the group.
async fn find_or_create_in(native: &Native, name: &str, group: &str) -> Result<Value, Denial> {
    let labels = project_groups::labels_in(native, group).await?;
    let Some(found) = native.named("/v1/projects", name).await? else {
        return native.command(Method::POST, "/v1/projects", &json!({"name": name, "labels": labels})).await;
    };
    let has = found.get("labels").and_then(Value::as_object);
    let is_in = labels.as_object().is_some_and(|wanted| {
        wanted.iter().all(|(key, value)| has.is_some_and(|has| has.get(key) == Some(value)))
    });
    if is_in {
        Ok(found)
    } else {
        Err(Denial::conflict("there is a project of this name, outside that project group"))
    }
}

/// `PATCH /v1/project/{id}`: its name. Descriptions and settings are not kept.
pub(crate) async fn update(call: Call) -> Response {
    let outcome = async {
        let path = format!("/v1/projects/{}", encoded(call.at(0)));
        if let Some(name) = call.text("name")? {
            call.native.command(Method::PATCH, &path, &json!({"name": name})).await?;
        }
        got(&call, call.at(0)).await
    };
    answered(&call.native, outcome.await)
}

/// `DELETE /v1/project/{id}`, with what lies in it and the grants on it.
pub(crate) async fn delete(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        let path = format!("/v1/projects/{}", encoded(call.at(0)));
        call.native.get(&path).await?;
        let ended = call.native.command(Method::DELETE, &path, &Value::Null).await?;
        Ok(project(&ended, &organization.id))
    };
    answered(&call.native, outcome.await)
}

/// The native project of this name. One that the caller may not see is denied as one that it may not make: nobody learns whether
/// it exists.
pub(crate) async fn find_or_create(native: &Native, name: &str) -> Result<Value, Denial> {
    if let Some(found) = native.named("/v1/projects", name).await? {
        return Ok(found);
    }
    match native.command(Method::POST, "/v1/projects", &json!({"name": name})).await {
        Ok(made) => Ok(made),
        // Another client has made it since, or the caller may not see it.
        Err(denial) if denial.is_name_taken() => {
            native.named("/v1/projects", name).await?.ok_or_else(Denial::forbidden)
        }
        Err(denial) => Err(denial),
    }
}

/// The native project that a body names: by id, else by name.
pub(crate) async fn named_in(call: &Call, makes: bool) -> Result<Value, Denial> {
    match (call.text("project_id")?, call.text("project_name")?) {
        (Some(id), _) => call.native.get(&format!("/v1/projects/{}", encoded(id))).await,
        (None, Some(name)) if makes => find_or_create(&call.native, name).await,
        (None, Some(name)) => call.native.named("/v1/projects", name).await?.ok_or_else(Denial::forbidden),
        (None, None) => Err(Denial::invalid("project_id or project_name is missing")),
    }
}

/// `GET /v1/project/{id}`
pub(crate) async fn get(call: Call) -> Response {
    answered(&call.native, got(&call, call.at(0)).await)
}

/// `GET /api/project?id=`
pub(crate) async fn get_by_query(call: Call) -> Response {
    let outcome = match call.parameter("id") {
        Some(id) => got(&call, id).await,
        None => Err(Denial::invalid("the parameter id is missing")),
    };
    answered(&call.native, outcome)
}

async fn got(call: &Call, id: &str) -> Result<Value, Denial> {
    let found = call.native.get(&format!("/v1/projects/{}", encoded(id))).await?;
    Ok(project(&found, &Organization::of(&call.native).await?.id))
}

/// `GET /v1/project`: those that the caller may see, newest first. One client names the filter `name`.
pub(crate) async fn list(call: Call) -> Response {
    answered(&call.native, listed(&call).await)
}

async fn listed(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    organization.require(None, call.parameter("org_name"))?;
    let found = match call.parameter("project_name").or_else(|| call.parameter("name")) {
        Some(name) => Vec::from_iter(call.native.named("/v1/projects", name).await?),
        None => call.native.list("/v1/projects").await?,
    };
    page(call, found.iter().rev().map(|one| project(one, &organization.id)).collect())
}
