//! The parts of the service that a process is.

use std::{fmt, sync::Arc};

use grantbook_command::CommandHandle;
use grantbook_domain::id::InstallationId;
use grantbook_journal::{
    Gaps, Journal,
    follow::doubt::Doubts,
    stamp::{clock::Clock, ids::IdSource},
};
use grantbook_node::read::{Freshness, ReadNode};

use crate::{
    forward::{DataPlane, Forwarder},
    http::client_address::TrustedProxies,
    keys::CursorKey,
    schedule::Scheduler,
    subscribe::{relay::RelayHandle, webhooks::Webhooks},
    wire::public_url::PublicUrl,
};

/// How many streams of `GET /v1/watch` there may be at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchLimits {
    /// In all; below the 4096 connections that a process takes.
    pub all: usize,
    /// Of one user or service token.
    pub each: usize,
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self { all: 3_000, each: 100 }
    }
}

/// What every route has; cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The parts of the service that this process is.
    pub parts: Parts,
    /// What time it is.
    pub clock: Clock,
    /// New ids.
    pub ids: IdSource,
    /// Names the journal in positions.
    pub installation: InstallationId,
    /// The URL under which clients reach the server, if it was said.
    pub public_url: Option<PublicUrl>,
    /// The relay, if it runs here.
    pub relay: Option<RelayHandle>,
    /// How stale what is answered may be.
    pub freshness: Freshness,
    /// What was missing where it should have been.
    pub gaps: GapsMet,
    /// The key of webhooks and their deliveries, if the process was told of them.
    pub webhooks: Option<Webhooks>,
    /// How many may watch.
    pub watchers: WatchLimits,
    /// Whether the journal is believed.
    pub doubts: Doubts,
    /// Who works when.
    pub scheduler: Scheduler,
    /// Passes on what a command service decides, if this is a read node that was given one.
    pub forwarder: Option<Forwarder>,
    /// The proxies that are believed who the client is.
    pub proxies: TrustedProxies,
    /// Whether it also speaks as Braintrust's clients expect.
    pub braintrust: bool,
    /// Where rows of logs go on to that were authorized; nowhere if absent.
    pub data_plane: Option<DataPlane>,
    /// The key of cursors that other nodes take, too.
    pub cursor_key: Option<CursorKey>,
}

/// Tells what the journal's readers of this process met; cheap to clone.
#[derive(Clone)]
pub struct GapsMet(Arc<dyn Fn() -> Gaps + Send + Sync>);

impl GapsMet {
    pub(crate) fn of<J: Journal>(journal: &Arc<J>) -> Self {
        let journal = Arc::downgrade(journal);
        Self(Arc::new(move || journal.upgrade().map(|journal| journal.gaps()).unwrap_or_default()))
    }

    /// As of now.
    pub fn now(&self) -> Gaps {
        (self.0)()
    }
}

impl fmt::Debug for GapsMet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.now().fmt(f)
    }
}

/// Which parts of the service a process is: at least one.
#[derive(Debug, Clone)]
pub enum Parts {
    /// Everything.
    All(CommandHandle, ReadNode),
    /// The command service.
    Command(CommandHandle),
    /// A read node.
    Read(ReadNode),
}

impl Parts {
    /// The command side, if it is here.
    pub const fn commands(&self) -> Option<&CommandHandle> {
        match self {
            Self::All(commands, _) | Self::Command(commands) => Some(commands),
            Self::Read(_) => None,
        }
    }

    /// The read side, if it is here.
    pub const fn node(&self) -> Option<&ReadNode> {
        match self {
            Self::All(_, node) | Self::Read(node) => Some(node),
            Self::Command(_) => None,
        }
    }
}
