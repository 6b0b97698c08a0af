//! `GET /v1/diff?from=..&to=..`: who gained and lost what between two moments.

use serde::{Deserialize, Serialize};

use crate::{questions::access::AccessLine, words::reference::NamedPrincipal};

/// Query of `GET /v1/diff`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct DiffQuery {
    /// The earlier moment: a position or a time.
    pub from: String,
    /// The later moment; now if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only of `user:ID` or `token:ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Only on the project of this id, and in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Most items of the page: 1..1000, 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A moment: after which record, and at which instant expiry is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Moment {
    /// The last record that counts.
    pub position: String,
    /// What time it is; `null` before the first record.
    pub at: Option<String>,
}

/// Answer of `GET /v1/diff`: one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Diff {
    /// The earlier moment.
    pub from: Moment,
    /// The later moment.
    pub to: Moment,
    /// Who gained or lost something: users, then service tokens, each by id. A principal whose changes are longer than a page
    /// is continued on the next: an item of the same principal with further lines.
    pub items: Vec<PrincipalChange>,
    /// Where the next page begins; `null` on the last one. A page may be short, even empty, and still have a next one.
    pub next: Option<String>,
}

/// What one principal gained and lost: one line a kind of right, permissions that are held in the same places together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PrincipalChange {
    /// Who.
    pub principal: NamedPrincipal,
    /// What it holds at the later moment and did not at the earlier one.
    pub gained: Vec<AccessLine>,
    /// What it held at the earlier moment and does not at the later one.
    pub lost: Vec<AccessLine>,
}
