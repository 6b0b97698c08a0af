//! The checker: a pure function from what clients saw, the journal and the views to what was broken of six promises.
//!
//! 1. No acknowledged command is lost, duplicated or half applied; what was refused has no effect; no outcome stays unknown.
//! 2. In each organization every record was decided on the one before it.
//! 3. Nobody is allowed anything once the end of his access was acknowledged and the stated bound has passed.
//! 4. No answer is older than was asked.
//! 5. Every subscriber got everything, in order, at least once, and once by position.
//! 6. All views are what the journal makes of nothing.

mod commands;
mod decisions;
mod freshness;
mod redecide;
mod revocations;
mod subscribers;
mod views;

use std::collections::BTreeMap;

use grantbook_domain::{
    position::Position,
    record::{Record, Recorded},
    state::OrgState,
};

use crate::history::{Check, Command, Entry, Kind, Micros, View};

pub(crate) use revocations::worst_delays;

/// Most findings of one point that are told.
const FINDINGS: usize = 10;

/// Everything that a verdict rests on.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(crate) entries: Vec<Entry>,
    /// The records of the organization in which the load works, read from outside, in order.
    pub(crate) journal: Vec<Recorded>,
    /// The position of the last record of any organization.
    pub(crate) end: Position,
    /// The changes of access that each record caused, as a view made from nothing says: position and names.
    pub(crate) changes: Vec<(u64, Vec<String>)>,
    /// Views made from nothing, wherever those of the nodes were looked at.
    pub(crate) made: Vec<View>,
    /// Whether every node has been looked at for the last time.
    pub(crate) ended: bool,
    /// How long a node may still allow what was revoked.
    pub(crate) bound: Micros,
    /// Whether everything that was begun has ended: commands were sent again, subscribers have caught up.
    pub(crate) settled: bool,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Which of the six promises.
    pub(crate) point: u8,
    pub(crate) what: String,
}

/// Everything that must not be; empty: all six promises held.
pub(crate) fn judge(evidence: &Evidence) -> Vec<Finding> {
    let (states, mut findings) = States::fold(&evidence.journal);
    let mut add = |point: u8, found: Vec<String>| {
        let more = found.len().saturating_sub(FINDINGS);
        findings.extend(found.into_iter().take(FINDINGS).map(|what| Finding { point, what }));
        if more > 0 {
            findings.push(Finding { point, what: format!("and {more} more") });
        }
    };
    add(1, commands::judge(evidence));
    add(2, decisions::judge(evidence, &states));
    add(3, revocations::judge(evidence, &states));
    add(4, freshness::judge(evidence));
    add(5, subscribers::judge(evidence));
    add(6, views::judge(evidence));
    findings
}

/// The organization's state after each record.
pub(crate) struct States {
    after: Vec<(Position, OrgState)>,
    before: OrgState,
}

impl States {
    /// Folds the journal, and decides each record anew on the state before it.
    fn fold(journal: &[Recorded]) -> (Self, Vec<Finding>) {
        let (mut findings, mut after) = (Vec::new(), Vec::with_capacity(journal.len()));
        let mut state = OrgState::default();
        for recorded in journal {
            if let Err(what) = redecide::again(&state, recorded) {
                findings.push(Finding { point: 2, what: format!("record {}: {what}", recorded.position) });
            }
            state.apply_record(&recorded.record);
            after.push((recorded.position, state.clone()));
        }
        findings.truncate(FINDINGS);
        (Self { after, before: OrgState::default() }, findings)
    }

    /// The state that an answer of this position speaks of.
    pub(crate) fn at(&self, position: u64) -> &OrgState {
        let count = self.after.partition_point(|(known, _)| known.get() <= position);
        count.checked_sub(1).and_then(|index| self.after.get(index)).map_or(&self.before, |(_, state)| state)
    }
}

impl Evidence {
    fn commands(&self) -> impl Iterator<Item = &Command> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Command(command) => Some(command),
            _ => None,
        })
    }

    fn checks(&self) -> impl Iterator<Item = &Check> {
        checks(&self.entries)
    }

    /// What there is to get for a subscriber of this kind: position, index and name, in order.
    pub(crate) fn messages(&self, kind: Kind) -> Vec<(u64, u32, String)> {
        let mut all = Vec::new();
        let mut add = |position: u64, names: Vec<String>| {
            all.extend((0..).zip(names).map(|(index, name)| (position, index, name)));
        };
        match kind {
            Kind::Change => self.changes.iter().for_each(|(position, names)| add(*position, names.clone())),
            Kind::Event => self.journal.iter().for_each(|one| add(one.position.get(), names(one))),
            Kind::Both => {
                let changes: BTreeMap<u64, &Vec<String>> =
                    self.changes.iter().map(|(position, names)| (*position, names)).collect();
                for one in &self.journal {
                    let position = one.position.get();
                    let changes = changes.get(&position).into_iter().flat_map(|names| names.iter().cloned());
                    add(position, names(one).into_iter().chain(changes).collect());
                }
            }
            Kind::Record => {
                self.journal.iter().for_each(|one| add(one.position.get(), vec![names(one).join(",")]));
            }
        }
        all
    }
}

fn checks(entries: &[Entry]) -> impl Iterator<Item = &Check> {
    entries.iter().filter_map(|entry| match entry {
        Entry::Check(check) => Some(check),
        _ => None,
    })
}

fn names(recorded: &Recorded) -> Vec<String> {
    names_of(&recorded.record)
}

/// The names of a record's events.
pub(crate) fn names_of(record: &Record) -> Vec<String> {
    record.events.iter().map(|event| event.kind().name().to_owned()).collect()
}

/// Seconds, for people.
fn seconds(micros: Micros) -> String {
    format!("{}.{:03} s", micros / 1_000_000, micros / 1_000 % 1_000)
}
