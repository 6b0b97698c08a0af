//! `/v1/users`

use serde::{Deserialize, Serialize};

use crate::{
    nouns::keys::KeyOfConcern,
    words::{patch::Change, state::State},
};

/// Body of `POST /v1/users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateUser {
    /// Unique among the active users, compared ASCII-lowercased.
    pub email: String,
    /// The person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The user's id in another system, such as a directory; unique among the active users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// Body of `PATCH /v1/users/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateUser {
    /// New e-mail.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub email: Option<String>,
    /// New name; `null` clears it.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Change<String>,
    /// New external id; `null` clears it.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub external_id: Change<String>,
}

/// A person's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Its id.
    pub id: String,
    /// Its e-mail.
    pub email: String,
    /// The person's name.
    pub name: Option<String>,
    /// The user's id in another system, such as a directory.
    pub external_id: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it was deactivated, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated_at: Option<String>,
    /// Working keys whose issuer could not give today what they can do. Only where one is read by its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys_of_concern: Vec<KeyOfConcern>,
    /// How it is; only in reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}
