//! How one thing names another: by type and id in requests, with its name in answers for people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The two kinds of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PrincipalType {
    /// A person.
    User,
    /// A service token.
    Token,
}

/// What can receive a grant and be in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum GranteeType {
    /// A person.
    User,
    /// A service token.
    Token,
    /// A permission group.
    Group,
}

/// Who made a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ActorType {
    /// A person.
    User,
    /// A service token.
    Token,
    /// Grantbook itself: notices of expiry.
    System,
    /// Whoever runs the installation.
    Operator,
}

/// An account, in a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PrincipalRef {
    /// `user` or `token`.
    #[serde(rename = "type")]
    pub kind: PrincipalType,
    /// Its id.
    pub id: String,
}

/// An account or a group, in a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GranteeRef {
    /// `user`, `token` or `group`.
    #[serde(rename = "type")]
    pub kind: GranteeType,
    /// Its id.
    pub id: String,
}

/// An account, in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamedPrincipal {
    /// `user` or `token`.
    #[serde(rename = "type")]
    pub kind: PrincipalType,
    /// Its id.
    pub id: String,
    /// A token's name, a user's e-mail; absent in the answers to writes, which say no more than their record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An account or a group, in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamedGrantee {
    /// `user`, `token` or `group`.
    #[serde(rename = "type")]
    pub kind: GranteeType,
    /// Its id.
    pub id: String,
    /// A token's or group's name, a user's e-mail; absent in the answers to writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Who made a record, in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Actor {
    /// `user`, `token`, `system` or `operator`.
    #[serde(rename = "type")]
    pub kind: ActorType,
    /// Its id, if it is an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A token's name, a user's e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A thing by id and name, where its kind is clear from the place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// An object by type and id. The id of a project, group or role is its own; the id of a singleton is the
/// organization's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ObjectRef {
    /// Name of the type in the catalog.
    #[serde(rename = "type")]
    pub object_type: String,
    /// Its id.
    pub id: String,
    /// Id of its project, for types below project: two projects may have an object of the same type and id.
    #[serde(
        default,
        deserialize_with = "crate::words::patch::not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub project: Option<String>,
}

/// An object, in an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamedObject {
    /// Name of the type in the catalog.
    #[serde(rename = "type")]
    pub object_type: String,
    /// Its id.
    pub id: String,
    /// Id of its project, for types below project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl fmt::Display for PrincipalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        GranteeType::from(*self).fmt(f)
    }
}

impl fmt::Display for GranteeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Token => "token",
            Self::Group => "group",
        })
    }
}

impl fmt::Display for ActorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Token => "token",
            Self::System => "system",
            Self::Operator => "operator",
        })
    }
}

impl From<PrincipalType> for GranteeType {
    fn from(kind: PrincipalType) -> Self {
        match kind {
            PrincipalType::User => Self::User,
            PrincipalType::Token => Self::Token,
        }
    }
}

impl From<PrincipalRef> for GranteeRef {
    fn from(principal: PrincipalRef) -> Self {
        Self { kind: principal.kind.into(), id: principal.id }
    }
}
