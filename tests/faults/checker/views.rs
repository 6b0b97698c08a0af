//! Point 6: all views are what the journal makes of nothing.

use super::Evidence;
use crate::history::{Entry, View};

pub(super) fn judge(evidence: &Evidence) -> Vec<String> {
    let Some(rebuilt) = &evidence.rebuilt else { return Vec::new() };
    let views = evidence.entries.iter().filter_map(|entry| match entry {
        Entry::View(view) => Some(view),
        _ => None,
    });
    let mut found: Vec<String> = views.filter_map(|view| differs(view, rebuilt)).collect();
    let end = evidence.journal.last().map_or(0, |recorded| recorded.position.sequence());
    if rebuilt.sequence != end {
        found.push(format!("the view made of nothing ends at {}, the journal at {end}", rebuilt.sequence));
    }
    found
}

fn differs(view: &View, rebuilt: &View) -> Option<String> {
    let same = (view.sequence, &view.digest) == (rebuilt.sequence, &rebuilt.digest);
    (!same).then(|| {
        format!(
            "the view of {} at {} is {}, made of nothing it is {} at {}",
            view.node, view.sequence, view.digest, rebuilt.digest, rebuilt.sequence
        )
    })
}
