//! `GET /v1/watch`: records, and changes of access, as they come; a stream of server-sent events.
//!
//! | `event` | `data` |
//! | --- | --- |
//! | `record` | an [`AuditItem`](crate::questions::audit::AuditItem), without people's names |
//! | `change` | an [`AccessChange`](crate::questions::feed::AccessChange) |
//! | `stale` | a [`WatchStale`]: whether the node is beyond its bounds from here on; it has no `id` |
//! | `error` | a [`Problem`](crate::words::problem::Problem): what keeps the node from going on |
//! | `end` | a [`WatchEnd`]: the last message, unless the connection breaks off |
//!
//! The `id` of the last message of a record is the record's position; of those before it, the position, a dot and a number.
//! Whoever sends the last one back as `Last-Event-ID` gets what comes after it, each message once.

use serde::{Deserialize, Serialize};

/// The media type.
pub const EVENT_STREAM: &str = "text/event-stream";
/// `from` for everything since the beginning.
pub const START: &str = "start";

/// Query of `GET /v1/watch`; all filters apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct WatchQuery {
    /// Beyond this position, or `start`: from the organization's first record. Absent: what comes from now on. The header
    /// `Last-Event-ID` outweighs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Records with an event of one of these names, and changes of these names (`AccessGained`, `AccessLost`), separated by
    /// commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Concerning `user:ID` or `token:ID`; changes: of its access.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Concerning the project of this id; changes: what of them is on it, or in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// `record` or `change`; both if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub kind: Option<WatchKind>,
}

/// Which messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WatchKind {
    /// Records.
    Record,
    /// Changes of access.
    Change,
}

/// Whether what follows comes from a node that is beyond its bounds, and goes on all the same (`--when-stale mark`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WatchStale {
    /// It is beyond them, and there may be records that it does not know of; or it is not any more.
    pub stale: bool,
    /// How many frames of the journal it is known to lack.
    pub lag_frames: u64,
    /// For how many milliseconds nothing has proved that it has everything.
    pub age_ms: u64,
}

/// Why a stream ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WatchEnd {
    /// `key_revoked`, `key_expired`, `inactive_principal` or `forbidden`: the caller may watch no more. `stopping`: the node
    /// ends; another can go on. Otherwise the code of the error before it: `stale`, `quarantined`, `internal`.
    pub reason: String,
    /// The same in words.
    pub detail: String,
}
