//! How a thing is at the moment that is asked about.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What reads say of a thing, as far as its kind has these states. Answers to writes depend on their record alone, and leave it out.
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
