//! Log lines while a view catches up with the journal, so that the operator sees progress.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::project::{NodeState, Progress};

/// How often a line is told.
const EVERY: Duration = Duration::from_secs(5);

/// How far a view has come that is not up to date yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many frames of so many.
    Behind {
        /// The last one in the view.
        sequence: u64,
        /// The journal's last one.
        head: u64,
    },
    /// It has all, for the first time since the process was started.
    CaughtUp {
        /// The last one in the view.
        sequence: u64,
        /// How long that took.
        took: Duration,
    },
}

/// Tells every few seconds how far it has come, until it has caught up or ended.
pub(crate) async fn follow(mut progress: watch::Receiver<Progress>, mut tell: impl FnMut(Step)) {
    let begun = Instant::now();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one is at once.
    ticks.tick().await;
    loop {
        let (sequence, head, state) = {
            let now = progress.borrow_and_update();
            (now.sequence, now.head.max(now.sequence), now.state.clone())
        };
        match state {
            NodeState::Starting => {}
            NodeState::Running => return tell(Step::CaughtUp { sequence, took: begun.elapsed() }),
            NodeState::Quarantined { .. } | NodeState::Stopped => return,
        }
        tokio::select! {
            _ = ticks.tick() => tell(Step::Behind { sequence, head }),
            changed = progress.changed() => if changed.is_err() { return },
        }
    }
}

/// As a line of the log.
pub(crate) fn log(step: Step) {
    match step {
        Step::Behind { sequence, head } => {
            let percent = sequence.saturating_mul(100) / head.max(1);
            tracing::info!(percent, sequence, head, "the view catches up with the journal");
        }
        Step::CaughtUp { sequence, took } => {
            tracing::info!(sequence, ?took, "the view has caught up with the journal");
        }
    }
}

#[cfg(test)]
mod tests {
    use grantbook_journal::chain::ForeignMet;
    use grantbook_views::ViewDigest;
    use tokio::{sync::mpsc, time::advance};

    use super::*;
    use crate::project::Marks;

    #[tokio::test(start_paused = true)]
    async fn it_is_told_every_few_seconds_how_far_the_view_has_come_and_once_that_it_has_all() {
        let beginning = Progress {
            sequence: 0,
            head: 0,
            state: NodeState::Starting,
            fresh_as_of: Instant::now(),
            marks: Marks::new(0, ViewDigest::default()),
            foreign: ForeignMet::default(),
            heard_at: None,
        };
        let (change, progress) = watch::channel(beginning);
        let (tell, mut told) = mpsc::channel(8);
        let task = tokio::spawn(follow(progress, move |step| tell.try_send(step).unwrap()));
        change.send_modify(|progress| (progress.sequence, progress.head) = (10, 100));
        assert_eq!(told.recv().await, Some(Step::Behind { sequence: 10, head: 100 }));
        change.send_modify(|progress| progress.sequence = 60);
        assert_eq!(told.recv().await, Some(Step::Behind { sequence: 60, head: 100 }));
        advance(Duration::from_secs(1)).await;
        change.send_modify(|progress| (progress.sequence, progress.state) = (100, NodeState::Running));
        assert!(matches!(told.recv().await, Some(Step::CaughtUp { sequence: 100, .. })));
        assert_eq!(told.recv().await, None);
        task.await.unwrap();
    }
}
