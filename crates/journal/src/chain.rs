//! The check that every reader makes: nothing missing, nothing twice, nothing changed.

use std::collections::BTreeMap;

use grantbook_domain::{
    event::Event,
    id::{InstallationId, OrgId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    Foreign, Item, Stored,
    frame::{Frame, FrameError, Link, decode},
    hash::Hash,
};

/// How far a reader has come, of the whole stream and of each organization; fed with every item in stream order.
///
/// An error leaves it as it was. It never mends itself: whoever gets one stops and says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chains {
    installation: InstallationId,
    end: StreamEnd,
    orgs: BTreeMap<OrgId, OrgEnd>,
}

/// The last item that a reader took, and how many foreign messages it has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamEnd {
    /// Its sequence, 0 before the first.
    pub sequence: u64,
    /// Its hash, [`Hash::ZERO`] before the first.
    pub hash: Hash,
    /// Foreign messages up to there.
    #[serde(default, skip_serializing_if = "ForeignMet::is_none")]
    pub foreign: ForeignMet,
}

/// How many foreign messages a stream holds, and where the last one is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignMet {
    /// How many.
    pub count: u64,
    /// Sequence of the last one; 0 if there is none.
    pub last: u64,
}

impl ForeignMet {
    /// Counts one more.
    pub const fn meet(&mut self, sequence: u64) {
        self.count = self.count.saturating_add(1);
        self.last = sequence;
    }

    const fn is_none(&self) -> bool {
        self.count == 0
    }
}

/// The last frame of one organization that a reader took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgEnd {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Its ordinal among the organization's frames.
    pub ordinal: u64,
    /// Its hash: the next frame's `prev`.
    pub hash: Hash,
    /// Ordinal of its last record.
    pub record_ordinal: u64,
    /// `at` of its last record.
    pub at: Timestamp,
    /// Sequence of the last foreign message that stands behind it on the organization's subject; 0 if none does.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub foreign: u64,
}

impl OrgEnd {
    /// Before the organization's first frame.
    pub const START: Self = Self {
        sequence: 0,
        ordinal: 0,
        hash: Hash::ZERO,
        record_ordinal: 0,
        at: Timestamp::from_millis(i64::MIN),
        foreign: 0,
    };

    /// The guard of the organization's next append: the last sequence of its subject, whatever stands there. The end of
    /// the chain is another thing: the last frame.
    pub const fn guard(&self) -> u64 {
        if self.foreign > self.sequence { self.foreign } else { self.sequence }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What became of a frame that was fed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The next one, understood and in its place.
    Next(Frame),
    /// A foreign message in the next place, which changes nothing.
    Foreign,
    /// The last one once more: nothing to do.
    Repeat,
}

/// Why a frame cannot be taken; each names the stream sequence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Frames are missing.
    #[error("sequence {sequence}: expected {expected}, frames are missing")]
    Gap {
        /// What came.
        sequence: u64,
        /// What was due.
        expected: u64,
    },
    /// The stream went back.
    #[error("sequence {sequence}: the stream went backwards, expected {expected}")]
    Backwards {
        /// What came.
        sequence: u64,
        /// What was due.
        expected: u64,
    },
    /// The last sequence again with another frame: the stream was rewritten, or is another one.
    #[error("sequence {sequence}: quarantined, another frame was there before")]
    Quarantine {
        /// Where.
        sequence: u64,
    },
    /// The bytes are not a frame of ours.
    #[error("sequence {sequence}: {fault}")]
    Frame {
        /// Where.
        sequence: u64,
        /// What is wrong.
        #[source]
        fault: FrameError,
    },
    /// A frame written for another journal.
    #[error("sequence {sequence}: written for installation {found}, this is {expected}")]
    Installation {
        /// Where.
        sequence: u64,
        /// What the frame says.
        found: InstallationId,
        /// This journal.
        expected: InstallationId,
    },
    /// Stored as one organization's, written as another's.
    #[error("sequence {sequence}: stored for organization {stored}, written for {found}")]
    Organization {
        /// Where.
        sequence: u64,
        /// What the store says.
        stored: OrgId,
        /// What the frame says.
        found: OrgId,
    },
    /// A frame of the organization is missing, or comes twice.
    #[error("sequence {sequence}: expected frame {expected} of organization {org}, found {found}")]
    Ordinal {
        /// Where.
        sequence: u64,
        /// Whose.
        org: OrgId,
        /// The ordinal due.
        expected: u64,
        /// The ordinal there.
        found: u64,
    },
    /// The frame does not continue the frame before it.
    #[error("sequence {sequence}: the chain of organization {org} is broken")]
    Prev {
        /// Where.
        sequence: u64,
        /// Whose.
        org: OrgId,
    },
    /// A record of the organization is missing, or comes twice.
    #[error("sequence {sequence}: expected record {expected} of organization {org}, found {found}")]
    Record {
        /// Where.
        sequence: u64,
        /// Whose.
        org: OrgId,
        /// The ordinal due.
        expected: u64,
        /// The ordinal there.
        found: u64,
    },
    /// An operator went on without what was lost, and the reader holds some of that.
    #[error(
        "sequence {sequence}: an operator went on from sequence {kept} without what was lost up to {lost}, and a frame of that was read here"
    )]
    Lost {
        /// Where that is recorded.
        sequence: u64,
        /// The last sequence that was kept.
        kept: u64,
        /// The last one that was lost.
        lost: u64,
    },
    /// A record is older than the one before it.
    #[error("sequence {sequence}: time stepped back in organization {org}")]
    Time {
        /// Where.
        sequence: u64,
        /// Whose.
        org: OrgId,
    },
}

