//! The organization: a key is of one.

use axum::response::Response;
use serde_json::{Value, json};

use crate::braintrust::{
    call::{Call, answered},
    caller::Organization,
    denial::Denial,
    page::page,
};

fn shown(Organization { id, name, .. }: &Organization) -> Value {
    json!({"id": id, "name": name, "api_url": null, "is_universal_api": null, "proxy_url": null, "realtime_url": null, "created": null})
}

/// `GET /v1/organization`
pub(crate) async fn list(call: Call) -> Response {
    let outcome = async {
        let own = Organization::of(&call.native).await?;
        let is_meant = call.parameter("org_name").is_none_or(|name| name == own.name);
        page(&call, Vec::from_iter(is_meant.then(|| shown(&own))))
    };
    answered(&call.native, outcome.await)
}

/// `GET /v1/organization/{id}`
pub(crate) async fn get(call: Call) -> Response {
    answered(&call.native, got(&call).await)
}

async fn got(call: &Call) -> Result<Value, Denial> {
    let own = Organization::of(&call.native).await?;
    own.require(Some(call.at(0)), None)?;
    Ok(shown(&own))
}

/// `PATCH /v1/organization/{id}`: nothing of it can be changed here, and its name not at all.
pub(crate) async fn update(call: Call) -> Response {
    let outcome = async {
        let own = Organization::of(&call.native).await?;
        own.require(Some(call.at(0)), None)?;
        match call.text("name")? {
            Some(name) if name != own.name => Err(Denial::invalid("an organization keeps its name")),
            Some(_) | None => got(&call).await,
        }
    };
    answered(&call.native, outcome.await)
}
