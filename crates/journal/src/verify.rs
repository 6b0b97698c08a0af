//! Reading a whole journal to see that nothing is missing, changed or appended past its guard.

use std::{num::NonZeroUsize, time::Duration};

use grantbook_domain::id::OrgId;
use tokio::time::Instant;

use crate::{
    Foreign, Gaps, Item, Journal, ReadError, Tail,
    chain::{Chains, ForeignMet, OrgEnd, Step},
};

/// Most items read at once.
const FRAMES: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(frames) => frames,
    None => NonZeroUsize::MIN,
};
/// A journal that gives nothing for so long, although its head lies further, has lost what is there.
const TIMEOUT: Duration = Duration::from_secs(30);
/// No more violations than these are told.
const VIOLATIONS: usize = 20;
/// No more runs of foreign messages than these are listed.
const FOREIGN_LISTED: usize = 100;

/// What was found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The head that the journal told.
    pub head: u64,
    /// Frames read.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// Frames whose guard is kept, and was the organization's last sequence.
    pub guards: u64,
    /// The end of each organization's chain.
    pub organizations: Vec<(OrgId, OrgEnd)>,
    /// How many foreign messages there are.
    pub foreign: ForeignMet,
    /// The foreign messages, by sequence, in runs; the first hundred runs.
    pub foreign_listed: Vec<ForeignListed>,
    /// What is wrong, by sequence; the first twenty.
    pub violations: Vec<Violation>,
    /// Sequences that one copy of the store does not have, or has damaged, and another one gave: as far as was seen, as
    /// a reader meets some of the copies only.
    pub mended: Vec<u64>,
}

/// Foreign messages one behind the other, whose subjects have the same last token, as a report lists them: neither a
/// flood nor burned sequences hide the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignListed {
    /// Where the first one is.
    pub sequence: u64,
    /// Where the last one is.
    pub last: u64,
    /// The last token of their subject.
    pub token: String,
    /// Length of their payloads.
    pub bytes: usize,
}

impl Report {
    /// An empty report on a journal that ends at this head.
    pub(crate) fn new(head: u64) -> Self {
        Self {
            head,
            frames: 0,
            records: 0,
            guards: 0,
            organizations: Vec::new(),
            foreign: ForeignMet::default(),
            foreign_listed: Vec::new(),
            violations: Vec::new(),
            mended: Vec::new(),
        }
    }

    /// Counts what a reader took.
    pub(crate) fn count(&mut self, item: &Item, step: &Step) {
        match (step, item) {
            (Step::Next(frame), _) => {
                self.frames += 1;
                self.records += frame.records.len() as u64;
            }
            (Step::Foreign, Item::Foreign(foreign)) => {
                self.foreign.meet(foreign.sequence);
                self.list(foreign);
            }
            (Step::Foreign | Step::Repeat, _) => {}
        }
    }

