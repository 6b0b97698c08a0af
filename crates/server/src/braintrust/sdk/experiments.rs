//! Experiments and datasets: registered objects with a name, in a project.

use std::fmt::Write as _;

use axum::{http::Method, response::Response};
use serde_json::{Value, json};

use crate::braintrust::{
    call::{Call, answered},
    denial::Denial,
    native::{Native, encoded},
    page::page,
};

/// What an experiment is called whose client gives it no name; a number tells them apart.
pub(crate) const UNNAMED: &str = "experiment";

/// What is made in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Experiment,
    Dataset,
}

impl Kind {
    /// As the catalog calls it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Experiment => "experiment",
            Self::Dataset => "dataset",
        }
    }
}

/// One as this wire has it.
pub(crate) fn object(native: &Value) -> Value {
    let member = |name: &str| native.get(name).cloned().unwrap_or_default();
    json!({
        "id": member("id"), "project_id": member("project"), "name": member("name"), "description": null,
        "created": member("created_at"), "deleted_at": member("removed_at"), "user_id": null, "public": false,
        "metadata": null,
    })
}

/// `POST /v1/experiment`
pub(crate) async fn create_experiment(call: Call) -> Response {
    answered(&call.native, create(&call, Kind::Experiment).await)
}

/// `POST /v1/dataset`
pub(crate) async fn create_dataset(call: Call) -> Response {
    answered(&call.native, create(&call, Kind::Dataset).await)
}

async fn create(call: &Call, kind: Kind) -> Result<Value, Denial> {
    let project = call.required("project_id")?;
    let name = call.text("name")?;
    let is_new = call.is_set("ensure_new") || name.is_none();
    let made = find_or_create(&call.native, (kind, project), (name.unwrap_or(UNNAMED), is_new)).await?;
    Ok(object(&made))
}

/// The native object of this name, made if there is none; a new one under the next free name if it must be new.
pub(crate) async fn find_or_create(
    native: &Native,
    (kind, project): (Kind, &str),
    (name, is_new): (&str, bool),
) -> Result<Value, Denial> {
    let if_taken = if is_new { "number" } else { "use" };
    let body = json!({"type": kind.word(), "project": project, "name": name, "if_taken": if_taken});
    native.command(Method::POST, "/v1/objects", &body).await
}

/// `GET /v1/experiment`, `GET /v1/dataset`: those of a project, by name if one is given, newest first.
pub(crate) async fn list_experiments(call: Call) -> Response {
    answered(&call.native, list(&call, Kind::Experiment).await)
}

/// The same of datasets.
pub(crate) async fn list_datasets(call: Call) -> Response {
    answered(&call.native, list(&call, Kind::Dataset).await)
}

async fn list(call: &Call, kind: Kind) -> Result<Value, Denial> {
    let project = match (call.parameter("project_id"), call.parameter("project_name")) {
        (Some(id), _) => Some(id.to_owned()),
        (None, Some(name)) => match call.native.named("/v1/projects", name).await? {
            Some(project) => project.get("id").and_then(Value::as_str).map(str::to_owned),
            None => return Ok(json!({"objects": []})),
        },
        (None, None) => None,
    };
    let name = call.parameter(match kind {
        Kind::Experiment => "experiment_name",
        Kind::Dataset => "dataset_name",
    });
    let mut path = format!("/v1/objects?type={}", kind.word());
    for (parameter, value) in [("project", project.as_deref()), ("name", name)] {
        if let Some(value) = value {
            let _infallible = write!(path, "&{parameter}={}", encoded(value));
        }
    }
    let found = call.native.list(&path).await?;
    let found: Vec<Value> = found.iter().rev().map(object).collect();
    page(call, found)
}

/// `GET /v1/experiment/{id}/summarize`: that it is there. What was logged is not here to be summarized; clients know the names.
pub(crate) async fn summarize(call: Call) -> Response {
    answered(&call.native, summarized(&call, call.at(0)).await)
}

async fn summarized(call: &Call, id: &str) -> Result<Value, Denial> {
    let check = json!({"permission": "read", "object": {"type": "experiment", "id": id}});
    let answer = call.native.ask("/v1/check", &check).await?;
    if answer.get("allowed") != Some(&Value::Bool(true)) {
        return Err(Denial::forbidden());
    }
    Ok(json!({"project_name": null, "experiment_name": null, "project_url": null, "experiment_url": null,
        "comparison_experiment_name": null, "scores": {}, "metrics": {}}))
}

/// Those of this name in a project, as this wire has them.
pub(crate) async fn of_name(
    native: &Native,
    (kind, project): (Kind, &str),
    name: &str,
) -> Result<Vec<Value>, Denial> {
    let (word, project, name) = (kind.word(), encoded(project), encoded(name));
    let found = native.list(&format!("/v1/objects?type={word}&project={project}&name={name}")).await?;
    Ok(found.iter().map(object).collect())
}
