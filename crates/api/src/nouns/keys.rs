//! `/v1/tokens/{id}/keys`, `/v1/users/{id}/keys` and `/v1/keys/{id}`: secrets of principals.

use serde::{Deserialize, Serialize};

use crate::words::{
    patch::Change,
    reference::{Actor, NamedPrincipal},
    scope::Scope,
    secret::Secret,
    state::State,
};

/// Body of `POST /v1/tokens/{id}/keys` and `POST /v1/users/{id}/keys`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssueKey {
    /// A label for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Active before this instant (RFC 3339), or `never`, as if absent; fixed.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<String>,
    /// What the key may at most do of what its principal may; fixed.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub narrow: Option<Narrowing>,
}

/// What a key may at most do of what its principal may; both members apply, and at least one is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Narrowing {
    /// Only these permissions; all if absent.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub permissions: Option<Vec<String>>,
    /// Only here; everywhere if absent.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub on: Option<Scope>,
}

/// Body of `POST /v1/keys/{id}/rotate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotateKey {
    /// How long the old key still works, in seconds; never past its own expiry.
    #[serde(default = "an_hour")]
    #[cfg_attr(feature = "openapi", schema(default = 3600))]
    pub grace_seconds: u64,
}

/// Which keys of a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum IssuedWith {
    /// Those that were issued with the key that is presented.
    Own,
}

/// Query of `GET /v1/tokens/{id}/keys` and `GET /v1/users/{id}/keys`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct KeyQuery {
    /// `own`: only those that were issued with the key that is presented.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub issued_with: Option<IssuedWith>,
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

/// The grace of a rotation that asks for none: time to bring the new key to wherever the old one is used.
pub const fn an_hour() -> u64 {
    3_600
}

/// What makes a key a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionOf {
    /// Id of the key that it was started with.
    pub parent: Option<String>,
    /// When its holder signed in.
    pub signed_in_at: String,
}

/// A working key whose issuer could not give today what the key can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyOfConcern {
    /// Id of the key.
    pub key: String,
    /// Who issued it, or the key that it was issued with.
    pub issued_by: Actor,
}

/// A key. Its text is in exactly one answer: the first one to the request that issued it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Whose.
    pub principal: NamedPrincipal,
    /// A label for people.
    pub name: Option<String>,
    /// The beginning of its text: enough to recognise it, useless to use it.
    pub preview: String,
    /// The key itself when issued or rotated; `null` in the repeated answer; absent everywhere else.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub secret: Change<Secret>,
    /// `true` in a repeated answer: the secret is not given again; revoke this key and issue another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret_withheld: bool,
    /// Active before this instant.
    pub expires_at: Option<String>,
    /// What it is narrowed to.
    pub narrow: Option<Narrowing>,
    /// When it was issued.
    pub created_at: String,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// Id of the key that it replaced in a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Present on a session: in the audit log and streams, as lists of keys do not show sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionOf>,
    /// In the answer to a rotation: until when the replaced key works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_valid_until: Option<String>,
    /// How it is; only in reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}
