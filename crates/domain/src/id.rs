//! Identities: one generic over the kind of thing, so that a token's id never passes for a group's.

use std::{cmp::Ordering, fmt, hash, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The id of a `K`: a UUID (version 7 when we make it), lower-case and hyphenated in text, never reused.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

/// Marker types that tell ids apart; they have no values.
pub mod kind {
    /// An organization.
    #[derive(Debug)]
    pub enum Org {}
    /// A user.
    #[derive(Debug)]
    pub enum User {}
    /// A service token.
    #[derive(Debug)]
    pub enum Token {}
    /// A key of a principal.
    #[derive(Debug)]
    pub enum Key {}
    /// A permission group.
    #[derive(Debug)]
    pub enum Group {}
    /// A role.
    #[derive(Debug)]
    pub enum Role {}
    /// A project.
    #[derive(Debug)]
    pub enum Project {}
    /// A registered object whose id Grantbook chose.
    #[derive(Debug)]
    pub enum Object {}
    /// A grant.
    #[derive(Debug)]
    pub enum Grant {}
    /// A webhook.
    #[derive(Debug)]
    pub enum Webhook {}
    /// One installation of Grantbook: the identity of a journal.
    #[derive(Debug)]
    pub enum Installation {}
}

/// Id of an organization.
pub type OrgId = Id<kind::Org>;
/// Id of a user.
pub type UserId = Id<kind::User>;
/// Id of a service token.
pub type TokenId = Id<kind::Token>;
/// Id of a key.
pub type KeyId = Id<kind::Key>;
/// Id of a permission group.
pub type GroupId = Id<kind::Group>;
/// Id of a role.
pub type RoleId = Id<kind::Role>;
/// Id of a project.
pub type ProjectId = Id<kind::Project>;
/// Id that Grantbook chose for a registered object; where objects are named it is a text, as callers choose ids too.
pub type ObjectId = Id<kind::Object>;
/// Id of a grant.
pub type GrantId = Id<kind::Grant>;
/// Id of a webhook.
pub type WebhookId = Id<kind::Webhook>;
/// Id of an installation (a journal's identity).
pub type InstallationId = Id<kind::Installation>;

impl<K> Id<K> {
    /// Wraps a UUID.
    pub const fn new(uuid: Uuid) -> Self {
        Self { uuid, kind: PhantomData }
    }

    /// Builds an id from 128 bits.
    pub const fn from_u128(bits: u128) -> Self {
        Self::new(Uuid::from_u128(bits))
    }

    /// The UUID inside.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }

    /// The 16 bytes, most significant first.
    pub const fn bytes(self) -> [u8; 16] {
        self.uuid.into_bytes()
    }

    /// Builds an id from its 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::new(Uuid::from_bytes(bytes))
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid.as_hyphenated(), f)
    }
}

/// The text is not a lower-case hyphenated UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected a lower-case hyphenated uuid")]
pub struct NotAnId;

impl<K> FromStr for Id<K> {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let canonical = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if !canonical {
            return Err(NotAnId);
        }
        Uuid::try_parse(text).map(Self::new).map_err(|_| NotAnId)
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.uuid.serialize(serializer)
    }
}
impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::new)
    }
}