/// The ranges of sequences, behind the first up to the second, at which nothing stands because an operator went on without
/// what was there: by the records of a frame.
pub fn lost_ranges(frame: &Frame) -> impl Iterator<Item = (u64, u64)> {
    frame.records.iter().flat_map(|record| &record.events).filter_map(|event| {
        if let Event::RollbackAccepted { kept, lost } = event { Some((*kept, *lost)) } else { None }
    })
}

impl Chains {
    /// Before the first frame of this journal.
    pub const fn new(installation: InstallationId) -> Self {
        let end = StreamEnd { sequence: 0, hash: Hash::ZERO, foreign: ForeignMet { count: 0, last: 0 } };
        Self { installation, end, orgs: BTreeMap::new() }
    }

    /// Where a checkpoint left off.
    pub fn restore(
        installation: InstallationId,
        end: StreamEnd,
        orgs: impl IntoIterator<Item = (OrgId, OrgEnd)>,
    ) -> Self {
        Self { installation, end, orgs: orgs.into_iter().collect() }
    }

    /// The journal it reads.
    pub const fn installation(&self) -> InstallationId {
        self.installation
    }

    /// The last item taken.
    pub const fn end(&self) -> StreamEnd {
        self.end
    }

    /// The organization's last frame taken; [`OrgEnd::START`] if it has none.
    pub fn org(&self, org: OrgId) -> OrgEnd {
        self.orgs.get(&org).copied().unwrap_or(OrgEnd::START)
    }

    /// The organizations with their last frames, in the order of their ids.
    pub fn orgs(&self) -> impl Iterator<Item = (OrgId, OrgEnd)> {
        self.orgs.iter().map(|(org, end)| (*org, *end))
    }

    /// The place of the organization's next frame.
    pub fn next_link(&self, org: OrgId) -> Link {
        let OrgEnd { ordinal, hash, .. } = self.org(org);
        Link { installation: self.installation, org, ordinal: ordinal.saturating_add(1), prev: hash }
    }

    /// Takes the next item of the stream, or says why not.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if it is out of place, or a frame that does not continue its organization's chain.
    pub fn take_item(&mut self, item: &Item) -> Result<Step, ChainError> {
        let foreign = match item {
            Item::Frame(stored) => return self.take(stored),
            Item::Foreign(foreign) => foreign,
        };
        let sequence = foreign.sequence;
        if sequence == self.end.sequence && sequence != 0 {
            return self.again(sequence, foreign.hash());
        }
        self.take_foreign(foreign)?;
        Ok(Step::Foreign)
    }

