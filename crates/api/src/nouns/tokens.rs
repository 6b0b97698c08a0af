//! `/v1/tokens`: service tokens, accounts for programs. Their secrets are [keys](crate::nouns::keys).

use serde::{Deserialize, Serialize};

use crate::{
    nouns::keys::KeyOfConcern,
    words::{patch::Change, state::State},
};

/// Body of `POST /v1/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateToken {
    /// Unique among the living tokens; no place for personal data.
    pub name: String,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Active before this instant (RFC 3339), or `never`, as if absent.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<String>,
    /// The token's id in another system, such as a directory; unique among the living tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// Body of `PATCH /v1/tokens/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateToken {
    /// New name.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    /// New description; `null` clears it.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Change<String>,
    /// New end (RFC 3339), or `never`.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<String>,
    /// New external id; `null` clears it.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub external_id: Change<String>,
}

/// A service token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Token {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What for.
    pub description: Option<String>,
    /// Active before this instant.
    pub expires_at: Option<String>,
    /// The token's id in another system, such as a directory.
    pub external_id: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
    /// Working keys whose issuer could not give today what they can do. Only where one is read by its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys_of_concern: Vec<KeyOfConcern>,
    /// How it is; only in reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}
