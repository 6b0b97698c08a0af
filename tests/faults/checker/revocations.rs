//! Point 3: nobody is allowed anything once the end of his access was acknowledged and the stated bound has passed.
//! Besides, every answer is what the slow fold says at the position that the answer names.

use std::collections::BTreeMap;

use grantbook_domain::{
    access::check::{Question, Target},
    time::Timestamp,
};

use super::{Evidence, States, checks, seconds};
use crate::history::{Check, Entry, Micros, Outcome, Said};

pub(super) fn judge(evidence: &Evidence, states: &States) -> Vec<String> {
    let revoked = revoked(&evidence.entries);
    evidence
        .checks()
        .filter_map(|check| too_late(evidence, &revoked, check).or_else(|| not_so(states, check)))
        .collect()
}

/// When the end of each subject's access was first acknowledged, and at which position.
fn revoked(entries: &[Entry]) -> BTreeMap<&str, (Micros, u64)> {
    let mut revoked: BTreeMap<&str, (Micros, u64)> = BTreeMap::new();
    for entry in entries {
        let Entry::Command(command) = entry else { continue };
        let (Some(subject), Outcome::Acknowledged { position, .. }) = (&command.revokes, &command.outcome)
        else {
            continue;
        };
        let first = revoked.entry(subject).or_insert((command.answered, *position));
        *first = (command.answered, *position).min(*first);
    }
    revoked
}

fn too_late(evidence: &Evidence, revoked: &BTreeMap<&str, (Micros, u64)>, check: &Check) -> Option<String> {
    let Said::Allowed { position } = check.said else { return None };
    let (acknowledged, at) = *revoked.get(check.subject.as_str())?;
    let (subject, node) = (&check.subject, &check.node);
    if position >= at {
        return Some(format!("{node} allows {subject} at {position}, who was revoked at {at}"));
    }
    let late = check.sent.saturating_sub(acknowledged);
    (late > evidence.bound).then(|| {
        let (late, bound) = (seconds(late), seconds(evidence.bound));
        format!("{node} allows {subject} {late} after the revocation, bound {bound}")
    })
}

/// The answer is another than that of the fold at its position.
fn not_so(states: &States, check: &Check) -> Option<String> {
    let (position, allowed, reason) = match &check.said {
        Said::Allowed { position } => (*position, true, "granted"),
        Said::Denied { position, reason } => (*position, false, reason.as_str()),
        Said::Unavailable { .. } => return None,
    };
    let principal = check.token.parse().ok().map(grantbook_domain::principal::Principal::Token);
    let question = Question {
        principal,
        key: check.key.parse().ok(),
        permission: "update",
        object: Target { object_type: "project", id: &check.project, project: None },
    };
    // Nothing that is asked about ever expires.
    let exact = states.at(position).check(&question, Timestamp::EPOCH);
    (exact.allows() != allowed || exact.code() != reason).then(|| {
        let (node, subject, exact) = (&check.node, &check.subject, exact.code());
        format!("{node} says {reason} of {subject} at {position}, where the fold says {exact}")
    })
}

/// For each node the longest time after an acknowledged revocation at which it was still asked and allowed.
pub(crate) fn worst_delays(entries: &[Entry]) -> BTreeMap<String, Micros> {
    let revoked = revoked(entries);
    let mut worst = BTreeMap::new();
    for check in checks(entries) {
        let Some((acknowledged, _)) = revoked.get(check.subject.as_str()) else { continue };
        if let Said::Allowed { .. } = check.said {
            let delay = check.sent.saturating_sub(*acknowledged);
            let known: &mut Micros = worst.entry(check.node.clone()).or_default();
            *known = delay.max(*known);
        }
    }
    worst
}
