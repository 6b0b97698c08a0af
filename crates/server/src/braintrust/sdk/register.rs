//! The calls of older Python and of all JavaScript clients: they find or make project and object in one.

use axum::response::Response;
use serde_json::{Value, json};

use crate::braintrust::{
    call::{Call, answered},
    caller::Organization,
    denial::Denial,
    sdk::{
        experiments::{Kind, UNNAMED, find_or_create, object, of_name},
        projects,
    },
};

/// `POST /api/project/register`
pub(crate) async fn project(call: Call) -> Response {
    let outcome = async {
        let organization = organization(&call).await?;
        let found = projects::find_or_create(&call.native, call.required("project_name")?).await?;
        Ok(json!({"project": projects::project(&found, &organization.id)}))
    };
    answered(&call.native, outcome.await)
}

/// `POST /api/experiment/register`: a new experiment, unless the client wants to go on with the one of this name.
pub(crate) async fn experiment(call: Call) -> Response {
    let outcome = async {
        let name = call.text("experiment_name")?;
        let is_new = !call.is_set("update") || name.is_none();
        registered(&call, Kind::Experiment, (name.unwrap_or(UNNAMED), is_new)).await
    };
    answered(&call.native, outcome.await)
}

/// `POST /api/dataset/register`
pub(crate) async fn dataset(call: Call) -> Response {
    let outcome = async { registered(&call, Kind::Dataset, (call.required("dataset_name")?, false)).await };
    answered(&call.native, outcome.await)
}

async fn registered(call: &Call, kind: Kind, name: (&str, bool)) -> Result<Value, Denial> {
    let organization = organization(call).await?;
    let project = projects::named_in(call, true).await?;
    let id = project.get("id").and_then(Value::as_str).unwrap_or_default();
    let made = find_or_create(&call.native, (kind, id), name).await?;
    Ok(json!({"project": projects::project(&project, &organization.id), kind.word(): object(&made)}))
}

async fn organization(call: &Call) -> Result<Organization, Denial> {
    let organization = Organization::of(&call.native).await?;
    organization.require(call.text("org_id")?, call.text("org_name")?)?;
    Ok(organization)
}

/// `POST /api/experiment/get`: those of this name in a project.
pub(crate) async fn experiment_of_name(call: Call) -> Response {
    let outcome = async {
        let project = projects::named_in(&call, false).await?;
        let id = project.get("id").and_then(Value::as_str).unwrap_or_default();
        let found = of_name(&call.native, (Kind::Experiment, id), call.required("experiment_name")?);
        Ok(Value::Array(found.await?))
    };
    answered(&call.native, outcome.await)
}

/// `POST /api/base_experiment/get_id`: there is none. Any other answer than 400 makes two clients raise.
pub(crate) async fn base_experiment(call: Call) -> Response {
    answered(&call.native, Err(Denial::invalid("there is no base experiment")))
}

/// `GET /experiment-comparison2`: nothing to compare. Without an answer the JavaScript client asks for seven seconds.
pub(crate) async fn comparison(call: Call) -> Response {
    answered(&call.native, Ok(json!({"scores": {}, "metrics": {}})))
}
