//! Point 2: decisions are serialisable. That each record follows from the one before it is found while folding; here is
//! what callers saw: real time is respected, and a refusal was right where it says it was decided.

use grantbook_domain::state::NameKind;

use super::{Evidence, States, seconds};
use crate::history::{Command, Outcome};

pub(super) fn judge(evidence: &Evidence, states: &States) -> Vec<String> {
    let mut found = in_order(evidence);
    found.extend(real_time(evidence));
    found.extend(evidence.commands().filter_map(|command| wrongly_refused(command, states)));
    found
}

/// The journal's own order: positions and ordinals grow, time never steps back.
fn in_order(evidence: &Evidence) -> Vec<String> {
    let pairs = evidence.journal.iter().zip(evidence.journal.iter().skip(1));
    let broken = pairs.filter(|(one, next)| {
        one.position >= next.position
            || one.record.ordinal + 1 != next.record.ordinal
            || one.record.at > next.record.at
    });
    broken.map(|(one, next)| format!("record {} does not follow {}", next.position, one.position)).collect()
}

/// What was sent after something was acknowledged was decided after it.
fn real_time(evidence: &Evidence) -> Vec<String> {
    // The first attempt of a command may have had the effect that a later one was told of.
    let mut began = std::collections::BTreeMap::new();
    for command in evidence.commands() {
        let sent = began.entry(command.request.as_str()).or_insert(command.sent);
        *sent = command.sent.min(*sent);
    }
    let mut acknowledged: Vec<(u64, u64)> = Vec::new();
    let mut sent: Vec<(u64, u64, &str)> = Vec::new();
    for command in evidence.commands() {
        if let Outcome::Acknowledged { position, .. } = command.outcome {
            acknowledged.push((command.answered, position));
            let began = began.get(command.request.as_str()).copied().unwrap_or(command.sent);
            sent.push((began, position, &command.request));
        }
    }
    acknowledged.sort_unstable();
    sent.sort_unstable();
    let (mut found, mut before, mut highest) = (Vec::new(), acknowledged.iter().peekable(), 0);
    for (began, position, request) in sent {
        while let Some((_, known)) = before.next_if(|(answered, _)| *answered < began) {
            highest = highest.max(*known);
        }
        if position < highest {
            found.push(format!(
                "{request}, sent at {}, is at {position}, before {highest}, which was acknowledged by then",
                seconds(began)
            ));
        }
    }
    found
}

/// A name that is refused as taken is somebody's in the state that the refusal was decided on.
fn wrongly_refused(command: &Command, states: &States) -> Option<String> {
    let Outcome::Refused { code, position, .. } = &command.outcome else { return None };
    let name = command.wants_name.as_ref().filter(|_| code == "name_taken")?;
    let taken = states.at(*position).holder_of(NameKind::Token, name).is_some();
    (!taken).then(|| format!("{name} was refused as taken at {position}, where nobody has it"))
}
