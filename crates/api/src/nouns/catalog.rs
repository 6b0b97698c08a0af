//! `/v1/catalog`

use serde::{Deserialize, Serialize};

/// Body of `POST /v1/catalog`: names to add. They are never removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExtendCatalog {
    /// New object types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub object_types: Vec<NewObjectType>,
    /// New permissions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
}

/// An object type to add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewObjectType {
    /// Its name.
    pub name: String,
    /// `organization`, `project` or a type below them; fixed for ever.
    pub parent: String,
}

/// The catalog; as the answer to a POST, what that request added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Catalog {
    /// The object types.
    pub object_types: Vec<ObjectType>,
    /// The permissions.
    pub permissions: Vec<String>,
}

/// An object type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ObjectType {
    /// Its name.
    pub name: String,
    /// The type it lies below; `null` for `organization` alone.
    pub parent: Option<String>,
}
