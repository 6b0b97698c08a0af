//! `GET /v1/access?principal=token:ID`: effective access.

use serde::{Deserialize, Serialize};

use crate::{
    nouns::keys::KeyOfConcern,
    words::reference::{Named, NamedObject, NamedPrincipal},
};

/// Query of `GET /v1/access`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct AccessQuery {
    /// `user:ID` or `token:ID`.
    pub principal: String,
    /// Most entries of the page: 1..1000, 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// As it was at this position or time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// Answer of `GET /v1/access`: one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Access {
    /// The principal whose access this is.
    pub principal: NamedPrincipal,
    /// The position at which it holds.
    pub position: String,
    /// The `as_of` asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// The permissions, in catalog order; those without any access are left out. A permission has several entries
    /// when it reaches differently for different object types; their `object_types` do not overlap. An entry with very many
    /// projects or objects is given in parts: entries of the same permission and types, each of which holds by itself.
    pub permissions: Vec<AccessEntry>,
    /// Where the next page begins; `null` on the last one. All pages hold at the position and the instant of the first.
    pub next: Option<String>,
    /// Its working keys, now, whose issuer could not give today what they can do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys_of_concern: Vec<KeyOfConcern>,
}

/// One permission, on these types of objects, in these places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessEntry {
    /// The permission.
    pub permission: String,
    /// On objects of which types.
    pub object_types: TypeChoice,
    /// Whether on the organization and on everything in it that lies in no project.
    pub organization: bool,
    /// On which projects, and what lies in them; exact at the position.
    pub projects: ProjectChoice,
    /// On which single objects besides, and what lies below them.
    pub objects: Vec<NamedObject>,
    /// On which single objects not, though they lie in such a place (a deny on the object).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_objects: Vec<NamedObject>,
}

/// Permissions that are held on the same types of objects in the same places: one line a kind of right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessLine {
    /// The permissions, in the order of the catalog.
    pub permissions: Vec<String>,
    /// On objects of which types; `{"all_but": []}` for every type.
    pub object_types: TypeChoice,
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

/// Object types by name: only these, or all but these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TypeChoice {
    /// These.
    Only(Vec<String>),
    /// Every other one of the catalog, as it was at that moment.
    AllBut(Vec<String>),
}

/// Projects: only these, or all but these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProjectChoice {
    /// These.
    Only(Vec<Named>),
    /// Every other one.
    AllBut(Vec<Named>),
}
