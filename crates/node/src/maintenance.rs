//! What a node does for itself now and then, counted: its view read whole, snapshots made, its view made of one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How often one kind of work was done since the process was started, and how the last time went; clone it freely.
#[derive(Debug, Clone, Default)]
pub struct JobStats(Arc<Mutex<Done>>);

/// How often work was done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Done {
    /// With success.
    pub times: u64,
    /// Without.
    pub failures: u64,
    /// The last time, either way.
    pub last: Option<Last>,
}

/// How the last time went.
#[derive(Debug, Clone, Copy)]
pub struct Last {
    /// When it ended.
    pub ended: Instant,
    /// How long it took.
    pub took: Duration,
    /// Whether it succeeded.
    pub went_well: bool,
}

/// The kinds of work of a node with a view.
#[derive(Debug, Clone, Default)]
pub struct Maintenance {
    /// The view was read whole and compared with its digest.
    pub scrubs: JobStats,
    /// A snapshot was made.
    pub snapshots: JobStats,
    /// The view was made of a snapshot when the process was started.
    pub bootstraps: JobStats,
}

impl JobStats {
    /// Notes work that was begun then and ends now.
    pub fn note(&self, begun: Instant, went_well: bool) {
        let mut done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if went_well {
            done.times = done.times.saturating_add(1);
        } else {
            done.failures = done.failures.saturating_add(1);
        }
        done.last = Some(Last { ended: Instant::now(), took: begun.elapsed(), went_well });
    }

    /// What was done so far.
    pub fn done(&self) -> Done {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
