//! Questions the other way round: `GET /v1/who-can`, `GET /v1/accessible` and `GET /v1/permissions`.
//!
//! All pages of one list hold at the position and the instant at which it was begun; keys play no part.

use serde::{Deserialize, Serialize};

use crate::{
    questions::explain::{Path, RecordRef, Via},
    words::reference::{NamedObject, NamedPrincipal},
};

/// Query of `GET /v1/who-can`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct WhoCanQuery {
    /// Which permission of the catalog.
    pub permission: String,
    /// On what: `type:ID`.
    pub object: String,
    /// Id of the object's project, for an object below a project that is not registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// How ways are given: `whole` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub ways: Option<WaysForm>,
    /// Most items of the page: 1..1000, 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// As it was at this position or time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// How `GET /v1/who-can` gives the ways on which something is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WaysForm {
    /// The whole way of each holder in its `path`.
    Whole,
    /// What holders have in common once a page, in `ways`; of each holder its own membership alone.
    Shared,
}

/// Answer of `GET /v1/who-can`: users first, then service tokens, each ascending by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhoCan {
    /// Who.
    pub items: Vec<Holder>,
    /// With `ways=shared`: the ways of this page, each beyond the first membership of those who share it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<Path>,
    /// Where the next page begins; `null` on the last one. A page may be shorter than `limit` and still have a next one.
    pub next: Option<String>,
    /// The position at which all pages hold.
    pub position: String,
    /// The `as_of` asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// Somebody who may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Holder {
    /// Who.
    pub principal: NamedPrincipal,
    /// A shortest way on which it is granted; `POST /v1/explain` has the others. Absent with `ways=shared`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Path>,
    /// With `ways=shared`: the index of its way in `ways`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<usize>,
    /// With `ways=shared`: the membership with which its way begins; absent for a grant to the principal itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// With `ways=shared`: the record of that membership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordRef>,
}

/// Query of `GET /v1/accessible`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct AccessibleQuery {
    /// `user:ID` or `token:ID`.
    pub principal: String,
    /// Which permission of the catalog.
    pub permission: String,
    /// Which type of objects.
    #[serde(rename = "type")]
    pub object_type: String,
    /// Most items of the page: 1..1000, 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// As it was at this position or time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// Answer of `GET /v1/accessible`: living projects, groups, roles or registered objects, ascending by creation, then id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Accessible {
    /// Which objects.
    pub items: Vec<NamedObject>,
    /// Where the next page begins; `null` on the last one.
    pub next: Option<String>,
    /// The position at which all pages hold.
    pub position: String,
    /// The `as_of` asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// Query of `GET /v1/permissions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct PermissionsQuery {
    /// `user:ID` or `token:ID`.
    pub principal: String,
    /// On what: `type:ID`.
    pub object: String,
    /// Id of the object's project, for an object below a project that is not registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// As it was at this position or time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// Answer of `GET /v1/permissions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Permissions {
    /// Who.
    pub principal: NamedPrincipal,
    /// On what.
    pub object: NamedObject,
    /// Those that it has, in the order of the catalog.
    pub permissions: Vec<String>,
    /// The position at which it holds.
    pub position: String,
    /// The `as_of` asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}
