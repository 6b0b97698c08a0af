//! Facts, in the past tense. Each carries the whole state of the thing after it, so that every consumer can work
//! without an earlier event and an answer can be given again from its record alone.

pub mod kind;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    catalog::TypeDefinition,
    id::OrgId,
    model::{Grant, Group, Key, Membership, Project, RegisteredObject, Role, Token, User},
    time::Timestamp,
    webhook::Webhook,
};

/// One fact. Stored under its name: `{"TokenCreated":{"token":{...}}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// The organization began; the built-in roles, groups and grants follow in the same record.
    OrganizationCreated {
        /// Its id.
        id: OrgId,
        /// Its name.
        name: String,
        /// When.
        created_at: Timestamp,
        /// Public keys of the writers whose signature every frame must carry; empty: unsigned.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        writers: Vec<String>,
    },
    /// The organization's name or settings changed. From schema 2 on.
    OrganizationUpdated {
        /// Its id.
        id: OrgId,
        /// Its name.
        name: String,
        /// All of its settings. None of them may decide about access: a node that does not know one passes it over.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        settings: BTreeMap<String, String>,
    },
    /// The operator went on from an older journal; what stood behind `kept` is lost. From schema 2 on.
    RollbackAccepted {
        /// The last sequence of the journal that is gone on from.
        kept: u64,
        /// The last sequence that the lost journal is known to have had; nothing stands at those between.
        lost: u64,
    },
    /// Names were added to the catalog.
    CatalogExtended {
        /// New object types.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        object_types: Vec<TypeDefinition>,
        /// New permissions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        permissions: Vec<String>,
    },
    /// A user was made.
    UserCreated {
        /// As it is now.
        user: User,
    },
    /// A user's e-mail, name or external id changed.
    UserUpdated {
        /// As it is now.
        user: User,
    },
    /// A user ended, with its keys, memberships and grants.
    UserDeactivated {
        /// As it was at its end.
        user: User,
    },
    /// A service token was made.
    TokenCreated {
        /// As it is now.
        token: Token,
    },
    /// A service token changed.
    TokenUpdated {
        /// As it is now.
        token: Token,
    },
    /// A service token ended, with its keys, memberships and grants.
    TokenDeleted {
        /// As it was at its end.
        token: Token,
    },
    /// Notice: a service token's time has passed.
    TokenExpired {
        /// As it was.
        token: Token,
    },
    /// A key was issued.
    KeyIssued {
        /// As it is now.
        key: Key,
    },
    /// A key was replaced by a new one; the old one works until its `expires_at`.
    KeyRotated {
        /// The new key.
        key: Key,
        /// The old key, as it is now.
        old: Box<Key>,
    },
    /// A key was revoked.
    KeyRevoked {
        /// As it was at its end.
        key: Key,
    },
    /// Notice: a key's time has passed.
    KeyExpired {
        /// As it was.
        key: Key,
    },
    /// A group was made.
    GroupCreated {
        /// As it is now.
        group: Group,
    },
    /// A group's name or description changed.
    GroupUpdated {
        /// As it is now.
        group: Group,
    },
    /// A group ended, with its memberships both ways and the grants to it.
    GroupDeleted {
        /// As it was at its end.
        group: Group,
    },
    /// A member was added, or its expiry replaced.
    MemberAdded {
        /// As it is now.
        membership: Membership,
    },
    /// A member was removed.
    MemberRemoved {
        /// As it was at its end.
        membership: Membership,
    },
    /// Notice: a membership's time has passed.
    MemberExpired {
        /// As it was.
        membership: Membership,
    },
    /// A role was made.
    RoleCreated {
        /// As it is now.
        role: Role,
    },
    /// A role changed.
    RoleUpdated {
        /// As it is now.
        role: Role,
    },
    /// A role ended; nothing used it.
    RoleDeleted {
        /// As it was at its end.
        role: Role,
    },
    /// A project was made.
    ProjectCreated {
        /// As it is now.
        project: Project,
    },
    /// A project was renamed or relabelled.
    ProjectUpdated {
        /// As it is now.
        project: Project,
    },
    /// A project ended, with its objects and the grants on them.
    ProjectDeleted {
        /// As it was at its end.
        project: Project,
    },
    /// An object was registered.
    ObjectRegistered {
        /// As it is now.
        object: RegisteredObject,
    },
    /// An object's name changed. From schema 2 on.
    ObjectUpdated {
        /// As it is now.
        object: RegisteredObject,
    },
    /// An object was removed; the grants on it are dead for ever.
    ObjectRemoved {
        /// As it was at its end.
        object: RegisteredObject,
    },
    /// A grant was given.
    GrantCreated {
        /// As it is now.
        grant: Grant,
    },
    /// A grant was revoked.
    GrantRevoked {
        /// As it was at its end.
        grant: Grant,
    },
    /// Notice: a grant's time has passed.
    GrantExpired {
        /// As it was.
        grant: Grant,
    },
    /// A webhook was made.
    WebhookCreated {
        /// As it is now.
        webhook: Webhook,
    },
    /// A webhook's URL, filters, description changed, or it was enabled or disabled.
    WebhookUpdated {
        /// As it is now.
        webhook: Webhook,
    },
    /// A webhook got a new signing secret; the former one signs too until its `until`.
    WebhookRotated {
        /// As it is now.
        webhook: Webhook,
    },
    /// A webhook ended.
    WebhookDeleted {
        /// As it was at its end.
        webhook: Webhook,
    },
}
