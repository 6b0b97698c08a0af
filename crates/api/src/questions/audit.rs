//! `GET /v1/audit`: what was decided, by whom, when, why.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::words::reference::Actor;

/// Media type that asks for all items, one JSON text per line, instead of a page.
pub const NDJSON: &str = "application/x-ndjson";

/// Order of the audit log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Order {
    /// Oldest first.
    #[default]
    Asc,
    /// Newest first.
    Desc,
}

/// Query of `GET /v1/audit`; all filters apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct AuditQuery {
    /// Made by: `user:ID`, `token:ID`, `system` or `operator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Made with the key of this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Concerning `user:ID` or `token:ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Concerning the group of this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Concerning the project of this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Concerning this object: `type:id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Id of the project that the object named by `object` lies in: two projects may have one of the same type and id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_project: Option<String>,
    /// Holding an event of one of these names, such as `KeyRevoked`, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// From this position or time on, inclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Up to this position, inclusive, or before this time, exclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `asc` (if absent) or `desc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub order: Option<Order>,
    /// Most items of the page: 1..1000, 100 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before, or `prev` of the page behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Beyond the record at this position, in the order asked for: goes on where a list or stream broke off. A
    /// `cursor` outweighs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// `line`: a stream ends with a line that says that it is whole, see [`AuditEnd`]. Only with `application/x-ndjson`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub end: Option<End>,
}

/// How a stream is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum End {
    /// With a line that says that it is whole.
    Line,
}

/// Most days that [`AuditDays`] spans.
pub const DAYS_MAX: u32 = 366;

/// Query of `GET /v1/audit/days`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct AuditDaysQuery {
    /// The first day, `YYYY-MM-DD`; if absent, the earliest that leaves no more than 366 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last day; if absent, that of the newest record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Answer of `GET /v1/audit/days`: when how much was decided. Days are those of UTC, `YYYY-MM-DD`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditDays {
    /// The day of the organization's first record.
    pub first: String,
    /// The day of its newest one.
    pub last: String,
    /// The days with records among those asked for, oldest first.
    pub days: Vec<AuditDay>,
}

/// How many records one day has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditDay {
    /// Which day.
    pub day: String,
    /// How many.
    pub records: u64,
}

/// One page of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditLog {
    /// What is on it.
    pub items: Vec<AuditItem>,
    /// Where the next page begins; `null` on the last one.
    pub next: Option<String>,
    /// The cursor of the page before; `null` on the first one.
    #[serde(default)]
    pub prev: Option<String>,
}

/// The last line of a stream with `end=line`: `{"end":{...}}`. Without it, the stream was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEnd {
    /// What came before it.
    pub end: AuditTotal,
}

/// What a stream held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditTotal {
    /// How many records.
    pub count: u64,
    /// The position up to which the log was read.
    pub position: String,
}

/// One record: everything that one accepted command changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditItem {
    /// Where it is in the journal.
    pub position: String,
    /// When.
    pub at: String,
    /// Who.
    pub actor: Actor,
    /// Id of the key used.
    pub credential: Option<String>,
    /// From where.
    pub source_ip: Option<String>,
    /// The `Idempotency-Key` of the request, or a generated id.
    pub request_id: String,
    /// Why.
    pub reason: Option<String>,
    /// What happened, in order: objects with the event's name as `type`, and the thing as it was after it under its
    /// kind (`token`, `grant`, `membership`, ...), in the words of its own calls.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub events: Vec<Value>,
}