    fn list(&mut self, foreign: &Foreign) {
        let Foreign { sequence, token, bytes } = foreign;
        if let Some(run) = self.foreign_listed.last_mut()
            && run.token == *token
            && run.last.checked_add(1) == Some(*sequence)
        {
            run.last = *sequence;
            run.bytes = run.bytes.saturating_add(bytes.len());
        } else if self.foreign_listed.len() < FOREIGN_LISTED {
            let (sequence, last, token) = (*sequence, *sequence, token.clone());
            self.foreign_listed.push(ForeignListed { sequence, last, token, bytes: bytes.len() });
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where.
    pub sequence: u64,
    /// What.
    pub why: String,
}

/// Reads the whole journal: sequences without a gap, unbroken chains, and where the store keeps them, the guards. A
/// broken chain ends the walk, as nothing behind it can be judged. `progress` gets the last sequence and the head.
///
/// # Errors
///
/// [`ReadError`] if the journal does not answer; what it answers wrongly is in the report.
pub async fn verify<J: Journal>(
    journal: &J,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Report, ReadError> {
    let head = journal.head().await?;
    let mut walk = Walk::new(Chains::new(journal.identity().installation), head);
    let mut tail = journal.tail(0);
    while walk.chains.end().sequence < head {
        let items = match tail.next(FRAMES, TIMEOUT).await {
            Ok(items) => items,
            Err(ReadError::Damaged { sequence }) => {
                walk.violate(sequence, "the store does not have it".to_owned());
                break;
            }
            Err(error @ ReadError::DamagedFile { sequence, .. }) => {
                walk.violate(sequence, error.to_string());
                break;
            }
            Err(error) => return Err(error),
        };
        if items.is_empty() {
            walk.violate(walk.chains.end().sequence.saturating_add(1), "it does not come".to_owned());
            break;
        }
        if !items.iter().all(|item| walk.take(item)) {
            break;
        }
        progress(walk.chains.end().sequence, head);
    }
    Ok(walk.finish(journal.gaps()))
}

/// The foreign messages of a journal, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignFound {
    /// How many there are, and where the last one is.
    pub met: ForeignMet,
    /// Up to which sequence it was read.
    pub read: u64,
    /// Where it ends.
    pub head: u64,
}

/// Counts foreign messages, without looking into frames, for so long at most.
///
/// # Errors
///
/// [`ReadError`] if the journal does not answer or is damaged.
pub async fn foreign<J: Journal>(journal: &J, within: Duration) -> Result<ForeignFound, ReadError> {
    let deadline = Instant::now() + within;
    let head = journal.head().await?;
    let (mut tail, mut found) = (journal.tail(0), ForeignFound { met: ForeignMet::default(), read: 0, head });
    while found.read < head && Instant::now() < deadline {
        let items = tail.next(FRAMES, deadline.saturating_duration_since(Instant::now())).await?;
        for item in &items {
            found.read = item.sequence();
            if matches!(item, Item::Foreign(_)) {
                found.met.meet(found.read);
            }
        }
    }
    Ok(found)
}

struct Walk {
    chains: Chains,
    report: Report,
    /// The first frame without a guard.
    unguarded: Option<u64>,
}

impl Walk {
    fn new(chains: Chains, head: u64) -> Self {
        Self { chains, report: Report::new(head), unguarded: None }
    }

    fn violate(&mut self, sequence: u64, why: String) {
        if self.report.violations.len() < VIOLATIONS {
            self.report.violations.push(Violation { sequence, why });
        }
    }

    /// Judges the next item; whether the walk goes on.
    fn take(&mut self, item: &Item) -> bool {
        let sequence = item.sequence();
        if let Item::Frame(stored) = item {
            let expected = self.chains.org(stored.org).guard();
            match stored.guard {
                Some(guard) if guard == expected => self.report.guards += 1,
                Some(guard) => {
                    self.violate(
                        sequence,
                        format!("guarded with sequence {guard}, the last one was {expected}"),
                    );
                }
                None => self.unguarded = self.unguarded.or(Some(sequence)),
            }
        }
        match self.chains.take_item(item) {
            Ok(step) => {
                self.report.count(item, &step);
                true
            }
            Err(error) => {
                self.violate(sequence, error.to_string());
                false
            }
        }
    }

    fn finish(mut self, gaps: Gaps) -> Report {
        self.report.mended = gaps.sequences;
        let reached = self.chains.end().sequence;
        self.report.mended.retain(|sequence| *sequence <= reached);
        // A store that keeps guards keeps all of them: one without is another writer's, or looks at other subjects.
        if let Some(sequence) = self.unguarded.filter(|_| self.report.guards > 0) {
            self.violate(sequence, "appended without the guard of its own subject".to_owned());
        }
        self.report.organizations = self.chains.orgs().collect();
        self.report
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_flood_of_foreign_messages_hides_no_others() {
        let mut report = Report::new(9);
        let burned = (1..=300).map(|sequence| (sequence, "burned"));
        let others = [(301, "x"), (302, "burned"), (305, "burned"), (306, "burned")];
        for (sequence, token) in burned.chain(others) {
            let bytes = Bytes::from_static(b"ab");
            let foreign = Item::Foreign(Foreign { sequence, token: token.to_owned(), bytes });
            report.count(&foreign, &Step::Foreign);
        }
        let listed: Vec<_> =
            report.foreign_listed.iter().map(|one| (one.sequence, one.last, one.bytes)).collect();
        assert_eq!(listed, [(1, 300, 600), (301, 301, 2), (302, 302, 2), (305, 306, 4)]);
        assert_eq!((report.foreign.count, report.foreign.last), (304, 306));
    }
}
