//! The things of an organization, as events carry them and as answers show them: each with its whole present state.
//!
//! `ended_at` is set once, in the event that ends the thing; nothing that ended comes back.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::{
    id::{GrantId, GroupId, KeyId, ProjectId, RoleId, TokenId, UserId},
    principal::{Grantee, Principal},
    scope::{Labels, ObjectRef, Scope},
    time::Timestamp,
};

/// A personal datum. `sealed` is room for erasure by destroying a person's key; nothing writes it yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Personal {
    /// Readable.
    Clear(String),
    /// Encrypted to a person's key.
    Sealed {
        /// Which key.
        key_id: String,
        /// Hexadecimal.
        nonce: String,
        /// Hexadecimal.
        ciphertext: String,
    },
}

impl Personal {
    /// The text, if it can be read.
    pub fn clear(&self) -> Option<&str> {
        match self {
            Self::Clear(text) => Some(text),
            Self::Sealed { .. } => None,
        }
    }
}

/// SHA-256 of a key's secret part: all that is ever stored of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

impl Serialize for KeyHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hex = String::with_capacity(64);
        for byte in self.0 {
            write!(hex, "{byte:02x}").map_err(ser::Error::custom)?;
        }
        serializer.serialize_str(&hex)
    }
}
impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        let digits = hex.as_bytes().chunks_exact(2);
        if hex.len() != 64 {
            return Err(de::Error::custom("a key hash has 64 hexadecimal digits"));
        }
        for (byte, pair) in bytes.iter_mut().zip(digits) {
            let text = std::str::from_utf8(pair).map_err(de::Error::custom)?;
            *byte = u8::from_str_radix(text, 16).map_err(de::Error::custom)?;
        }
        Ok(Self(bytes))
    }
}

/// A person's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Unique among active users, compared ASCII-lowercased.
    pub email: Personal,
    /// The person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Personal>,
    /// The id in another system, such as a directory; unique among active users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Personal>,
    /// The identities of issuers that sign in as this user; each unique among active users. From schema 2 on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deactivated, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// Who an issuer of identities says that somebody is: the pair that `OpenID Connect Core 1.0` section 5.7 calls the only
/// stable identifier of an end user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The issuer's URL, compared bytewise.
    pub issuer: String,
    /// The issuer's name for the user, compared bytewise.
    pub subject: Personal,
}

/// A service token: an account for a program, not a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Unique among the living tokens.
    pub name: String,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The id in another system, such as a directory; unique among the living tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Personal>,
    /// Active before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// What a key may at most do of what its principal may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Narrowing {
    /// Only these permissions; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<String>>,
    /// Only here; everywhere if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Scope>,
    /// Where `on` is a registered object: its generation; 0 otherwise, and in records of schema 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u32,
}

/// What makes a key a session: it was started with another key, lives some hours at most, and ends with that key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The key that was signed in with; absent where an issuer of identities vouched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<KeyId>,
    /// When its holder last proved who it is.
    pub signed_in_at: Timestamp,
}

/// A secret of one principal; only its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its id, part of the key's text.
    pub id: KeyId,
    /// Whose.
    pub principal: Principal,
    /// A label for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SHA-256 of the secret's 43 characters.
    pub hash: KeyHash,
    /// Active before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What it is narrowed to; fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrow: Option<Narrowing>,
    /// The key that it replaced in a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<KeyId>,
    /// Present on a session. From schema 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// The roles and groups that every organization has from its first record on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Builtin {
    /// Every permission, present and future.
    Owner,
    /// `create read update delete`, nothing on administrative types.
    Engineer,
    /// `read`, nothing on administrative types.
    Viewer,
}

/// A permission group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Unique among the living groups.
    pub name: String,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Owners, Engineers or Viewers: neither renamed nor deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<Builtin>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// The group.
    pub group: GroupId,
    /// Who is in it.
    pub member: Grantee,
    /// In force before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was added, or last replaced.
    pub created_at: Timestamp,
    /// When it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// One permission of a role, on every object type or on exactly one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolePermission {
    /// Its name.
    pub permission: String,
    /// Only on objects of exactly this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_type: Option<String>,
}

/// A named set of permissions; may include other roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Unique among the living roles.
    pub name: String,
    /// What it gives itself.
    pub permissions: Vec<RolePermission>,
    /// What it includes, never in a cycle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub includes: Vec<RoleId>,
    /// Owner, Engineer or Viewer: immutable, its meaning fixed by design rather than by `permissions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<Builtin>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Unique among the living projects.
    pub name: String,
    /// What selectors look at, besides name and id.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// An object of the caller's own, made known to Grantbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredObject", into = "StoredObject")]
pub struct RegisteredObject {
    /// Type, the caller's own id, and the project for types below project. It never moves.
    pub object: ObjectRef,
    /// A label for people. From schema 2 on.
    pub name: Option<String>,
    /// Whether Grantbook chose the id: callers cannot register such a one. From schema 2 on.
    pub minted: bool,
    /// 1 at the first registration of this identity, one more at each later one: grants on an earlier one stay dead.
    pub generation: u32,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was removed.
    pub ended_at: Option<Timestamp>,
}

/// The stored form of both schemas: the project stands beside type and id.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredObject {
    object: StoredName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<ProjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    minted: bool,
    generation: u32,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredName {
    #[serde(rename = "type")]
    object_type: String,
    id: String,
}

impl From<StoredObject> for RegisteredObject {
    fn from(stored: StoredObject) -> Self {
        let StoredObject { object, project, name, minted, generation, created_at, ended_at } = stored;
        let object = ObjectRef { object_type: object.object_type, id: object.id, project };
        Self { object, name, minted, generation, created_at, ended_at }
    }
}

impl From<RegisteredObject> for StoredObject {
    fn from(known: RegisteredObject) -> Self {
        let RegisteredObject { object, name, minted, generation, created_at, ended_at } = known;
        let ObjectRef { object_type, id, project } = object;
        let object = StoredName { object_type, id };
        Self { object, project, name, minted, generation, created_at, ended_at }
    }
}

/// What a grant gives: a role, or a set of permissions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gives {
    /// All that the role gives, as the role changes.
    Role(RoleId),
    /// These permissions, by name.
    Permissions(Vec<String>),
}

/// Whether a grant gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Gives.
    Allow,
    /// Takes, whatever allows; never on administrative types.
    Deny,
}

/// A grant: grantee x permissions x scope x effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Whom it is given to.
    pub to: Grantee,
    /// What it gives.
    pub gives: Gives,
    /// Where.
    pub on: Scope,
    /// Allow or deny.
    pub effect: Effect,
    /// Only on objects of exactly this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_type: Option<String>,
    /// For a registered object's scope: its generation; 0 otherwise.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// In force before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Why; no place for personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// One of the three that `init` made: never revoked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub builtin: bool,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
