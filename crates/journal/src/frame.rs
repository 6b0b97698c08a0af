//! The frame: one message with 1..=1024 records of one organization.
//!
//! A line of JSON for the head, then one line of JSON per record, parted by `\n`, none at the end. The head names
//! the hash of the organization's previous frame and of this frame's body, so that frames form a chain which shows
//! every loss, change and exchange to whoever kept its end.

mod decode;

use bytes::Bytes;
use grantbook_domain::{
    id::{InstallationId, OrgId},
    position::RECORDS_PER_FRAME,
    record::{RECORD_SCHEMA, Record},
};
use serde::{Deserialize, Serialize};

pub use decode::decode;

use crate::hash::Hash;

/// The format of frames that this version reads and writes.
pub const FRAME_FORMAT: u16 = 1;
/// Most bytes of one record.
pub const RECORD_MAX_BYTES: usize = 512 * 1024;
/// Most bytes of one frame, its head included.
pub const FRAME_MAX_BYTES: usize = 768 * 1024;
/// More than the longest head has, its line break included.
const HEAD_MAX_BYTES: usize = 512;

/// A frame's place in its organization's chain: what the writer knows before it has the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The journal it is written for.
    pub installation: InstallationId,
    /// Whose.
    pub org: OrgId,
    /// The organization's own count of frames, from 1.
    pub ordinal: u64,
    /// Hash of the organization's previous frame, all its bytes; [`Hash::ZERO`] for the first.
    pub prev: Hash,
}

/// The first line of a frame; its fields are written in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameHead {
    /// [`FRAME_FORMAT`].
    pub format: u16,
    /// The journal it was written for.
    pub installation: InstallationId,
    /// Whose.
    pub org: OrgId,
    /// The organization's own count of frames, from 1.
    pub ordinal: u64,
    /// Hash of the organization's previous frame, all its bytes; [`Hash::ZERO`] for the first.
    pub prev: Hash,
    /// Hash of all bytes behind the first line break.
    pub body: Hash,
    /// Reserved: Ed25519 over the fields above, hexadecimal. Nothing writes it, and this version refuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl FrameHead {
    /// Its place in the chain.
    pub const fn link(&self) -> Link {
        Link { installation: self.installation, org: self.org, ordinal: self.ordinal, prev: self.prev }
    }
}

/// A frame understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its first line.
    pub head: FrameHead,
    /// At least one, their ordinals without a gap.
    pub records: Vec<Record>,
    /// Hash of the whole frame: the next frame's `prev`.
    pub hash: Hash,
}

/// Why bytes are not a frame, or records do not make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another format.
    #[error("frame format {found} is not understood, expected {FRAME_FORMAT}")]
    Format {
        /// What the frame says.
        found: u64,
    },
    /// It carries a signature.
    #[error("signed frames are not understood by this version")]
    Signed,
    /// The head is no head.
    #[error("malformed frame head: {0}")]
    Head(String),
    /// The head is not written the one way it is written.
    #[error("the frame head is not in canonical form")]
    NotCanonical,
    /// The records are not those that the head was written for.
    #[error("the frame's body does not have the hash that its head names")]
    Body,
    /// No record.
    #[error("a frame has at least one record")]
    Empty,
    /// More than 1024 records.
    #[error("a frame has at most {RECORDS_PER_FRAME} records")]
    TooMany,
    /// Longer than [`FRAME_MAX_BYTES`].
    #[error("a frame has at most {FRAME_MAX_BYTES} bytes, not {bytes}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Longer than [`RECORD_MAX_BYTES`].
    #[error("a record has at most {RECORD_MAX_BYTES} bytes, not {bytes}")]
    RecordTooLarge {
        /// Its length.
        bytes: usize,
    },
    /// A record of another schema.
    #[error("record schema {found} is not understood: this version reads schemas up to {RECORD_SCHEMA}")]
    Schema {
        /// What the record says.
        found: u64,
    },
    /// A record that cannot be understood, or cannot be written.
    #[error("record {index} of the frame: {fault}")]
    Record {
        /// Its index in the frame.
        index: usize,
        /// What the JSON reader or writer says.
        fault: String,
    },
    /// Record ordinals with a gap, or starting from 0.
    #[error("expected the organization's record {expected}, found {found}")]
    Ordinal {
        /// The ordinal due.
        expected: u64,
        /// The ordinal there.
        found: u64,
    },
}

