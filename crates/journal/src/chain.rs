//! The check that every reader makes: nothing missing, nothing twice, nothing changed.

use std::collections::BTreeMap;

use grantbook_domain::{
    id::{InstallationId, OrgId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    Stored,
    frame::{Frame, FrameError, Link, decode},
    hash::Hash,
};

/// How far a reader has come, of the whole stream and of each organization; fed with every frame in stream order.
///
/// An error leaves it as it was. It never mends itself: whoever gets one stops and says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chains {
    installation: InstallationId,
    end: StreamEnd,
    orgs: BTreeMap<OrgId, OrgEnd>,
}

/// The last frame that a reader took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamEnd {
    /// Its sequence, 0 before the first.
    pub sequence: u64,
    /// Its hash, [`Hash::ZERO`] before the first.
    pub hash: Hash,
}

/// The last frame of one organization that a reader took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgEnd {
    /// Its sequence in the stream: the guard of the organization's next append.
    pub sequence: u64,
    /// Its ordinal among the organization's frames.
    pub ordinal: u64,
    /// Its hash: the next frame's `prev`.
    pub hash: Hash,
    /// Ordinal of its last record.
    pub record_ordinal: u64,
    /// `at` of its last record.
    pub at: Timestamp,
}

impl OrgEnd {
    /// Before the organization's first frame.
    pub const START: Self = Self {
        sequence: 0,
        ordinal: 0,
        hash: Hash::ZERO,
        record_ordinal: 0,
        at: Timestamp::from_millis(i64::MIN),
    };
}

/// What became of a frame that was fed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The next one, understood and in its place.
    Next(Frame),
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
    /// A record is older than the one before it.
    #[error("sequence {sequence}: time stepped back in organization {org}")]
    Time {
        /// Where.
        sequence: u64,
        /// Whose.
        org: OrgId,
    },
}

impl Chains {
    /// Before the first frame of this journal.
    pub const fn new(installation: InstallationId) -> Self {
        let end = StreamEnd { sequence: 0, hash: Hash::ZERO };
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

    /// The last frame taken.
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

    /// Takes the next frame of the stream, or says why not.
    pub fn take(&mut self, stored: &Stored) -> Result<Step, ChainError> {
        let sequence = stored.sequence;
        if sequence == self.end.sequence && sequence != 0 {
            return self.again(stored);
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
        self.end = StreamEnd { sequence, hash: frame.hash };
        self.orgs.insert(org, end);
        Ok(())
    }

    fn again(&self, stored: &Stored) -> Result<Step, ChainError> {
        if Hash::of(&stored.bytes) == self.end.hash {
            return Ok(Step::Repeat);
        }
        Err(ChainError::Quarantine { sequence: stored.sequence })
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
        let mut end = OrgEnd { sequence, ordinal: found.ordinal, hash: frame.hash, ..self.org(org) };
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
