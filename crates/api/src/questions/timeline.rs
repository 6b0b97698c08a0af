//! `GET /v1/timeline?principal=..` or `?project=..`: how effective access changed, each step with the records that caused
//! it.

use serde::{Deserialize, Serialize};

use crate::{
    questions::diff::{Moment, PrincipalChange},
    words::reference::Actor,
};

/// Query of `GET /v1/timeline`: exactly one of `principal` and `project`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct TimelineQuery {
    /// Of `user:ID` or `token:ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Of everybody's access to the project of this id, and to what lies in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// After this position or time; from the beginning if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Up to this position or time; up to now if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Most items of the page: 1..1000, 100 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Answer of `GET /v1/timeline`: one page, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timeline {
    /// After this moment.
    pub from: Moment,
    /// Up to this one.
    pub to: Moment,
    /// The steps. One that is longer than a page is continued on the next, which begins with the same step and further changes.
    pub items: Vec<TimelineStep>,
    /// Where the next page begins; `null` on the last one. A page may be short, even empty, and still have a next one.
    pub next: Option<String>,
}

/// What made access change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Cause {
    /// A record, when it was written.
    Record,
    /// A time had passed that a record had set.
    Expiry,
}

/// One change of access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimelineStep {
    /// When.
    pub at: String,
    /// The last record that counts from then on.
    pub position: String,
    /// What made it so.
    pub cause: Cause,
    /// The record; of an expiry, those that had set the time.
    pub records: Vec<StepRecord>,
    /// Who gained and lost what.
    pub changes: Vec<PrincipalChange>,
}

/// A record behind a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepRecord {
    /// Where it is in the journal.
    pub position: String,
    /// When it was written.
    pub at: String,
    /// Who.
    pub actor: Actor,
    /// Id of the key used.
    pub credential: Option<String>,
    /// Why, as far as it was said and the caller may read the audit log.
    pub reason: Option<String>,
    /// The names of its events, in order.
    pub events: Vec<String>,
}
