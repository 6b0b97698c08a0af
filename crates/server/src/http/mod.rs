//! HTTP: authentication, problems, positions, limits, and the router that joins the routes.

pub(crate) mod at_least;
pub(crate) mod authn;
pub(crate) mod body;
pub(crate) mod cursor;
pub(crate) mod head;
mod idempotency;
pub(crate) mod instant;
pub(crate) mod metrics;
mod observe;
pub(crate) mod path;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod respond;
pub(crate) mod security;
pub(crate) mod stream;
pub(crate) mod threads;
pub(crate) mod upkeep;
pub(crate) mod write;

use std::sync::Arc;

use axum::{Router, body::Bytes, middleware};
use grantbook_domain::position::Position;
use tokio::sync::watch;

use crate::{
    app::AppState,
    endpoints,
    feed::Newest,
    http::{metrics::Metrics, problem::Failure},
    position, routes,
};
use grantbook_command::CommandHandle;
use grantbook_node::read::ReadNode;

/// What every route has.
#[derive(Debug)]
pub(crate) struct Web {
    /// The two services.
    pub(crate) app: AppState,
    /// What was counted so far.
    pub(crate) metrics: Metrics,
    /// The description of the whole API.
    pub(crate) document: Bytes,
    /// Refused commands, ended keys, reads of history.
    pub(crate) security: security::SecurityLog,
    /// Whose streams are under way.
    pub(crate) readers: stream::Readers,
    /// Where lists go on.
    pub(crate) cursors: cursor::Cursors,
    /// Who may use a thread for a while.
    pub(crate) threads: threads::Threads,
    /// Who watches.
    pub(crate) watchers: stream::Readers,
    /// The newest records, as watchers get them.
    pub(crate) newest: Newest,
    /// Goes up once the process is to end.
    stop: Option<watch::Receiver<bool>>,
}

impl Web {
    /// The command side, which writes are for.
    pub(crate) fn commands(&self) -> Result<&CommandHandle, Failure> {
        let elsewhere = "this is a read node, which takes no writes: send them to the command service";
        self.app.parts.commands().ok_or_else(|| Failure::wrong_role(elsewhere))
    }

    /// The read side, which reads are for.
    pub(crate) fn node(&self) -> Result<&ReadNode, Failure> {
        let elsewhere = "this is the command service, which answers no reads: send them to a read node";
        self.app.parts.node().ok_or_else(|| Failure::wrong_role(elsewhere))
    }

    /// Returns once the process is to end.
    pub(crate) async fn ending(&self) {
        match self.stop.clone() {
            Some(mut stop) => stop.wait_for(|up| *up).await.map(drop).unwrap_or_default(),
            None => std::future::pending().await,
        }
    }

    /// A position as clients see it.
    pub(crate) fn position_text(&self, position: Position) -> String {
        position::encode(self.app.installation, position)
    }
}

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
        threads: threads::Threads::default(),
    });
    endpoints::router()
        .fallback(|| async { Failure::no_route() })
        .method_not_allowed_fallback(|| async { Failure::no_method() })
        .layer(middleware::from_fn_with_state(Arc::clone(&web), observe::observe))
        .with_state(web)
}

/// One route that reads a check and answers it without looking: what HTTP itself costs, for benchmarks.
pub fn noop_router() -> Router {
    Router::new().route("/v1/check", axum::routing::post(routes::noop_check))
}

/// The description of [`router`] as JSON text (`OpenAPI`).
pub fn openapi_json() -> String {
    // By way of a value, whose members are sorted: the text depends on nothing but the content.
    let value = serde_json::to_value(endpoints::document()).unwrap_or_default();
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}