/// A record in its stored form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRecord {
    ordinal: u64,
    json: Vec<u8>,
}

impl EncodedRecord {
    /// Encodes; refuses a record that is too long for any frame.
    pub fn of(record: &Record) -> Result<Self, FrameError> {
        if record.schema != RECORD_SCHEMA {
            return Err(FrameError::Schema { found: u64::from(record.schema) });
        }
        if let Some(fault) = fault_of(record) {
            return Err(FrameError::Record { index: 0, fault: fault.to_owned() });
        }
        let json = serde_json::to_vec(record)
            .map_err(|error| FrameError::Record { index: 0, fault: error.to_string() })?;
        if json.len() > RECORD_MAX_BYTES {
            return Err(FrameError::RecordTooLarge { bytes: json.len() });
        }
        Ok(Self { ordinal: record.ordinal, json })
    }

    /// Its bytes.
    pub fn json(&self) -> &[u8] {
        &self.json
    }
}

/// What no record may be: without events, or with steps that do not add up to them.
fn fault_of(record: &Record) -> Option<&'static str> {
    let steps: u64 = record.steps.iter().map(|step| u64::from(*step)).sum();
    if record.events.is_empty() {
        Some("a record has at least one event")
    } else if !record.steps.is_empty() && steps != record.events.len() as u64 {
        Some("the steps of a batch add up to its events")
    } else {
        None
    }
}

/// A frame in the making: takes records as they come, as many as fit.
#[derive(Debug, Clone, Default)]
pub struct FrameBuilder {
    body: Vec<u8>,
    records: u64,
    last_ordinal: u64,
}

impl FrameBuilder {
    /// Without a record.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records it has.
    pub const fn len(&self) -> u64 {
        self.records
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether the record still fits; an empty frame takes every record.
    pub fn fits(&self, record: &EncodedRecord) -> bool {
        self.records < RECORDS_PER_FRAME
            && HEAD_MAX_BYTES + self.body.len() + 1 + record.json.len() <= FRAME_MAX_BYTES
    }

    /// Adds the record; the frame is unchanged if it does not fit or does not follow the one before.
    pub fn push(&mut self, record: &EncodedRecord) -> Result<(), FrameError> {
        if self.records >= RECORDS_PER_FRAME {
            return Err(FrameError::TooMany);
        }
        if !self.fits(record) {
            return Err(FrameError::TooLarge { bytes: HEAD_MAX_BYTES + self.body.len() + record.json.len() });
        }
        let expected = if self.is_empty() { record.ordinal.max(1) } else { self.last_ordinal + 1 };
        if record.ordinal != expected {
            return Err(FrameError::Ordinal { expected, found: record.ordinal });
        }
        if !self.is_empty() {
            self.body.push(b'\n');
        }
        self.body.extend_from_slice(&record.json);
        self.records += 1;
        self.last_ordinal = record.ordinal;
        Ok(())
    }

    /// The frame's bytes; [`Hash::of`] them is the next frame's `prev`.
    pub fn finish(self, link: Link) -> Result<Bytes, FrameError> {
        if self.is_empty() {
            return Err(FrameError::Empty);
        }
        let head = FrameHead {
            format: FRAME_FORMAT,
            installation: link.installation,
            org: link.org,
            ordinal: link.ordinal,
            prev: link.prev,
            body: Hash::of(&self.body),
            signature: None,
        };
        let mut frame = Vec::with_capacity(HEAD_MAX_BYTES + self.body.len());
        write_head(&head, &mut frame)?;
        frame.push(b'\n');
        frame.extend_from_slice(&self.body);
        Ok(Bytes::from(frame))
    }
}

/// Encodes a whole frame at once.
pub fn encode(link: Link, records: &[Record]) -> Result<Bytes, FrameError> {
    let mut builder = FrameBuilder::new();
    for record in records {
        builder.push(&EncodedRecord::of(record)?)?;
    }
    builder.finish(link)
}

fn write_head(head: &FrameHead, to: &mut Vec<u8>) -> Result<(), FrameError> {
    serde_json::to_writer(to, head).map_err(|error| FrameError::Head(error.to_string()))
}
