//! How far the projector has come, as everybody else sees it.

use grantbook_journal::chain::ForeignMet;
use tokio::time::Instant;

use crate::project::marks::Marks;

/// What the projector is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeState {
    /// It has not caught up with the journal since it was started.
    Starting,
    /// It follows the journal.
    Running,
    /// It met something that it does not understand, and stopped. Reads refuse.
    Quarantined {
        /// The last sequence in the view; the reason names the one that is not.
        sequence: u64,
        /// What.
        why: String,
    },
    /// It was ended.
    Stopped,
}

/// How far the view has come.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Sequence of the last frame in the view.
    pub sequence: u64,
    /// Sequence of the journal's last frame, as far as is known.
    pub head: u64,
    /// What the projector is doing.
    pub state: NodeState,
    /// The view holds everything that the journal held at this moment.
    pub fresh_as_of: Instant,
    /// What the view holds, to be compared with other nodes'.
    pub marks: Marks,
    /// The foreign messages up to where the view stands.
    pub foreign: ForeignMet,
    /// When the journal's leader was last asked for the head and answered.
    pub heard_at: Option<Instant>,
}

impl Progress {
    /// Whether the projector has ended, for whatever reason.
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, NodeState::Quarantined { .. } | NodeState::Stopped)
    }
}
