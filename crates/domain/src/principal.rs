//! Who acts and who receives.

use std::collections::BTreeSet;

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

/// The principals among grantees, and all that are in those that are groups, at any depth. `members` calls back with
/// each member of a group, now or ever, as the caller wants it.
pub fn principals_below<E>(
    grantees: impl IntoIterator<Item = Grantee>,
    mut members: impl FnMut(GroupId, &mut dyn FnMut(Grantee)) -> Result<(), E>,
) -> Result<BTreeSet<Principal>, E> {
    let mut seen: BTreeSet<Grantee> = grantees.into_iter().collect();
    let mut open: Vec<Grantee> = seen.iter().copied().collect();
    while let Some(grantee) = open.pop() {
        let Grantee::Group(group) = grantee else { continue };
        members(group, &mut |member| {
            if seen.insert(member) {
                open.push(member);
            }
        })?;
    }
    Ok(seen.into_iter().filter_map(Grantee::principal).collect())
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
