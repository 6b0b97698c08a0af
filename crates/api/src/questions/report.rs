//! `GET /v1/report`: who had what, by which grant, given by whom; everybody, at one moment.

use serde::{Deserialize, Serialize};

use crate::{
    nouns::keys::KeyOfConcern,
    questions::{access::ProjectChoice, explain::RecordRef},
    words::reference::{Actor, Named, NamedGrantee, NamedObject, PrincipalType},
};

/// Media type of a report as a table (RFC 4180).
pub const CSV: &str = "text/csv";

/// The columns of a report as a table, in order. Cells that begin with `=`, `+`, `-`, `@`, a tab or a carriage return have an
/// apostrophe before it, so that no program takes them for a formula.
pub const COLUMNS: [&str; 28] = [
    "row",
    "principal_type",
    "principal_id",
    "principal_name",
    "principal_state",
    "permissions",
    "object_types",
    "organization",
    "projects",
    "objects",
    "scope",
    "grant_id",
    "granted_to_type",
    "granted_to_id",
    "granted_to_name",
    "role",
    "granted_by",
    "granted_by_id",
    "granted_with_key",
    "granted_at",
    "reason",
    "grant_position",
    "via_groups",
    "via_added_by",
    "via_positions",
    "ends_at",
    "denied_by",
    "figures",
];

/// Query of `GET /v1/report`; all filters apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ReportQuery {
    /// As it was at this position or time; needs `read` on the audit log besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Only of `user:ID` or `token:ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Only what is held through a membership in the group of this id, directly or in a group that is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Only what is held on the project of this id, or in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Only this permission.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
    /// In which form; outweighs `Accept`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub format: Option<ReportFormat>,
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ReportFormat {
    /// A table, [`COLUMNS`] in its first line; `end` in the first cell of the last, which says that it is whole.
    Csv,
    /// One document, a [`Report`].
    Json,
    /// A line `{"report":{...}}`, then a [`ReportRow`] a line, then a line `{"end":{...}}`, which says that it is whole.
    Ndjson,
}

/// A whole report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Report {
    /// What it is about, and of how many.
    pub report: ReportHead,
    /// Users, then service tokens, each by id; of one, what reaches it on the shortest way first.
    pub rows: Vec<ReportRow>,
    /// What came before it: a report without an end was cut off.
    pub end: ReportEnd,
}

/// What a report is about, and of how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportHead {
    /// Whose.
    pub organization: Named,
    /// The position at which it holds.
    pub position: String,
    /// The instant at which expiry was judged; `as_of` with this time gives the same rows again. `null` before the first
    /// record.
    pub at: Option<String>,
    /// The filters asked for.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub filters: ReportQuery,
    /// When it was made.
    pub generated_at: String,
    /// By whom.
    pub generated_by: Actor,
    /// With which key.
    pub credential: Option<String>,
    /// How many there were of everything, filters or not.
    pub population: Population,
}

/// How many there were of everything at the moment that a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Population {
    /// Active users.
    pub users: u64,
    /// Users that were deactivated.
    pub users_ended: u64,
    /// Active service tokens.
    pub tokens: u64,
    /// Service tokens that were deleted, or whose time had passed.
    pub tokens_ended: u64,
    /// Groups that were not deleted.
    pub groups: u64,
    /// Projects that were not deleted.
    pub projects: u64,
    /// Grants, allow and deny, neither revoked nor past their time; those of ended grantees and objects are among them.
    pub grants: u64,
    /// Grants that were revoked, or whose time had passed.
    pub grants_ended: u64,
    /// Records of the organization.
    pub records: u64,
}

/// What a report held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportEnd {
    /// How many rows.
    pub rows: u64,
    /// How many principals have a row.
    pub principals: u64,
    /// The position at which it holds.
    pub position: String,
}

/// One principal and one grant that gives it something. The rows of a principal together are its effective access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportRow {
    /// Who.
    pub principal: ReportPrincipal,
    /// What the grant gives it, denies taken off.
    pub gives: Vec<Gift>,
    /// The grant's scope in words, such as `all projects except those labelled env=production`.
    pub scope: String,
    /// The grant's id.
    pub grant: String,
    /// Whom it was given to: the principal itself, or a group above it.
    pub to: NamedGrantee,
    /// The role that it gives, if it gives one.
    pub role: Option<Named>,
    /// The record that gave it: who, with which key, when, why.
    pub given: RecordRef,
    /// The memberships of a shortest way from the principal to the grantee, its own first; `grantbook why` names every way.
    pub via: Vec<ReportVia>,
    /// When it ends by itself: the earliest end of the principal, the grant and the memberships of `via`.
    pub ends_at: Option<String>,
    /// Ids of the deny grants that take something of the grant away.
    pub denied_by: Vec<String>,
}

/// Whose access a row is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportPrincipal {
    /// `user` or `token`.
    #[serde(rename = "type")]
    pub kind: PrincipalType,
    /// Its id.
    pub id: String,
    /// A token's name, a user's e-mail, if the caller may read it.
    pub name: Option<String>,
    /// How it was at that moment: nobody else has access.
    pub state: PrincipalState,
    /// Its working keys, now, whose issuer could not give today what they can do. Not in reports about the past, nor in CSV.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys_of_concern: Vec<KeyOfConcern>,
}

/// How an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PrincipalState {
    /// It may do what it was given.
    Active,
}

/// Permissions held in the same places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Gift {
    /// Which.
    pub permissions: Vec<String>,
    /// On objects of which types.
    pub object_types: Vec<String>,
    /// Whether on the organization and on everything in it that lies in no project.
    pub organization: bool,
    /// On which projects, and what lies in them; exact at the position.
    pub projects: ProjectChoice,
    /// On which single objects besides, and what lies below them.
    pub objects: Vec<NamedObject>,
    /// On which single objects not, though they lie in such a place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_objects: Vec<NamedObject>,
}

/// One membership on the way to a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportVia {
    /// The group that the principal, or the group before, is in.
    pub group: Named,
    /// In force before this instant.
    pub expires_at: Option<String>,
    /// The record that put it in: who, with which key, when, why.
    pub added: RecordRef,
}
