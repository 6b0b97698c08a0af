//! Counters, and their Prometheus text.

use crate::{
    http::metric_text::{counter, family, gauge, labelled},
    schedule::{ClassNumbers, Scheduler, slots::Slots},
};
use grantbook_domain::limits::Limit;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Why a caller was not recognized.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AuthFailure {
    /// No credential.
    Absent,
    /// Not a key at all: never looked up.
    Malformed,
    /// A key with a wrong checksum: mistyped, or guessed; never looked up.
    Checksum,
    /// Well formed, but not known, revoked, expired, or of nobody active.
    Refused,
}

/// How a command went.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CommandOutcome {
    /// A record was appended.
    Recorded,
    /// The record was there already.
    Replayed,
    /// Nothing would have changed.
    Unchanged,
    /// It was refused.
    Refused,
    /// The organization's commands had made more work than they may.
    Busy,
    /// It could not be carried out, or nobody knows.
    Failed,
}

/// What this process has done since it started.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    commands: [AtomicU64; 6],
    limits: [AtomicU64; Limit::ALL.len()],
    checks_allowed: AtomicU64,
    checks_denied: AtomicU64,
    auth_failures: [AtomicU64; 4],
    responses: [AtomicU64; 5],
    stale_answers: AtomicU64,
    in_flight: AtomicUsize,
}

/// Counts a request as under way until dropped.
#[derive(Debug)]
pub(crate) struct InFlight<'m>(&'m Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// One more request under way, unless there are `limit` already.
    pub(crate) fn enter(&self, limit: usize) -> Option<InFlight<'_>> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let entered = InFlight(self);
        (before < limit).then_some(entered)
    }

    /// Counts a command.
    pub(crate) fn command(&self, outcome: CommandOutcome) {
        add(self.commands.get(outcome as usize));
    }

    /// Counts a command that a limit of the organization refused.
    pub(crate) fn limited(&self, limit: Limit) {
        add(self.limits.get(limit as usize));
    }

    /// Counts the answer to a check.
    pub(crate) fn check(&self, allowed: bool) {
        add(Some(if allowed { &self.checks_allowed } else { &self.checks_denied }));
    }

    /// Counts a caller who was not recognized.
    pub(crate) fn auth_failed(&self, why: AuthFailure) {
        add(self.auth_failures.get(why as usize));
    }

    /// Counts an answer of a stale node.
    pub(crate) fn answered_stale(&self) {
        add(Some(&self.stale_answers));
    }

    /// Counts an answer by the hundreds of its status.
    pub(crate) fn response(&self, status: u16) {
        add(self.responses.get(usize::from(status / 100).saturating_sub(1)));
    }

    /// The Prometheus text, without what the caller adds.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let outcomes = ["recorded", "replayed", "unchanged", "refused", "busy", "failed"];
        family(
            &mut text,
            "grantbook_commands_total",
            "Commands by outcome.",
            "outcome",
            outcomes.iter().zip(&self.commands),
        );
        let limits = Limit::ALL.map(Limit::name);
        family(
            &mut text,
            "grantbook_limit_refusals_total",
            "Commands that a limit of their organization refused, by limit.",
            "limit",
            limits.iter().zip(&self.limits),
        );
        let checks = [("allowed", &self.checks_allowed), ("denied", &self.checks_denied)];
        family(
            &mut text,
            "grantbook_checks_total",
            "Checks by answer.",
            "answer",
            checks.iter().map(|(name, count)| (name, *count)),
        );
        let failures = ["absent", "malformed", "checksum", "refused"];
        let help = "Callers who were not recognized; malformed keys are never looked up.";
        family(
            &mut text,
            "grantbook_auth_failures_total",
            help,
            "why",
            failures.iter().zip(&self.auth_failures),
        );
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        family(
            &mut text,
            "grantbook_responses_total",
            "Answers by class of status.",
            "class",
            classes.iter().zip(&self.responses),
        );
        counter(
            &mut text,
            "grantbook_stale_answers_total",
            "Answers that were marked as stale.",
            self.stale_answers.load(Ordering::Relaxed),
        );
        gauge(
            &mut text,
            "grantbook_requests_in_flight",
            "Requests under way.",
            self.in_flight.load(Ordering::Relaxed) as u64,
        );
        text
    }
}

/// The Prometheus text of who works and who waits. Organizations have no labels of their own: there may be many.
pub(crate) fn sharing(scheduler: &Scheduler, slots: [&Slots; 2]) -> String {
    let mut text = String::new();
    let numbers = scheduler.numbers();
    let of_class = |number: fn(&ClassNumbers) -> u64| {
        numbers.iter().map(move |one| (format!("class=\"{}\"", one.class.word()), number(one)))
    };
    let help = "Places in use, by class of work.";
    labelled(&mut text, ("grantbook_places_in_use", "gauge"), help, of_class(|one| one.running as u64));
    let help = "Requests that wait for a place, by class of work.";
    labelled(&mut text, ("grantbook_places_waiting", "gauge"), help, of_class(|one| one.waiting as u64));
    let help = "Requests turned away because too much waited, by class of work.";
    labelled(&mut text, ("grantbook_shed_total", "counter"), help, of_class(|one| one.shed));
    let help = "Streams under way, by kind.";
    let open = slots.iter().map(|slots| (format!("kind=\"{}\"", slots.word()), slots.numbers().held as u64));
    labelled(&mut text, ("grantbook_streams_open", "gauge"), help, open);
    let help = "Streams cut off, by kind and reason: a slow reader, or the share of others.";
    let cut_off = slots.iter().flat_map(|slots| {
        let (word, numbers) = (slots.word(), slots.numbers());
        [("slow", numbers.slow), ("share", numbers.share)]
            .map(|(why, count)| (format!("kind=\"{word}\",why=\"{why}\""), count))
    });
    labelled(&mut text, ("grantbook_streams_cut_off_total", "counter"), help, cut_off);
    text
}

fn add(counter: Option<&AtomicU64>) {
    if let Some(counter) = counter {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::queue::Bound;

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::default();
        metrics.command(CommandOutcome::Failed);
        metrics.auth_failed(AuthFailure::Malformed);
        metrics.check(true);
        metrics.response(503);
        let text = metrics.text();
        for line in [
            "grantbook_commands_total{outcome=\"failed\"} 1\n",
            "grantbook_commands_total{outcome=\"recorded\"} 0\n",
            "grantbook_auth_failures_total{why=\"malformed\"} 1\n",
            "grantbook_checks_total{answer=\"allowed\"} 1\n",
            "grantbook_responses_total{class=\"5xx\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn who_works_and_who_waits_is_counted_by_class() {
        let slots = ["streams", "watches"].map(|word| Slots::new(word, Bound::shared(4)));
        let text = sharing(&Scheduler::of_process(), slots.each_ref());
        for line in [
            "grantbook_places_in_use{class=\"questions\"} 0\n",
            "grantbook_places_waiting{class=\"writes\"} 0\n",
            "grantbook_shed_total{class=\"taking\"} 0\n",
            "grantbook_streams_open{kind=\"watches\"} 0\n",
            "grantbook_streams_cut_off_total{kind=\"streams\",why=\"slow\"} 0\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn no_more_than_the_limit_are_under_way() {
        let metrics = Metrics::default();
        let one = metrics.enter(1).unwrap();
        assert!(metrics.enter(1).is_none());
        drop(one);
        assert!(metrics.enter(1).is_some());
    }
}
