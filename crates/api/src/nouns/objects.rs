//! `/v1/objects`

use serde::{Deserialize, Serialize};

use crate::words::patch::Change;

/// What if the name of a new object is taken. `number`: it gets the first free name of `NAME-2`, `NAME-3`, ... `use`: nothing is
/// made, and the answer is the object that has the name, if the caller may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum IfTaken {
    /// The name with the first number from 2 on that is free: `NAME-2`.
    Number,
    /// Nothing is made: the answer is the object that has the name, if the caller may read it.
    Use,
}

/// Body of `POST /v1/objects`: an object whose id is the caller's own, or one that gets an id from Grantbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegisterObject {
    /// Name of the type in the catalog.
    #[serde(rename = "type")]
    pub object_type: String,
    /// The caller's own id of it. Without it, Grantbook chooses one, and the object needs a name.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub id: Option<String>,
    /// Id of its project: required iff the type lies below project.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub project: Option<String>,
    /// A label for people; required without an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only without an id: what if a living object of the same type and project has the name. `number` if absent.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub if_taken: Option<IfTaken>,
}

/// Body of `PATCH /v1/objects/{type}/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateObject {
    /// New name; `null` clears it.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Change<String>,
}

/// Query of `PATCH` and `DELETE /v1/objects/{type}/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ObjectProjectQuery {
    /// Id of the object's project; needed where several projects that the caller sees have such an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// Query of `GET /v1/objects`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ObjectQuery {
    /// Which type; required.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub object_type: Option<String>,
    /// Only those with exactly this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only those in the project with this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
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

/// A registered object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Object {
    /// Name of the type in the catalog.
    #[serde(rename = "type")]
    pub object_type: String,
    /// The caller's own id of it, or the one that Grantbook chose.
    pub id: String,
    /// Id of its project, if its type lies below project.
    pub project: Option<String>,
    /// A label for people.
    pub name: Option<String>,
    /// When it was registered.
    pub created_at: String,
    /// When it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<String>,
}
