//! Reading a whole journal to see that nothing is missing, changed or appended past its guard.

use std::{num::NonZeroUsize, time::Duration};

use grantbook_domain::id::OrgId;

use crate::{
    Gaps, Journal, ReadError, Stored, Tail,
    chain::{Chains, OrgEnd, Step},
};

/// Most frames read at once.
const FRAMES: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(frames) => frames,
    None => NonZeroUsize::MIN,
};
/// A journal that gives nothing for so long, although its head lies further, has lost what is there.
const PATIENCE: Duration = Duration::from_secs(30);
/// No more violations than these are told.
const VIOLATIONS: usize = 20;

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
    /// What is wrong, by sequence; the first twenty.
    pub violations: Vec<Violation>,
    /// Sequences that one copy of the store does not have, or has damaged, and another one gave: as far as was seen, as
    /// a reader meets some of the copies only.
    pub mended: Vec<u64>,
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
        let frames = match tail.next(FRAMES, PATIENCE).await {
            Ok(frames) => frames,
            Err(ReadError::Damaged { sequence }) => {
                walk.violate(sequence, "the store does not have it".to_owned());
                break;
            }
            Err(error) => return Err(error),
        };
        if frames.is_empty() {
            walk.violate(walk.chains.end().sequence.saturating_add(1), "it does not come".to_owned());
            break;
        }
        if !frames.iter().all(|stored| walk.take(stored)) {
            break;
        }
        progress(walk.chains.end().sequence, head);
    }
    Ok(walk.finish(journal.gaps()))
}

struct Walk {
    chains: Chains,
    report: Report,
    /// The first frame without a guard.
    unguarded: Option<u64>,
}

impl Walk {
    fn new(chains: Chains, head: u64) -> Self {
        let report = Report {
            head,
            frames: 0,
            records: 0,
            guards: 0,
            organizations: Vec::new(),
            violations: Vec::new(),
            mended: Vec::new(),
        };
        Self { chains, report, unguarded: None }
    }

    fn violate(&mut self, sequence: u64, why: String) {
        if self.report.violations.len() < VIOLATIONS {
            self.report.violations.push(Violation { sequence, why });
        }
    }

    /// Judges the next frame; whether the walk goes on.
    fn take(&mut self, stored: &Stored) -> bool {
        let (sequence, expected) = (stored.sequence, self.chains.org(stored.org).sequence);
        match stored.guard {
            Some(guard) if guard == expected => self.report.guards += 1,
            Some(guard) => {
                self.violate(sequence, format!("guarded with sequence {guard}, the last one was {expected}"));
            }
            None => self.unguarded = self.unguarded.or(Some(sequence)),
        }
        match self.chains.take(stored) {
            Ok(Step::Next(frame)) => {
                self.report.frames += 1;
                self.report.records += frame.records.len() as u64;
                true
            }
            Ok(Step::Repeat) => true,
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
