//! What subscribers get of a record, whichever way they subscribe: its events, and what it changed of effective access.
//!
//! All of it follows from the journal alone, so it is the same on every node and however often it is asked for. Things
//! are named by their ids: names change.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::words::reference::{Actor, ObjectRef, PrincipalRef};

/// What a message's [`CloudEvent::kind`] begins with, before the name of the event or of the change.
pub const TYPE_PREFIX: &str = "grantbook.";

/// One message with the attributes of `CloudEvents` 1.0; as JSON it is the spec's structured form.
///
/// `id` is unique for its `source`: for an event `<position>/<index>`, for a change of access `<position>/c<index>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CloudEvent {
    /// `1.0`.
    pub specversion: String,
    /// Unique for the source; the same however often the message is delivered.
    pub id: String,
    /// `urn:grantbook:organization:<id>`.
    pub source: String,
    /// `grantbook.` and the name of the event, such as `grantbook.GrantCreated`, or of the change: `grantbook.AccessLost`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about, as `type:id`; of a membership, the group. Of a change, the record's first causing position.
    pub subject: String,
    /// The record's time.
    pub time: String,
    /// `application/json`.
    pub datacontenttype: String,
    /// An [`EventData`] or an [`AccessChange`].
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub data: Value,
}

/// One event of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventData {
    /// Where the record is in the journal.
    pub position: String,
    /// Which of the record's events it is, from 0.
    pub index: u32,
    /// How many events the record has.
    pub of: u32,
    /// When.
    pub at: String,
    /// Who.
    pub actor: Actor,
    /// Id of the key used.
    pub credential: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The `Idempotency-Key` of the request, or a generated id.
    pub request_id: String,
    /// What happened, as in the audit log: its name as `type`, and the thing as it was after it under its kind.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub event: Value,
}

/// Whether access came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ChangeType {
    /// Somebody may do what he could not do.
    AccessGained,
    /// Somebody may not do what he could do.
    AccessLost,
}

impl ChangeType {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessGained => "AccessGained",
            Self::AccessLost => "AccessLost",
        }
    }
}

/// One change of effective access: everybody in `who` gained, or lost, all of `access`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
// Plans have a schema of that name already.
#[cfg_attr(feature = "openapi", schema(as = SubscribedChange))]
pub struct AccessChange {
    /// Gained or lost.
    #[serde(rename = "type")]
    pub kind: ChangeType,
    /// The record with which it shows.
    pub position: String,
    /// Which of the record's changes it is, from 0.
    pub index: u32,
    /// How many changes the record has.
    pub of: u32,
    /// The record's time.
    pub at: String,
    /// Whose access it is.
    pub who: Who,
    /// What.
    pub access: Vec<ChangedAccess>,
    /// Why: the record itself, or times that had passed since the record before it.
    pub causes: Vec<ChangeCause>,
}

/// A set of users and service tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Who {
    /// These.
    Only(Vec<PrincipalRef>),
    /// Everybody in a group but for some.
    Group(GroupMembers),
}

/// Every active user and service token in a group, directly or through other groups, by memberships in force: after the
/// record for what was gained, just before it for what was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupMembers {
    /// The group.
    pub id: String,
    /// Who is in it, and nevertheless not meant.
    pub except: Vec<PrincipalRef>,
}

/// Permissions on objects of some types, in some places; reads like a row of `GET /v1/access`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangedAccess {
    /// Each of these,
    pub permissions: Vec<String>,
    /// on objects of each of these types.
    pub object_types: Vec<String>,
    /// Whether on the organization and on everything in it that lies in no project.
    pub organization: bool,
    /// On which projects, and what lies in them; exact at the record, or just before it for what was lost.
    pub projects: ProjectIds,
    /// On which single objects besides, and what lies below them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectRef>,
    /// On which single objects not, though they lie in such a place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_objects: Vec<ObjectRef>,
}

/// Projects by id: only these, or all but these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProjectIds {
    /// These.
    Only(Vec<String>),
    /// Every other one.
    AllBut(Vec<String>),
}

/// What made access change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeCause {
    /// Whether a time had passed; else the record did it.
    pub expiry: bool,
    /// The record; of an expiry, the one that had set the time.
    pub position: String,
}
