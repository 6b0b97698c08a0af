//! The routers: of the whole API, and of one route that looks at nothing.

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Bytes,
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
};
use grantbook_api::questions::check::{CheckAnswer, CheckRequest, Reason};
use tokio::sync::watch;

use crate::{
    braintrust::NativeRouter,
    endpoints::{console, document, observe, operations, table::braintrust_calls},
    http::{body, cursor, problem::Failure, respond::json},
    keys::CursorKey,
    schedule::{queue::Bound, slots::Slots},
    state::{AppState, WatchLimits, Web, metrics::Metrics, security},
    subscribe::feed::Newest,
};

/// Streams that have an end, such as reports: each holds a thread as long as its reader takes. An organization leaves some to others.
const STREAMS: Bound = Bound { all: 32, of_org: 24, of_principal: 4 };

/// Those who watch. An organization may have all, until another needs one.
const fn watchers(limits: WatchLimits) -> Bound {
    Bound { all: limits.all, of_org: limits.all, of_principal: limits.each }
}

/// Every route of the native API, with the limits, ids and log lines of requests.
pub fn router(state: AppState) -> Router {
    router_until(state, None)
}

/// The same; streams without an end are ended once the flag is up.
pub fn router_until(state: AppState, stop: Option<watch::Receiver<bool>>) -> Router {
    let web = web(state, stop);
    let mut router = operations(web.app.forwarder.is_some());
    let native = router.clone().with_state(Arc::clone(&web));
    if reaches_both_sides(&web.app)
        && let Some(pages) = console::pages(&web, native.clone())
    {
        router = router.merge(pages);
    }
    if web.app.braintrust && reaches_both_sides(&web.app) {
        for (_, path, served) in braintrust_calls() {
            router = router.route(path, served.layer(Extension(NativeRouter(native.clone()))));
        }
    }
    router
        .fallback(|| async { Failure::no_route() })
        .method_not_allowed_fallback(|| async { Failure::no_method() })
        .layer(middleware::from_fn_with_state(Arc::clone(&web), observe::observe))
        .with_state(web)
}

/// Whether questions are answered here and commands taken, if only to pass them on: console and foreign wires need both.
pub(crate) fn reaches_both_sides(app: &AppState) -> bool {
    let reaches_commands = app.parts.commands().is_some() || app.forwarder.is_some();
    app.parts.node().is_some() && reaches_commands
}

/// What every route has.
pub(crate) fn web(state: AppState, stop: Option<watch::Receiver<bool>>) -> Arc<Web> {
    let document = Bytes::from(openapi_json());
    Arc::new(Web {
        watchers: Slots::new("watches", watchers(state.watchers)),
        streams: Slots::new("streams", STREAMS),
        newest: Newest::new(state.installation),
        stop,
        cursors: cursor::Cursors::new(state.cursor_key.as_ref().map(CursorKey::bytes)),
        app: state,
        metrics: Metrics::default(),
        document,
        security: security::SecurityLog::default(),
    })
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
