//! What a node does for itself now and then, counted: its view read whole, snapshots made, its view made of one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::http::metrics::{counter, gauge};

/// How often one kind of work was done since the process was started, and how the last time went; clone it freely.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<Done>>);

#[derive(Debug, Clone, Copy, Default)]
struct Done {
    times: u64,
    failures: u64,
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    ended: Instant,
    took: Duration,
    went_well: bool,
}

/// The kinds of work of a node with a view.
#[derive(Debug, Clone, Default)]
pub struct Upkeep {
    /// The view was read whole and compared with its digest.
    pub scrubs: Tally,
    /// A snapshot was made.
    pub snapshots: Tally,
    /// The view was made of a snapshot when the process was started.
    pub bootstraps: Tally,
}

impl Tally {
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

    /// Prometheus text: `grantbook_<kind>s_total` and its relatives. What never happened has no time.
    fn text(&self, text: &mut String, kind: &str, what: &str) {
        let Done { times, failures, last } = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counter(text, &format!("grantbook_{kind}s_total"), &format!("How often {what}."), times);
        let help = format!("How often that was tried in vain: {what}.");
        counter(text, &format!("grantbook_{kind}_failures_total"), &help, failures);
        let Some(Last { ended, took, went_well }) = last else { return };
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let last = [
            ("went_well", "Whether it went well the last time.", u64::from(went_well)),
            ("took_ms", "How long it took the last time, in ms.", millis(took)),
            ("age_ms", "How long ago the last time ended, in ms.", millis(ended.elapsed())),
        ];
        for (name, help, value) in last {
            gauge(text, &format!("grantbook_{kind}_last_{name}"), help, value);
        }
    }
}

impl Upkeep {
    /// All of it as Prometheus text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.scrubs.text(&mut text, "scrub", "the view was read whole and found to be what was written");
        self.snapshots.text(&mut text, "snapshot", "a snapshot was made");
        self.bootstraps.text(&mut text, "bootstrap", "the view was made of a snapshot at the start");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_done_is_counted_and_what_never_was_has_no_time() {
        let upkeep = Upkeep::default();
        let text = upkeep.text();
        assert!(text.contains("grantbook_snapshots_total 0\n") && !text.contains("_last_"), "{text}");
        let begun = Instant::now();
        tokio::time::advance(Duration::from_millis(30)).await;
        upkeep.snapshots.note(begun, true);
        upkeep.snapshots.clone().note(Instant::now(), false);
        upkeep.scrubs.note(begun, true);
        tokio::time::advance(Duration::from_millis(5)).await;
        let text = upkeep.text();
        for line in [
            "grantbook_snapshots_total 1\n",
            "grantbook_snapshot_failures_total 1\n",
            "grantbook_snapshot_last_went_well 0\n",
            "grantbook_snapshot_last_age_ms 5\n",
            "grantbook_scrub_last_took_ms 30\n",
            "grantbook_scrub_last_went_well 1\n",
            "grantbook_bootstraps_total 0\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
