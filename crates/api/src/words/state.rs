//! The state of a thing at the moment that a read is about.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a thing, of those that its kind has. Only reads give it: the answer to a write depends on its record alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum State {
    /// It is in force.
    Active,
    /// Its end has passed.
    Expired,
    /// Of keys, grants and memberships: taken back.
    Revoked,
    /// Of projects and service tokens: deleted.
    Deleted,
    /// Of users: deactivated.
    Inactive,
}

impl State {
    /// The word of the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Deleted => "deleted",
            Self::Inactive => "inactive",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
