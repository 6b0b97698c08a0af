//! Point 6: wherever it was looked at, every view is what the journal makes of nothing.

use std::collections::BTreeMap;

use super::Evidence;
use crate::history::{Entry, View};

pub(super) fn judge(evidence: &Evidence) -> Vec<String> {
    let made: BTreeMap<u64, &str> =
        evidence.made.iter().map(|view| (view.sequence, view.digest.as_str())).collect();
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in &evidence.entries {
        let Entry::View(view) = entry else { continue };
        last.insert(&view.node, view.sequence);
        let View { node, sequence, digest } = view;
        match made.get(sequence) {
            Some(exact) if exact == digest => {}
            Some(exact) => found
                .push(format!("the view of {node} at {sequence} is {digest}, made of nothing it is {exact}")),
            None => found.push(format!("the view of {node} ends at {sequence}, where the journal did not")),
        }
    }
    if evidence.ended {
        let end = evidence.end.sequence();
        let short = last.iter().filter(|(_, sequence)| **sequence != end);
        found
            .extend(short.map(|(node, at)| format!("the view of {node} ends at {at}, the journal at {end}")));
        if !made.contains_key(&end) {
            found.push(format!("no view was made of nothing at {end}"));
        }
    }
    found
}
