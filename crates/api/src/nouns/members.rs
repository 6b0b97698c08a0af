//! `/v1/groups/{id}/members`

use serde::{Deserialize, Serialize};

use crate::words::{
    reference::{GranteeRef, Named, NamedGrantee},
    state::State,
};

/// Body of `POST /v1/groups/{id}/members`; for a member already in, an end that is given replaces the present one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddMember {
    /// Who.
    pub member: GranteeRef,
    /// In force before this instant (RFC 3339), or `never`. If absent, a member already in keeps the end it has; a new one
    /// has none.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<String>,
}

/// A membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// Id of the group.
    pub group: String,
    /// Who is in it.
    pub member: NamedGrantee,
    /// In force before this instant.
    pub expires_at: Option<String>,
    /// When it was added, or its expiry last replaced.
    pub created_at: String,
    /// When it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<String>,
    /// How it is; only in reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

/// A group that somebody is directly in, by a membership that was not removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemberOf {
    /// The group.
    pub group: Named,
    /// In force before this instant.
    pub expires_at: Option<String>,
    /// When the member was added, or its expiry last replaced.
    pub created_at: String,
}
