//! The read node: the view's reader, and whether the view may be believed.

use std::time::Duration;

use grantbook_domain::{id::OrgId, position::Position};
use grantbook_views::ViewReader;
use tokio::{sync::watch, time::timeout};

use crate::project::{NodeState, Progress, Projector};

/// A view that has been behind the journal for longer is not believed.
pub const STALE_AFTER: Duration = Duration::from_secs(5);

/// What read routes have; cheap to clone. Every read first calls [`ReadNode::wait_for`], then takes a snapshot.
#[derive(Debug, Clone)]
pub struct ReadNode {
    /// The view.
    pub reader: ViewReader,
    progress: watch::Receiver<Progress>,
    head: watch::Receiver<u64>,
}

/// How the node is, for readiness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Sequence of the last frame in the view.
    pub sequence: u64,
    /// Sequence of the last frame in the journal.
    pub head: u64,
    /// How many frames the view is behind.
    pub lag_frames: u64,
    /// For how long the view has been behind, 0 if it is not.
    pub age_ms: u64,
    /// What the projector is doing.
    pub state: NodeState,
}

/// Why a read cannot be answered now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// The view did not reach the position in time.
    #[error("the view has not reached the position yet")]
    Behind {
        /// How far it has come in this organization.
        reached: Position,
    },
    /// The view has been behind the journal for too long to be believed.
    #[error("the view has been behind the journal for {age_ms} ms")]
    Stale {
        /// For how long.
        age_ms: u64,
    },
    /// The view stopped at something that it does not understand.
    #[error("the view is quarantined at sequence {sequence}: {why}")]
    Quarantined {
        /// Where.
        sequence: u64,
        /// What.
        why: String,
    },
    /// The view follows the journal no more.
    #[error("the view has been stopped")]
    Stopped,
}

impl ReadNode {
    /// Of a projector and the head of the journal that it follows.
    pub fn new(projector: &Projector, head: watch::Receiver<u64>) -> Self {
        Self { reader: projector.reader(), progress: projector.progress(), head }
    }

    /// Waits until the view has reached a position of the organization, at most `limit`. [`Position::START`] asks
    /// only whether the view may be believed.
    pub async fn wait_for(&self, org: OrgId, at_least: Position, limit: Duration) -> Result<(), Unready> {
        let wanted = at_least.sequence();
        let arrived = |progress: &Progress| {
            progress.has_ended() || progress.sequence > wanted
                // The frame is here; whether it holds as many records as the position says, it alone knows.
                || progress.sequence == wanted && (at_least.index() == 0 || self.reached(org) >= at_least)
        };
        let now = { arrived(&self.progress.borrow()) };
        if !now {
            let mut progress = self.progress.clone();
            match timeout(limit, progress.wait_for(arrived)).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return Err(Unready::Stopped),
                Err(_) => return Err(Unready::Behind { reached: self.reached(org) }),
            }
        }
        let NodeStatus { state, age_ms, .. } = self.status();
        match state {
            NodeState::Quarantined { sequence, why } => Err(Unready::Quarantined { sequence, why }),
            NodeState::Stopped => Err(Unready::Stopped),
            NodeState::Starting | NodeState::Running if u128::from(age_ms) > STALE_AFTER.as_millis() => {
                Err(Unready::Stale { age_ms })
            }
            NodeState::Starting | NodeState::Running => Ok(()),
        }
    }

    /// How the node is.
    pub fn status(&self) -> NodeStatus {
        let mut progress = self.progress.borrow().clone();
        if !progress.has_ended() && self.progress.has_changed().is_err() {
            // The task went without a word: it has panicked, or the runtime is ending.
            progress.state = NodeState::Stopped;
        }
        let head = (*self.head.borrow()).max(progress.sequence);
        let lag_frames = head - progress.sequence;
        let age = if lag_frames == 0 { Duration::ZERO } else { progress.fresh_as_of.elapsed() };
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        NodeStatus { sequence: progress.sequence, head, lag_frames, age_ms, state: progress.state }
    }

    fn reached(&self, org: OrgId) -> Position {
        let position = self.reader.snapshot().and_then(|snapshot| snapshot.position(org));
        position.unwrap_or(Position::START)
    }
}
