//! Point 1: no acknowledged command is lost, duplicated or half applied; what was refused has no effect; nothing stays
//! unknown.

use std::collections::BTreeMap;

use grantbook_domain::principal::Actor;

use super::{Evidence, names};
use crate::history::{Command, Outcome};

pub(super) fn judge(evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    let mut records: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut events: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for recorded in &evidence.journal {
        events.insert(recorded.position.get(), names(recorded));
        if !matches!(recorded.record.actor, Actor::System | Actor::Operator) {
            let request = recorded.record.request_id.as_str();
            records.entry(request).or_default().push(recorded.position.get());
        }
    }
    let mut attempts: BTreeMap<&str, Vec<&Command>> = BTreeMap::new();
    for command in evidence.commands() {
        attempts.entry(&command.request).or_default().push(command);
    }
    for (request, positions) in &records {
        if positions.len() > 1 {
            found.push(format!("{request} has its effect at {positions:?}"));
        }
        if evidence.settled && !attempts.contains_key(request) {
            found.push(format!("nobody asked for {request}, at {positions:?}"));
        }
    }
    for (request, attempts) in attempts {
        let at = records.get(request).and_then(|positions| positions.first()).copied();
        found.extend(one_outcome(request, &attempts, at, evidence.settled));
        let made = at.and_then(|at| events.get(&at));
        let makes = attempts.first().map(|command| &command.makes);
        if let (Some(made), Some(makes)) = (made, makes)
            && made != makes
        {
            found.push(format!("{request} should make {makes:?}, made {made:?}"));
        }
    }
    found
}

/// What was told of one command must fit together, and fit the journal, where its record is at `at`.
fn one_outcome(request: &str, attempts: &[&Command], at: Option<u64>, settled: bool) -> Vec<String> {
    let (mut found, mut first) = (Vec::new(), None);
    let mut known = false;
    for attempt in attempts {
        match &attempt.outcome {
            Outcome::Acknowledged { position, body } => {
                known = true;
                match at {
                    None => found.push(format!("{request} was acknowledged at {position}, and is lost")),
                    Some(at) if at != *position => {
                        found
                            .push(format!("{request} was acknowledged at {position}, its record is at {at}"));
                    }
                    Some(_) => {}
                }
                let first = first.get_or_insert(body);
                if *first != body {
                    found.push(format!("{request} was answered with {first}, and then with {body}"));
                }
            }
            // An earlier attempt may have had the effect; then this one would have got its answer.
            Outcome::Refused { status, code, .. } => {
                known = true;
                if let Some(at) = at {
                    found
                        .push(format!("{request} was refused ({status} {code}), and has its effect at {at}"));
                }
            }
            Outcome::Unknown { .. } => {}
        }
    }
    if settled && !known {
        found.push(format!("what became of {request} is unknown to its caller to the end"));
    }
    found
}
