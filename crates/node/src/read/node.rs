//! The read node: the view's reader, and whether the view may be believed.

use std::{sync::Arc, time::Duration};

use grantbook_domain::{
    id::OrgId,
    position::{Position, RECORDS_PER_FRAME},
};
use grantbook_journal::{
    Journal,
    chain::ForeignMet,
    follow::{
        head_watch::Behind,
        read_barrier::{ReadBarrier, Unconfirmed},
    },
};
use grantbook_views::{Image, ViewReader};
use tokio::{sync::watch, time::timeout};

use crate::{
    maintenance::Maintenance,
    peers::{Disagreement, Nodes, Status},
    project::{Mark, NodeState, Progress, Projector},
    read::{Freshness, Stale, WhenStale},
};

/// As long as the journal was heard of so lately, a view that has everything counts as of now.
const HEARD_LATELY: Duration = Duration::from_secs(4);

/// What read routes have; cheap to clone. Every read first calls [`ReadNode::wait_for`], then takes a snapshot.
#[derive(Debug, Clone)]
pub struct ReadNode {
    /// The view.
    pub reader: ViewReader,
    progress: watch::Receiver<Progress>,
    /// How to be sure that the view is not behind, if others append to the journal.
    confirmer: Option<Arc<ReadBarrier>>,
    /// What is heard of other nodes.
    nodes: Option<Nodes>,
    /// What the node does for itself.
    maintenance: Maintenance,
    freshness: Freshness,
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
    /// For how long nothing has proved that the view has everything, 0 if something did just now.
    pub age_ms: u64,
    /// How long ago the journal's leader answered last; none if it never did.
    pub contact_ms: Option<u64>,
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
    /// The view has been behind the journal, or without word from it, for too long to be believed.
    #[error("for {age_ms} ms nothing has proved that the view is up to date ({lag_frames} frames behind)")]
    Stale {
        /// For how long.
        age_ms: u64,
        /// How many frames are known to be missing.
        lag_frames: u64,
    },
    /// The view stopped at something that it does not understand.
    #[error("the view is quarantined at sequence {sequence}: {why}")]
    Quarantined {
        /// Where.
        sequence: u64,
        /// What.
        why: String,
    },
    /// The view has not been shown to be up to date since the process was started.
    #[error("the view has not caught up with the journal yet")]
    Starting,
    /// The view follows the journal no more.
    #[error("the view has been stopped")]
    Stopped,
}

impl NodeStatus {
    /// The status of a node that is so far behind its journal.
    pub fn of(behind: Behind, state: NodeState) -> Self {
        let Behind { sequence, head, unproved, contact } = behind;
        let head = head.max(sequence);
        let lag_frames = head - sequence;
        let is_now = lag_frames == 0 && unproved <= HEARD_LATELY;
        let age = if is_now { Duration::ZERO } else { unproved };
        let contact_ms = contact.map(millis);
        Self { sequence, head, lag_frames, age_ms: millis(age), contact_ms, state }
    }

    /// At least and at most so many records are missing: a frame holds one or more, and who has not read it does not know how
    /// many; a foreign message counts as a frame. If there is none, nothing is missing.
    pub const fn lag_records(&self) -> (u64, u64) {
        (self.lag_frames, self.lag_frames.saturating_mul(RECORDS_PER_FRAME))
    }

    /// The same, if the journal is known to go on to `head`.
    pub fn with_head(self, head: u64) -> Self {
        let head = head.max(self.head);
        Self { lag_frames: head - self.sequence, head, ..self }
    }

