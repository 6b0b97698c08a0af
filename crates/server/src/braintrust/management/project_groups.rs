//! Project groups: registered objects of a type of their own, whose projects carry a label. Adding a project relabels it. So
//! the author must be able to give the access that others gain by the new label.

use std::collections::BTreeMap;

use axum::{http::Method, response::Response};
use serde_json::{Value, json};

use crate::braintrust::{
    body::{id_of, string_of, texts},
    call::{Call, answered},
    caller::Organization,
    denial::Denial,
    native::{Native, encoded, write},
    page::part,
};

/// The type of the objects; it joins the organization's catalog with the first of them.
const TYPE: &str = "project_group";
/// What labels of this wire begin with. The id follows.
const LABEL: &str = "braintrust.project_group/";
const LABEL_VALUE: &str = "member";

/// The label of a project group's members.
pub(crate) fn label(id: &str) -> Value {
    json!({format!("{LABEL}{id}"): LABEL_VALUE})
}

/// The project group whose members have this label and no other.
pub(crate) fn of_label(label: &Value) -> Option<String> {
    let label = label.as_object().filter(|label| label.len() == 1)?;
    let (key, value) = label.iter().next()?;
    (value == LABEL_VALUE).then(|| key.strip_prefix(LABEL).map(str::to_owned)).flatten()
}

