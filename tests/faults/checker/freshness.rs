//! Point 4: no answer is older than was asked: at least a position, or the latest.

use super::{Evidence, seconds};
use crate::history::{Outcome, Said};

pub(super) fn judge(evidence: &Evidence) -> Vec<String> {
    let mut acknowledged: Vec<(u64, u64)> = evidence
        .commands()
        .filter_map(|command| match command.outcome {
            Outcome::Acknowledged { position, .. } => Some((command.answered, position)),
            Outcome::Refused { .. } | Outcome::Unknown { .. } => None,
        })
        .collect();
    acknowledged.sort_unstable();
    // The highest position among those acknowledged so far.
    let mut highest = 0;
    for (_, position) in &mut acknowledged {
        highest = highest.max(*position);
        *position = highest;
    }
    let known_at = |time: u64| {
        let before = acknowledged.partition_point(|(answered, _)| *answered < time);
        before.checked_sub(1).and_then(|index| acknowledged.get(index)).map_or(0, |(_, position)| *position)
    };
    let mut found = Vec::new();
    for check in evidence.checks() {
        let (Said::Allowed { position } | Said::Denied { position, .. }) = check.said else { continue };
        if position < check.at_least {
            found.push(format!(
                "{} answered at {position} what was asked at least at {}",
                check.node, check.at_least
            ));
        }
        let latest = known_at(check.sent);
        if check.latest && position < latest {
            found.push(format!(
                "{} answered the latest at {position}, sent at {}, when {latest} was acknowledged",
                check.node,
                seconds(check.sent)
            ));
        }
    }
    found
}
