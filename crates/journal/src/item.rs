//! What stands at one sequence of the stream: a frame, or a message that no writer of the journal published.

use bytes::Bytes;
use grantbook_domain::id::OrgId;

use crate::hash::Hash;

/// What stands at one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A message that was appended to the journal: a frame, or damage.
    Frame(Stored),
    /// A message that was not.
    Foreign(Foreign),
}

/// A frame in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// Whose it is, as the store says; [`chain::Chains`](crate::chain::Chains) compares it with what the frame says.
    pub org: OrgId,
    /// The whole frame.
    pub bytes: Bytes,
    /// The sequence that its append was guarded with, where the store keeps that beside the frame.
    pub guard: Option<u64>,
}

/// A message without the mark of an append. It takes a sequence and moves the guard of its subject. It is part of no
/// organization's chain and changes nothing else.
///
/// In NATS, anybody who may ask the servers a question names the subject of the answer, and permissions to publish do
/// not apply to answers. So such messages can be kept out by accounts only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// The last token of its subject: the id of an organization, or anything else.
    pub token: String,
    /// Its payload. Headers are the transport's, and are not kept.
    pub bytes: Bytes,
}

impl Item {
    /// Its place in the stream, from 1.
    pub const fn sequence(&self) -> u64 {
        match self {
            Self::Frame(stored) => stored.sequence,
            Self::Foreign(foreign) => foreign.sequence,
        }
    }

    /// On whose subject it stands; none if that is no organization's.
    pub fn org(&self) -> Option<OrgId> {
        match self {
            Self::Frame(stored) => Some(stored.org),
            Self::Foreign(foreign) => foreign.org(),
        }
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &Bytes {
        match self {
            Self::Frame(stored) => &stored.bytes,
            Self::Foreign(foreign) => &foreign.bytes,
        }
    }

    /// The hash by which a reader knows it again. A foreign message with the bytes of a frame has another hash.
    pub fn hash(&self) -> Hash {
        match self {
            Self::Frame(stored) => Hash::of(&stored.bytes),
            Self::Foreign(foreign) => foreign.hash(),
        }
    }

    /// The frame, if it is one.
    pub const fn frame(&self) -> Option<&Stored> {
        match self {
            Self::Frame(stored) => Some(stored),
            Self::Foreign(_) => None,
        }
    }

    /// The frame, if it is one.
    pub fn into_frame(self) -> Option<Stored> {
        match self {
            Self::Frame(stored) => Some(stored),
            Self::Foreign(_) => None,
        }
    }
}

impl Foreign {
    /// Whose subject it is on; none if that is no organization's. Ids have one spelling, and NATS compares subjects byte
    /// by byte: another spelling is another subject.
    pub fn org(&self) -> Option<OrgId> {
        self.token.parse().ok()
    }

    /// The hash by which a reader knows it again, over subject and payload.
    pub fn hash(&self) -> Hash {
        let mut text = Vec::with_capacity(self.token.len() + self.bytes.len() + 9);
        text.extend_from_slice(b"foreign\0");
        text.extend_from_slice(self.token.as_bytes());
        text.push(0);
        text.extend_from_slice(&self.bytes);
        Hash::of(&text)
    }
}
