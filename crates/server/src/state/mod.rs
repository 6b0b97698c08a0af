//! What every request has: the parts of the process, its counters, and who asks.

pub(crate) mod at_least;
pub(crate) mod authn;
pub(crate) mod maintenance;
pub(crate) mod metrics;
pub(crate) mod parts;
pub(crate) mod security;

use axum::body::Bytes;
use grantbook_command::CommandHandle;
use grantbook_domain::position::Position;
use grantbook_node::read::ReadNode;
use tokio::sync::watch;

pub use self::parts::{AppState, GapsMet, Parts, WatchLimits};
pub use crate::{
    http::client_address::TrustedProxies,
    schedule::{Class, Place, Scheduler},
};
use crate::{
    http::{cursor, problem::Failure},
    schedule::slots::Slots,
    state::metrics::Metrics,
    subscribe::feed::Newest,
    wire::position,
};

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
    /// Slots of streams that have an end.
    pub(crate) streams: Slots,
    /// Where lists go on.
    pub(crate) cursors: cursor::Cursors,
    /// Slots of those who watch.
    pub(crate) watchers: Slots,
    /// The newest records, as watchers get them.
    pub(crate) newest: Newest,
    /// Goes up once the process is to end.
    pub(crate) stop: Option<watch::Receiver<bool>>,
}

impl Web {
    /// The command side, which writes are for.
    pub(crate) fn commands(&self) -> Result<&CommandHandle, Failure> {
        let elsewhere = "this is a read node without --command-url, which takes no writes: send them to the command service";
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
