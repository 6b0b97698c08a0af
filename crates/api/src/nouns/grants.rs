//! `/v1/grants`: grantee x permissions x scope x effect.

use serde::{Deserialize, Serialize};

use crate::words::{
    reference::{GranteeRef, NamedGrantee},
    scope::Scope,
    state::State,
};

/// Whether a grant gives or takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Effect {
    /// Gives.
    #[default]
    Allow,
    /// Takes, whatever allows; never on administrative types.
    Deny,
}

/// Body of `POST /v1/grants`: exactly one of `role` and `permissions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateGrant {
    /// Whom it is given to.
    pub to: GranteeRef,
    /// Id of a role, or `Owner`, `Engineer`, `Viewer`.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub role: Option<String>,
    /// Permissions by name.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub permissions: Option<Vec<String>>,
    /// Where.
    pub on: Scope,
    /// Allow (if absent) or deny.
    #[serde(default)]
    pub effect: Effect,
    /// Only on objects of exactly this type.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub object_type: Option<String>,
    /// In force before this instant (RFC 3339), or `never`, as if absent.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<String>,
    /// Why; no place for personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Query of `GET /v1/grants`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct GrantQuery {
    /// Only grants to this grantee: `user:ID`, `token:ID` or `group:ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only grants of this role: its id or built-in name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Only grants that name the project: on it, or by its id in a selector.
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

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// Whom it is given to.
    pub to: NamedGrantee,
    /// Id of the role that it gives; else `permissions` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The permissions that it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<String>>,
    /// Where.
    pub on: Scope,
    /// Allow or deny.
    pub effect: Effect,
    /// Only on objects of exactly this type.
    pub object_type: Option<String>,
    /// In force before this instant.
    pub expires_at: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// One of the three that every organization begins with: never revoked.
    #[serde(default)]
    pub builtin: bool,
    /// When it was given.
    pub created_at: String,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// How it is; only in reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}
