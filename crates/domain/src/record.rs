//! What one accepted command appended, and why.

use serde::{Deserialize, Serialize};

use crate::{
    command::Author,
    event::Event,
    id::{KeyId, OrgId},
    model::Personal,
    position::Position,
    principal::{Actor, Caller},
    time::Timestamp,
};

/// The schema of records that this version writes.
///
/// Schema 2 adds members and events to schema 1 and changes none: the project of an object in scopes, generations of
/// narrowings, names of objects, sessions, identities, settings, and the events that say so. What schema 1 left open
/// about an object is settled when the record is folded.
pub const RECORD_SCHEMA: u16 = 2;
/// The schemas that this version reads.
pub const READ_SCHEMAS: [u16; 2] = [1, 2];

/// Everything that one accepted command changed, all or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`RECORD_SCHEMA`] when it was written.
    pub schema: u16,
    /// The organization's own count of records, from 1, without a gap.
    pub ordinal: u64,
    /// max(clock, the organization's last `at`): never steps back.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// With which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<KeyId>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<Personal>,
    /// The caller's `Idempotency-Key`, or a UUID of ours.
    pub request_id: String,
    /// SHA-256 over method, path and canonical body, its first 128 bits in hexadecimal: present iff the caller sent the request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_hash: Option<String>,
    /// Why; no place for personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For a batch: how many events each command made, in order; empty otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<u32>,
    /// What happened, in order; at least one.
    pub events: Vec<Event>,
}

/// Who made a record, and with which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maker {
    /// Who.
    pub actor: Actor,
    /// With which key.
    pub credential: Option<KeyId>,
}

impl From<Author> for Maker {
    fn from(author: Author) -> Self {
        match author {
            Author::Caller(Caller { principal, key }) => Self { actor: principal.into(), credential: key },
            Author::System => Self { actor: Actor::System, credential: None },
            Author::Operator => Self { actor: Actor::Operator, credential: None },
        }
    }
}

impl Record {
    /// Who made it.
    pub fn maker(&self) -> Maker {
        Maker { actor: self.actor, credential: self.credential }
    }

    /// What keeps this version from taking the record as one of `org`, if anything does. Every fold asks, and stops.
    pub fn misunderstood(&self, org: OrgId) -> Option<&'static str> {
        let created = |event: &Event| matches!(event, Event::OrganizationCreated { .. });
        match self.events.split_first() {
            None => Some("a record has at least one event"),
            Some((Event::OrganizationCreated { writers, .. }, _)) if !writers.is_empty() => {
                Some("the organization demands signed frames")
            }
            Some((Event::OrganizationCreated { id, .. }, rest)) => {
                let alone = *id == org && self.ordinal == 1 && !rest.iter().any(created);
                (!alone).then_some("an organization begins once, with its own OrganizationCreated")
            }
            Some(_) if self.ordinal == 1 || self.events.iter().any(created) => {
                Some("an organization begins with its own OrganizationCreated")
            }
            Some(_) => None,
        }
    }
}

/// A record in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Where.
    pub position: Position,
    /// Whose.
    pub org: OrgId,
    /// What.
    pub record: Record,
}
