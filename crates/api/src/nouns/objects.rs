//! `/v1/objects`

use serde::{Deserialize, Serialize};

use crate::words::patch::Change;

/// Body of `POST /v1/objects`: an object whose id is the caller's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegisterObject {
    /// Name of the type in the catalog.
    #[serde(rename = "type")]
    pub object_type: String,
    /// The caller's own id of it.
    pub id: String,
    /// Id of its project: required iff the type lies below project.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub project: Option<String>,
    /// A label for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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
    /// The caller's own id of it.
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
