//! Who acts and who receives.

use serde::{Deserialize, Serialize};

use crate::id::{GroupId, KeyId, TokenId, UserId};

/// An account that can act: a person or a service token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case", deny_unknown_fields)]
pub enum Principal {
    /// A person.
    User(UserId),
    /// A service token.
    Token(TokenId),
}

/// What a grant is given to, and what a group has as members: a principal or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case", deny_unknown_fields)]
pub enum Grantee {
    /// A person.
    User(UserId),
    /// A service token.
    Token(TokenId),
    /// A permission group, standing for all its members.
    Group(GroupId),
}

impl From<Principal> for Grantee {
    fn from(principal: Principal) -> Self {
        match principal {
            Principal::User(id) => Self::User(id),
            Principal::Token(id) => Self::Token(id),
        }
    }
}

impl Grantee {
    /// The principal, unless this is a group.
    pub fn principal(self) -> Option<Principal> {
        match self {
            Self::User(id) => Some(Principal::User(id)),
            Self::Token(id) => Some(Principal::Token(id)),
            Self::Group(_) => None,
        }
    }
}

/// Who made a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// A person.
    User(UserId),
    /// A service token.
    Token(TokenId),
    /// Grantbook itself: notices of expiry.
    System,
    /// Whoever runs the installation: `init`, `org create`, `owner recover`.
    Operator,
}

impl From<Principal> for Actor {
    fn from(principal: Principal) -> Self {
        match principal {
            Principal::User(id) => Self::User(id),
            Principal::Token(id) => Self::Token(id),
        }
    }
}

impl Actor {
    /// The principal, if it is one.
    pub fn principal(self) -> Option<Principal> {
        match self {
            Self::User(id) => Some(Principal::User(id)),
            Self::Token(id) => Some(Principal::Token(id)),
            Self::System | Self::Operator => None,
        }
    }
}

/// A principal together with the key it used: the authority that a command is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// With which key, whose narrowing cuts the principal's rights; none inside tests and tools.
    pub key: Option<KeyId>,
}