    /// Whether the view must not be believed: it has been behind, or without word, for too long.
    pub fn is_stale(&self, within: &Freshness) -> bool {
        let limit = if self.lag_frames > 0 { within.max_lag } else { within.max_silence };
        u128::from(self.age_ms) > limit.as_millis()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl ReadNode {
    /// Of a projector and the journal that it follows.
    pub fn new<J: Journal>(projector: &Projector, journal: &Arc<J>) -> Self {
        let progress = projector.progress();
        let confirmer = || Arc::new(ReadBarrier::following(journal, &progress, |progress| progress.sequence));
        let confirmer = journal.is_shared().then(confirmer);
        let freshness = Freshness::default();
        let maintenance = Maintenance { scrubs: projector.scrubs(), ..Maintenance::default() };
        Self { reader: projector.reader(), progress, confirmer, nodes: None, maintenance, freshness }
    }

    /// The same, that tells of this work.
    pub fn with_maintenance(self, maintenance: Maintenance) -> Self {
        Self { maintenance, ..self }
    }

    /// What the node does for itself.
    pub const fn maintenance(&self) -> &Maintenance {
        &self.maintenance
    }

    /// The same, that listens to other nodes.
    pub fn with_peers(self, nodes: Option<Nodes>) -> Self {
        Self { nodes, ..self }
    }

    /// What the other nodes of this journal said of themselves last.
    pub fn peers(&self) -> Vec<Status> {
        self.nodes.as_ref().map(Nodes::others).unwrap_or_default()
    }

    /// Where this node holds something else than another, as far as is known.
    pub fn disagreements(&self) -> Vec<Disagreement> {
        self.nodes.as_ref().map(Nodes::alarms).unwrap_or_default()
    }

    /// The same, within other bounds.
    #[must_use]
    pub fn with_freshness(self, freshness: Freshness) -> Self {
        Self { freshness, ..self }
    }

    /// How far the view has come, to wait for.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Returns once the view holds everything that the journal held when this was called; at once if nobody but this
    /// process appends.
    pub async fn confirm(&self) -> Result<(), Unconfirmed> {
        match &self.confirmer {
            Some(confirmer) => confirmer.confirm().await,
            None => Ok(()),
        }
    }

    /// Waits until the view has reached a position of the organization, at most `limit`. [`Position::START`] asks
    /// only whether the view may be believed. Says how stale it is, if it is and the node answers all the same.
    pub async fn wait_for(
        &self,
        org: OrgId,
        at_least: Position,
        limit: Duration,
    ) -> Result<Option<Stale>, Unready> {
        let wanted = at_least.sequence();
        let arrived = |progress: &Progress| {
            let is_here = progress.sequence > wanted
                // The frame is here; whether it holds as many records as the position says, it alone knows.
                || progress.sequence == wanted && (at_least.index() == 0 || self.reached(org) >= at_least);
            // Until the head was heard and reached, what the view holds may be of any earlier day.
            progress.has_ended() || is_here && progress.state != NodeState::Starting
        };
        let now = { arrived(&self.progress.borrow()) };
        if !now {
            let mut progress = self.progress.clone();
            match timeout(limit, progress.wait_for(arrived)).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return Err(Unready::Stopped),
                Err(_) if self.status().state == NodeState::Starting => return Err(Unready::Starting),
                Err(_) => return Err(self.behind(org)),
            }
        }
        let status = self.status();
        let (age_ms, lag_frames) = (status.age_ms, status.lag_frames);
        let is_stale = status.is_stale(&self.freshness);
        match status.state {
            NodeState::Quarantined { sequence, why } => Err(Unready::Quarantined { sequence, why }),
            NodeState::Stopped => Err(Unready::Stopped),
            NodeState::Starting => Err(Unready::Starting),
            NodeState::Running if !is_stale => Ok(None),
            NodeState::Running => match self.freshness.when_stale {
                WhenStale::Refuse => Err(Unready::Stale { age_ms, lag_frames }),
                WhenStale::Mark => Ok(Some(Stale { lag_frames, age_ms })),
            },
        }
    }

    /// The last sequence of the journal that the view has.
    pub fn sequence(&self) -> u64 {
        self.progress.borrow().sequence
    }

    /// How far the view has come; changes wake those who wait.
    pub fn follow(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// The image in memory, if there is one that has all that the view is known to have.
    pub fn image(&self) -> Option<Arc<Image>> {
        let sequence = self.progress.borrow().sequence;
        self.reader.image().filter(|image| image.sequence() >= sequence)
    }

    /// Whether the view is beyond the bounds that this node was given.
    pub fn is_stale(&self) -> bool {
        self.status().is_stale(&self.freshness)
    }

    /// How the node is.
    pub fn status(&self) -> NodeStatus {
        let mut progress = self.progress.borrow().clone();
        if !progress.has_ended() && self.progress.has_changed().is_err() {
            // The task went without a word: it has panicked, or the runtime is ending.
            progress.state = NodeState::Stopped;
        }
        let behind = Behind {
            sequence: progress.sequence,
            head: progress.head,
            unproved: progress.fresh_as_of.elapsed(),
            contact: progress.heard_at.map(|at| at.elapsed()),
        };
        NodeStatus::of(behind, progress.state)
    }

    /// The foreign messages of the journal up to where the view stands.
    pub fn foreign(&self) -> ForeignMet {
        self.progress.borrow().foreign
    }

    /// What the view holds, and how far it had come then.
    pub fn mark(&self) -> Mark {
        self.progress.borrow().marks.latest()
    }

    /// What is said of a node that has not come far enough.
    pub fn behind(&self, org: OrgId) -> Unready {
        Unready::Behind { reached: self.reached(org) }
    }

    fn reached(&self, org: OrgId) -> Position {
        let position = self.reader.snapshot().and_then(|snapshot| snapshot.position(org));
        position.unwrap_or(Position::START)
    }
}
