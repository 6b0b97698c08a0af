//! `POST /api/apikey/login`, `GET /version`, `GET /v1`: whom a client talks to.

use axum::{
    http::header::HOST,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use crate::braintrust::{
    call::{Call, answered},
    caller::Organization,
    denial::Denial,
};

/// Where this wire begins.
const PREFIX: &str = "/braintrust";

/// The organization of the key, and where its API is: here. All seven members: older clients raise without one of them.
pub(crate) async fn login(call: Call) -> Response {
    answered(&call.native, org_info(&call).await)
}

async fn org_info(call: &Call) -> Result<Value, Denial> {
    let Organization { id, name, .. } = Organization::of(&call.native).await?;
    let url = base(call)?;
    Ok(json!({"org_info": [{
        "id": id, "name": name, "api_url": url, "proxy_url": url, "realtime_url": url,
        "git_metadata": null, "is_universal_api": null,
    }]}))
}

/// What the operator says the server is reached at, else the host that the client named.
fn base(call: &Call) -> Result<String, Denial> {
    if let Some(url) = &call.web.app.public_url {
        return Ok(format!("{url}{PREFIX}"));
    }
    let host = call.headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| Denial::invalid("the request names no host"))?;
    Ok(format!("http://{host}{PREFIX}"))
}

/// The version of this server. It says nothing of how large `/logs3` may be: then clients keep to 6 MiB.
pub(crate) async fn version(call: Call) -> Response {
    answered(&call.native, Ok(json!({"version": env!("CARGO_PKG_VERSION")})))
}

/// A greeting, as text.
pub(crate) async fn greet(_call: Call) -> Response {
    "Grantbook: hello, world\n".into_response()
}
