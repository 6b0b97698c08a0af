//! How the load fared: how long its answers took, and which it did not get.

use std::collections::BTreeMap;

use crate::{
    history::{Entry, History, Micros, Outcome, Said},
    verdict::line,
};

/// Figures of several parts of a run.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// How many entries of the history have been looked at.
    seen: usize,
    parts: Vec<(String, Part, Part)>,
}

/// Commands, or checks.
#[derive(Debug, Default)]
struct Part {
    took: Vec<Micros>,
    /// Attempts without an outcome, by why.
    failed: BTreeMap<String, usize>,
}

impl Figures {
    /// Leaves out what happened since the last look.
    pub(super) fn skip(&mut self, history: &History) {
        self.seen = history.look(<[Entry]>::len);
    }

    /// Takes what happened since the last look.
    pub(super) fn take(&mut self, name: &str, history: &History) {
        let (mut commands, mut checks) = (Part::default(), Part::default());
        self.seen = history.look(|entries| {
            for entry in entries.iter().skip(self.seen) {
                match entry {
                    Entry::Command(one) => commands.add(
                        one.answered - one.sent,
                        match &one.outcome {
                            Outcome::Acknowledged { .. } | Outcome::Refused { .. } => None,
                            Outcome::Unknown { why } => Some(why),
                        },
                    ),
                    Entry::Check(one) => checks.add(
                        one.answered - one.sent,
                        match &one.said {
                            Said::Allowed { .. } | Said::Denied { .. } => None,
                            Said::Unavailable { code } => Some(code),
                        },
                    ),
                    Entry::Subscribed(_) | Entry::Message(_) | Entry::View(_) | Entry::Fault(_) => {}
                }
            }
            entries.len()
        });
        self.parts.push((name.to_owned(), commands, checks));
    }

    pub(super) fn print(&mut self) {
        line("\n| part | commands | p50 / p99 / max | failed | checks | p50 / p99 / max | failed |");
        line("| --- | --- | --- | --- | --- | --- | --- |");
        for (name, commands, checks) in &mut self.parts {
            line(&format!("| {name} | {} | {} |", commands.cells(), checks.cells()));
        }
    }
}

impl Part {
    fn add(&mut self, took: Micros, failed: Option<&String>) {
        self.took.push(took);
        if let Some(why) = failed {
            *self.failed.entry(why.clone()).or_default() += 1;
        }
    }

    fn cells(&mut self) -> String {
        self.took.sort_unstable();
        let quantile = |percent: usize| {
            let index = (self.took.len() * percent / 100).min(self.took.len().saturating_sub(1));
            let micros = self.took.get(index).copied().unwrap_or_default();
            format!("{}.{} ms", micros / 1000, micros / 100 % 10)
        };
        let failed: Vec<String> = self.failed.iter().map(|(why, count)| format!("{count} {why}")).collect();
        let failed = if failed.is_empty() { "0".to_owned() } else { failed.join(", ") };
        format!("{} | {} / {} / {} | {failed}", self.took.len(), quantile(50), quantile(99), quantile(100))
    }
}