    /// Takes a foreign message in the next place; a repetition is an error here. Subjects on which no organization has
    /// a frame are not remembered, so that nobody makes readers remember more than there are organizations.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if it is out of place.
    pub fn take_foreign(&mut self, foreign: &Foreign) -> Result<(), ChainError> {
        let sequence = foreign.sequence;
        self.expect_sequence(sequence)?;
        if let Some(end) = foreign.org().and_then(|org| self.orgs.get_mut(&org)) {
            end.foreign = sequence;
        }
        (self.end.sequence, self.end.hash) = (sequence, foreign.hash());
        self.end.foreign.meet(sequence);
        Ok(())
    }

    /// Takes the next item of the stream, which is a frame, or says why not.
    pub fn take(&mut self, stored: &Stored) -> Result<Step, ChainError> {
        let sequence = stored.sequence;
        if sequence == self.end.sequence && sequence != 0 {
            return self.again(sequence, Hash::of(&stored.bytes));
        }
        self.expect_sequence(sequence)?;
        let frame = decode(&stored.bytes).map_err(|fault| ChainError::Frame { sequence, fault })?;
        self.take_decoded(sequence, stored.org, &frame)?;
        Ok(Step::Next(frame))
    }

    /// Takes a frame that was decoded elsewhere, `org` being what the store says; a repetition is an error here.
    pub fn take_decoded(&mut self, sequence: u64, org: OrgId, frame: &Frame) -> Result<(), ChainError> {
        self.expect_sequence(sequence)?;
        if frame.head.org != org {
            return Err(ChainError::Organization { sequence, stored: org, found: frame.head.org });
        }
        let end = self.follow(sequence, frame)?;
        (self.end.sequence, self.end.hash) = (sequence, frame.hash);
        self.orgs.insert(org, end);
        Ok(())
    }

    fn again(&self, sequence: u64, hash: Hash) -> Result<Step, ChainError> {
        if hash == self.end.hash { Ok(Step::Repeat) } else { Err(ChainError::Quarantine { sequence }) }
    }

    fn expect_sequence(&self, sequence: u64) -> Result<(), ChainError> {
        let expected = self.end.sequence.saturating_add(1);
        match sequence.cmp(&expected) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => Err(ChainError::Backwards { sequence, expected }),
            std::cmp::Ordering::Greater => Err(ChainError::Gap { sequence, expected }),
        }
    }

    fn follow(&self, sequence: u64, frame: &Frame) -> Result<OrgEnd, ChainError> {
        let found = frame.head.link();
        let org = found.org;
        let expected = self.next_link(org);
        if found.installation != expected.installation {
            let (found, expected) = (found.installation, expected.installation);
            return Err(ChainError::Installation { sequence, found, expected });
        }
        if found.ordinal != expected.ordinal {
            let (found, expected) = (found.ordinal, expected.ordinal);
            return Err(ChainError::Ordinal { sequence, org, expected, found });
        }
        if found.prev != expected.prev {
            return Err(ChainError::Prev { sequence, org });
        }
        for (kept, lost) in lost_ranges(frame) {
            if self.orgs.values().any(|end| kept < end.sequence && end.sequence <= lost) {
                return Err(ChainError::Lost { sequence, kept, lost });
            }
        }
        let mut end =
            OrgEnd { sequence, ordinal: found.ordinal, hash: frame.hash, foreign: 0, ..self.org(org) };
        for record in &frame.records {
            let expected = end.record_ordinal.saturating_add(1);
            if record.ordinal != expected {
                return Err(ChainError::Record { sequence, org, expected, found: record.ordinal });
            }
            if record.at < end.at {
                return Err(ChainError::Time { sequence, org });
            }
            (end.record_ordinal, end.at) = (record.ordinal, record.at);
        }
        Ok(end)
    }
}
