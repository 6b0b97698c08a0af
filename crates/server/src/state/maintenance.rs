//! Metrics of the jobs that a node runs for itself: scrubs, snapshots, bootstraps.

use std::time::Duration;

use crate::http::metric_text::{counter, gauge};
use grantbook_node::maintenance::{Done, JobStats, Last, Maintenance};

/// All of it as Prometheus text.
pub(crate) fn text(maintenance: &Maintenance) -> String {
    let mut text = String::new();
    one(
        &maintenance.scrubs,
        &mut text,
        "scrub",
        ["Scrubs that found the view intact.", "Scrubs that failed or found damage."],
    );
    one(&maintenance.snapshots, &mut text, "snapshot", ["Snapshots made.", "Failed snapshot attempts."]);
    one(
        &maintenance.bootstraps,
        &mut text,
        "bootstrap",
        ["Starts that made the view of a snapshot.", "Starts that found no usable snapshot."],
    );
    text
}

/// Prometheus text: `grantbook_<kind>s_total` and its relatives. A job that never ran has no last run.
fn one(job: &JobStats, text: &mut String, kind: &str, [succeeded, failed]: [&str; 2]) {
    let Done { times, failures, last } = job.done();
    counter(text, &format!("grantbook_{kind}s_total"), succeeded, times);
    counter(text, &format!("grantbook_{kind}_failures_total"), failed, failures);
    let Some(Last { ended, took, went_well }) = last else { return };
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let last = [
        ("went_well", "1 if the last run succeeded.", u64::from(went_well)),
        ("took_ms", "Duration of the last run, in ms.", millis(took)),
        ("age_ms", "Time since the last run ended, in ms.", millis(ended.elapsed())),
    ];
    for (name, help, value) in last {
        gauge(text, &format!("grantbook_{kind}_last_{name}"), help, value);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_done_is_counted_and_what_never_was_has_no_time() {
        let maintenance = Maintenance::default();
        let text = super::text(&maintenance);
        assert!(text.contains("grantbook_snapshots_total 0\n") && !text.contains("_last_"), "{text}");
        let begun = Instant::now();
        tokio::time::advance(Duration::from_millis(30)).await;
        maintenance.snapshots.note(begun, true);
        maintenance.snapshots.clone().note(Instant::now(), false);
        maintenance.scrubs.note(begun, true);
        tokio::time::advance(Duration::from_millis(5)).await;
        let text = super::text(&maintenance);
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
