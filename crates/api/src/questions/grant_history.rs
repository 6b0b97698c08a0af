//! `GET /v1/grants/history`: everything that was ever granted, by whom, to whom, when, from where, with which
//! credential, why, and what of it still holds.

use serde::{Deserialize, Serialize};

use crate::{
    nouns::grants::Grant,
    questions::{audit::Order, explain::RecordRef},
    words::reference::Named,
};

/// Query of `GET /v1/grants/history`; all filters apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct GrantHistoryQuery {
    /// Given by: `user:ID`, `token:ID`, `system` or `operator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Given to exactly this grantee: `user:ID`, `token:ID` or `group:ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Reaching into the project of this id, or an object in it, at some moment between being given and being revoked,
    /// ended or expired: also by a selector, judged by the project's names and labels of those times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// In the order in which they were given: `asc` (if absent) or `desc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub order: Option<Order>,
    /// Most items of the page: 1..1000, 100 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// As it was at this position or time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// A grant that was given once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantedItem {
    /// The grant, its `to` with a name.
    pub grant: Grant,
    /// The role that it gives, with its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Named>,
    /// Its scope in words, such as `all projects except those labelled env=production`.
    pub scope: String,
    /// The record that gave it: who, when, with which credential, why.
    pub given: RecordRef,
    /// From where it was given.
    pub source_ip: Option<String>,
    /// With `project`: how far it reaches into the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// What has become of it.
    pub state: GrantState,
    /// Whether it still holds: it is in force, and with `project`, takes the project in as that is now.
    pub holds: bool,
    /// The record that ended it, if one did: its own revocation, or the end of its grantee or object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<RecordRef>,
}

/// How far a grant reaches into a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Reach {
    /// The whole project.
    Project,
    /// One object in it.
    Below,
}

/// What has become of a grant: the first of these that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum GrantState {
    /// It was revoked.
    Revoked,
    /// Whom it was given to has ended, or its time has passed.
    GranteeEnded,
    /// What it was given on has ended.
    ObjectEnded,
    /// Its time has passed.
    Expired,
    /// It is in force.
    InForce,
}