/// The labels of a project.
fn labels(project: &Value) -> BTreeMap<String, Value> {
    let all = project.get("labels").and_then(Value::as_object);
    all.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn is_member(project: &Value, group: &str) -> bool {
    labels(project).contains_key(&format!("{LABEL}{group}"))
}

/// A project group as this wire has it. `projects` are all that the caller may see.
fn shown(object: &Value, projects: &[Value], organization: &str) -> Value {
    let member = |name: &str| object.get(name).cloned().unwrap_or_default();
    let members = projects.iter().filter(|project| is_member(project, id_of(object)));
    let mut members: Vec<&str> = members.map(id_of).collect();
    members.sort_unstable();
    json!({
        "id": member("id"), "org_id": organization, "user_id": null, "created": member("created_at"), "name": member("name"),
        "description": null, "deleted_at": member("removed_at"), "member_projects": members,
    })
}

/// All that the caller may see; none while the catalog has no such type.
async fn all(native: &Native, name: Option<&str>) -> Result<Vec<Value>, Denial> {
    if !is_in_catalog(native).await? {
        return Ok(Vec::new());
    }
    let list = format!("/v1/objects?type={TYPE}");
    match name {
        Some(name) => Ok(Vec::from_iter(native.named(&list, name).await?)),
        None => native.list(&list).await,
    }
}

async fn is_in_catalog(native: &Native) -> Result<bool, Denial> {
    let catalog = native.get("/v1/catalog").await?;
    let types = catalog.get("object_types").and_then(Value::as_array);
    Ok(types.is_some_and(|types| types.iter().any(|one| string_of(one, "name") == TYPE)))
}

/// The native object of an id.
pub(crate) async fn find(native: &Native, id: &str) -> Result<Value, Denial> {
    let mut all = all(native, None).await?.into_iter();
    all.find(|one| id_of(one) == id).ok_or_else(Denial::forbidden)
}

/// `POST /v1/project_group`, and `PUT`, as projects are given by `PATCH` only: the one of this name, made if there is none.
pub(crate) async fn create(call: Call) -> Response {
    answered(&call.native, created(&call).await)
}

async fn created(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    organization.require(None, call.text("org_name")?)?;
    let make = json!({"type": TYPE, "name": call.required("name")?, "if_taken": "use"});
    let object = if is_in_catalog(&call.native).await? {
        call.native.command(Method::POST, "/v1/objects", &make).await?
    } else {
        let extend = json!({"object_types": [{"name": TYPE, "parent": "organization"}]});
        let commands = vec![write("POST", "/v1/catalog", extend), write("POST", "/v1/objects", make)];
        call.native.batch(commands).await?.pop().unwrap_or_default()
    };
    Ok(shown(&object, &call.native.list("/v1/projects").await?, &organization.id))
}

/// `GET /v1/project_group/{id}`
pub(crate) async fn get(call: Call) -> Response {
    answered(&call.native, got(&call).await)
}

async fn got(call: &Call) -> Result<Value, Denial> {
    let organization = Organization::of(&call.native).await?;
    let object = find(&call.native, call.at(0)).await?;
    Ok(shown(&object, &call.native.list("/v1/projects").await?, &organization.id))
}

/// `PATCH /v1/project_group/{id}`
pub(crate) async fn update(call: Call) -> Response {
    let outcome = async {
        let mut revision = call.native.revision();
        loop {
            let commands = updating(&call, call.at(0)).await?;
            if revision.carried_out(commands).await?.is_some() {
                break got(&call).await;
            }
        }
    };
    answered(&call.native, outcome.await)
}

async fn updating(call: &Call, id: &str) -> Result<Vec<Value>, Denial> {
    find(&call.native, id).await?;
    let mut commands = Vec::new();
    if let Some(name) = call.text("name")? {
        commands.push(write("PATCH", format!("/v1/objects/{TYPE}/{}", encoded(id)), json!({"name": name})));
    }
    let list = |member: &str| texts(&call.body, member);
    let (add, remove) = (list("add_member_projects")?, list("remove_member_projects")?);
    for project in &add {
        let path = format!("/v1/projects/{}", encoded(project));
        let mut labels = labels(&call.native.get(&path).await?);
        labels.insert(format!("{LABEL}{id}"), LABEL_VALUE.into());
        commands.push(write("PATCH", path, json!({"labels": labels})));
    }
    for project in remove.iter().filter(|one| !add.contains(one)) {
        let project = call.native.get(&format!("/v1/projects/{}", encoded(project))).await?;
        commands.extend(without(&project, id));
    }
    Ok(commands)
}

/// A command that takes a project out, if it is in.
fn without(project: &Value, group: &str) -> Option<Value> {
    let mut labels = labels(project);
    labels.remove(&format!("{LABEL}{group}"))?;
    Some(write("PATCH", format!("/v1/projects/{}", encoded(id_of(project))), json!({"labels": labels})))
}

/// `DELETE /v1/project_group/{id}`, with the grants on it; its projects stay.
pub(crate) async fn delete(call: Call) -> Response {
    let outcome = async {
        let was = got(&call).await?;
        let mut revision = call.native.revision();
        loop {
            let commands = deleting(&call.native, call.at(0)).await?;
            if revision.carried_out(commands).await?.is_some() {
                break Ok(was);
            }
        }
    };
    answered(&call.native, outcome.await)
}

async fn deleting(native: &Native, id: &str) -> Result<Vec<Value>, Denial> {
    find(native, id).await?;
    let ours = json!({"projects": {"include": [{"label": label(id)}]}});
    let mut commands = Vec::new();
    for grant in native.list("/v1/grants").await? {
        if grant.get("on") == Some(&ours) {
            commands.push(write("DELETE", format!("/v1/grants/{}", encoded(id_of(&grant))), Value::Null));
        }
    }
    commands.extend(native.list("/v1/projects").await?.iter().filter_map(|project| without(project, id)));
    commands.push(write("DELETE", format!("/v1/objects/{TYPE}/{}", encoded(id)), Value::Null));
    Ok(commands)
}

/// `GET /v1/project_group`
pub(crate) async fn list(call: Call) -> Response {
    let outcome = async {
        let organization = Organization::of(&call.native).await?;
        organization.require(None, call.parameter("org_name"))?;
        let mut found = all(&call.native, call.parameter("project_group_name")).await?;
        found.reverse();
        let projects = call.native.list("/v1/projects").await?;
        let shown = |object: &Value| shown(object, &projects, &organization.id);
        Ok(json!({"objects": part(&call, found)?.iter().map(shown).collect::<Vec<_>>()}))
    };
    answered(&call.native, outcome.await)
}

/// The labels of a new project in the project group of this name.
pub(crate) async fn labels_in(native: &Native, name: &str) -> Result<Value, Denial> {
    let group = all(native, Some(name)).await?.pop().ok_or_else(Denial::forbidden)?;
    Ok(label(id_of(&group)))
}
