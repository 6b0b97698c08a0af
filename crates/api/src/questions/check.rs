//! `POST /v1/check` and `POST /v1/check/batch`. A denial is an answer, not an error.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::words::{reference::PrincipalRef, secret::Secret};

/// Most questions of one `POST /v1/check/batch`.
pub const CHECKS_MAX: usize = 1000;

/// Body of `POST /v1/check` and of `POST /v1/explain`. Without `principal` and `key` the caller asks about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckRequest {
    /// Who; no key's narrowing applies.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub principal: Option<PrincipalRef>,
    /// With which key: its text or its id; the narrowing applies.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key: Option<Secret>,
    /// Which permission.
    pub permission: String,
    /// On what.
    pub object: CheckObject,
}

/// The object of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckObject {
    /// Name of the type in the catalog.
    #[serde(rename = "type")]
    pub object_type: String,
    /// Its id.
    pub id: String,
    /// Id of its project, for types below project. The object is looked up in this project, even if it is not
    /// registered there. If absent: the one project visible to the caller that has such an object.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub project: Option<String>,
}

/// Why a check has its answer: the first that applies, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Reason {
    /// Some allow applies and no deny.
    Granted,
    /// There is no such key, or its text is not right.
    UnknownKey,
    /// The key was revoked.
    KeyRevoked,
    /// The key's time has passed.
    KeyExpired,
    /// The key belongs to another principal than the one named.
    KeyMismatch,
    /// There is no such principal.
    UnknownPrincipal,
    /// The principal was deactivated, deleted, or its time has passed.
    InactivePrincipal,
    /// The catalog has no such permission.
    UnknownPermission,
    /// The catalog has no such object type.
    UnknownObjectType,
    /// There is no such object.
    UnknownObject,
    /// Several projects that the caller sees have an object of this type and id, and none was named.
    AmbiguousObject,
    /// A project was named for an object that lies in none.
    ObjectProjectMismatch,
    /// The key's narrowing does not cover it.
    KeyNarrowed,
    /// A deny grant applies.
    DeniedByGrant,
    /// No allow grant applies.
    NoGrant,
    /// Denied, and the caller may not know why.
    Denied,
}

/// Answer of `POST /v1/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckAnswer {
    /// The answer.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// The position at which it holds.
    pub position: String,
    /// The `as_of` asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// Body of `POST /v1/check/batch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckBatch {
    /// The questions, 1..1000.
    pub checks: Vec<CheckRequest>,
}

/// Answer of `POST /v1/check/batch`: on one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckBatchAnswer {
    /// One for each question, in their order.
    pub results: Vec<CheckResult>,
    /// The position at which they hold.
    pub position: String,
    /// The `as_of` asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// One answer of a batch of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckResult {
    /// The answer.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
}

impl Reason {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::UnknownKey => "unknown_key",
            Self::KeyRevoked => "key_revoked",
            Self::KeyExpired => "key_expired",
            Self::KeyMismatch => "key_mismatch",
            Self::UnknownPrincipal => "unknown_principal",
            Self::InactivePrincipal => "inactive_principal",
            Self::UnknownPermission => "unknown_permission",
            Self::UnknownObjectType => "unknown_object_type",
            Self::UnknownObject => "unknown_object",
            Self::AmbiguousObject => "ambiguous_object",
            Self::ObjectProjectMismatch => "object_project_mismatch",
            Self::KeyNarrowed => "key_narrowed",
            Self::DeniedByGrant => "denied_by_grant",
            Self::NoGrant => "no_grant",
            Self::Denied => "denied",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
