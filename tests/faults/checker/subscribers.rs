//! Point 5: every subscriber got everything, in order, at least once, and once by position.

use std::collections::BTreeMap;

use super::Evidence;
use crate::history::{Entry, Message, Promise, Subscribed};

pub(super) fn judge(evidence: &Evidence) -> Vec<String> {
    let mut got: BTreeMap<&str, Vec<&Message>> = BTreeMap::new();
    for entry in &evidence.entries {
        if let Entry::Message(message) = entry {
            got.entry(&message.subscriber).or_default().push(message);
        }
    }
    let mut found = Vec::new();
    for entry in &evidence.entries {
        if let Entry::Subscribed(subscribed) = entry {
            let got = got.remove(subscribed.subscriber.as_str()).unwrap_or_default();
            found.extend(one(evidence, subscribed, &got));
        }
    }
    found.extend(got.keys().map(|stranger| format!("{stranger} got messages and never subscribed")));
    found
}

/// The first thing that is wrong with what a subscriber got.
fn one(evidence: &Evidence, subscribed: &Subscribed, got: &[&Message]) -> Option<String> {
    let all = evidence.messages(subscribed.kind);
    let due: Vec<_> = all.into_iter().filter(|(position, ..)| *position > subscribed.behind).collect();
    let who = &subscribed.subscriber;
    let mut reached = 0;
    for message in got {
        let (position, index) = (message.position, message.index);
        let seen = due.get(..reached).unwrap_or_default();
        if let Ok(again) = seen.binary_search_by(|(at, place, _)| (*at, *place).cmp(&(position, index))) {
            match subscribed.promise {
                Promise::Once => return Some(format!("{who} got {position}/{index} twice")),
                Promise::AtLeastOnce if seen.get(again).is_some_and(|(.., name)| *name == message.name) => {
                    continue;
                }
                Promise::AtLeastOnce => {
                    let name = &message.name;
                    return Some(format!("{who} got {position}/{index} again as another, {name}"));
                }
            }
        }
        match due.get(reached) {
            Some((at, place, name)) if (*at, *place, name) == (position, index, &message.name) => {
                reached += 1;
            }
            Some((at, place, name)) => {
                return Some(format!(
                    "{who} got {position}/{index} ({}) where {at}/{place} ({name}) was due",
                    message.name
                ));
            }
            None => {
                let name = &message.name;
                return Some(format!("{who} got {position}/{index} ({name}), which is in no record"));
            }
        }
    }
    let (at, place, name) = due.get(reached).filter(|_| evidence.settled)?;
    let missing = due.len() - reached;
    Some(format!("{who} never got {at}/{place} ({name}) and {} more", missing - 1))
}
