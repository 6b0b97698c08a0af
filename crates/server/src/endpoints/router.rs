//! The routers: of the whole API, and of one route that looks at nothing.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
};
use grantbook_api::questions::check::{CheckAnswer, CheckRequest, Reason};
use tokio::sync::watch;

use crate::{
    endpoints::{document, observe, operations},
    http::{body, cursor, problem::Failure, respond::json, stream},
    state::{AppState, Web, blocking_pool, metrics::Metrics, security},
    subscribe::feed::Newest,
};

/// Every route of the native API, with the limits, ids and log lines of requests.
pub fn router(state: AppState) -> Router {
    router_until(state, None)
}

/// The same; streams without an end are ended once the flag is up.
pub fn router_until(state: AppState, stop: Option<watch::Receiver<bool>>) -> Router {
    let document = Bytes::from(openapi_json());
    let web = Arc::new(Web {
        watchers: stream::Readers::bounded(state.watchers.each, state.watchers.all),
        newest: Newest::new(state.installation),
        stop,
        app: state,
        metrics: Metrics::default(),
        document,
        security: security::SecurityLog::default(),
        readers: stream::Readers::bounded(stream::OF_ONE_MAX, usize::MAX),
        cursors: cursor::Cursors::new(),
        blocking_pool: blocking_pool::BlockingPool::default(),
    });
    operations()
        .fallback(|| async { Failure::no_route() })
        .method_not_allowed_fallback(|| async { Failure::no_method() })
        .layer(middleware::from_fn_with_state(Arc::clone(&web), observe::observe))
        .with_state(web)
}

/// One route that reads a check and answers it without looking: what HTTP itself costs, for benchmarks.
pub fn noop_router() -> Router {
    Router::new().route("/v1/check", axum::routing::post(noop_check))
}

/// The description of [`router`] as JSON text (`OpenAPI`).
pub fn openapi_json() -> String {
    // By way of a value, whose members are sorted: the text depends on nothing but the content.
    let value = serde_json::to_value(document()).unwrap_or_default();
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// Reads a check and denies it without looking, in as many bytes as a real answer.
async fn noop_check(body: Bytes) -> Response {
    let asked = body::parse::<CheckRequest>(&body);
    let position = "AAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let answer = CheckAnswer { allowed: false, reason: Reason::NoGrant, position, as_of: None };
    match asked.and_then(|_| json(StatusCode::OK, &answer)) {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}
