//! What is fixed about each event, whatever it holds: its name, what it is about, whether it can change access. Every list of
//! events is made from here.

use crate::event::Event;

/// An event without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "documented at `Event`")]
pub enum EventKind {
    OrganizationCreated,
    OrganizationUpdated,
    RollbackAccepted,
    CatalogExtended,
    UserCreated,
    UserUpdated,
    UserDeactivated,
    TokenCreated,
    TokenUpdated,
    TokenDeleted,
    TokenExpired,
    KeyIssued,
    KeyRotated,
    KeyRevoked,
    KeyExpired,
    GroupCreated,
    GroupUpdated,
    GroupDeleted,
    MemberAdded,
    MemberRemoved,
    MemberExpired,
    RoleCreated,
    RoleUpdated,
    RoleDeleted,
    ProjectCreated,
    ProjectUpdated,
    ProjectDeleted,
    ObjectRegistered,
    ObjectUpdated,
    ObjectRemoved,
    GrantCreated,
    GrantRevoked,
    GrantExpired,
    WebhookCreated,
    WebhookUpdated,
    WebhookRotated,
    WebhookDeleted,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as what it is")]
pub enum Entity {
    Organization,
    Rollback,
    Catalog,
    User,
    Token,
    Key,
    Group,
    Membership,
    Role,
    Project,
    Object,
    Grant,
    Webhook,
}

impl Entity {
    /// The name of the member that holds it in events on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Rollback => "rollback",
            Self::Catalog => "catalog",
            Self::User => "user",
            Self::Token => "token",
            Self::Key => "key",
            Self::Group => "group",
            Self::Membership => "membership",
            Self::Role => "role",
            Self::Project => "project",
            Self::Object => "object",
            Self::Grant => "grant",
            Self::Webhook => "webhook",
        }
    }
}

impl EventKind {
    /// All, in the order of their declaration.
    pub const ALL: [Self; 37] = [
        Self::OrganizationCreated,
        Self::OrganizationUpdated,
        Self::RollbackAccepted,
        Self::CatalogExtended,
        Self::UserCreated,
        Self::UserUpdated,
        Self::UserDeactivated,
        Self::TokenCreated,
        Self::TokenUpdated,
        Self::TokenDeleted,
        Self::TokenExpired,
        Self::KeyIssued,
        Self::KeyRotated,
        Self::KeyRevoked,
        Self::KeyExpired,
        Self::GroupCreated,
        Self::GroupUpdated,
        Self::GroupDeleted,
        Self::MemberAdded,
        Self::MemberRemoved,
        Self::MemberExpired,
        Self::RoleCreated,
        Self::RoleUpdated,
        Self::RoleDeleted,
        Self::ProjectCreated,
        Self::ProjectUpdated,
        Self::ProjectDeleted,
        Self::ObjectRegistered,
        Self::ObjectUpdated,
        Self::ObjectRemoved,
        Self::GrantCreated,
        Self::GrantRevoked,
        Self::GrantExpired,
        Self::WebhookCreated,
        Self::WebhookUpdated,
        Self::WebhookRotated,
        Self::WebhookDeleted,
    ];

    /// Its name, as it is stored and as clients see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrganizationCreated => "OrganizationCreated",
            Self::OrganizationUpdated => "OrganizationUpdated",
            Self::RollbackAccepted => "RollbackAccepted",
            Self::CatalogExtended => "CatalogExtended",
            Self::UserCreated => "UserCreated",
            Self::UserUpdated => "UserUpdated",
            Self::UserDeactivated => "UserDeactivated",
            Self::TokenCreated => "TokenCreated",
            Self::TokenUpdated => "TokenUpdated",
            Self::TokenDeleted => "TokenDeleted",
            Self::TokenExpired => "TokenExpired",
            Self::KeyIssued => "KeyIssued",
            Self::KeyRotated => "KeyRotated",
            Self::KeyRevoked => "KeyRevoked",
            Self::KeyExpired => "KeyExpired",
            Self::GroupCreated => "GroupCreated",
            Self::GroupUpdated => "GroupUpdated",
            Self::GroupDeleted => "GroupDeleted",
            Self::MemberAdded => "MemberAdded",
            Self::MemberRemoved => "MemberRemoved",
            Self::MemberExpired => "MemberExpired",
            Self::RoleCreated => "RoleCreated",
            Self::RoleUpdated => "RoleUpdated",
            Self::RoleDeleted => "RoleDeleted",
            Self::ProjectCreated => "ProjectCreated",
            Self::ProjectUpdated => "ProjectUpdated",
            Self::ProjectDeleted => "ProjectDeleted",
            Self::ObjectRegistered => "ObjectRegistered",
            Self::ObjectUpdated => "ObjectUpdated",
            Self::ObjectRemoved => "ObjectRemoved",
            Self::GrantCreated => "GrantCreated",
            Self::GrantRevoked => "GrantRevoked",
            Self::GrantExpired => "GrantExpired",
            Self::WebhookCreated => "WebhookCreated",
            Self::WebhookUpdated => "WebhookUpdated",
            Self::WebhookRotated => "WebhookRotated",
            Self::WebhookDeleted => "WebhookDeleted",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What it is about.
    pub const fn entity(self) -> Entity {
        match self {
            Self::OrganizationCreated | Self::OrganizationUpdated => Entity::Organization,
            Self::RollbackAccepted => Entity::Rollback,
            Self::CatalogExtended => Entity::Catalog,
            Self::UserCreated | Self::UserUpdated | Self::UserDeactivated => Entity::User,
            Self::TokenCreated | Self::TokenUpdated | Self::TokenDeleted | Self::TokenExpired => {
                Entity::Token
            }
            Self::KeyIssued | Self::KeyRotated | Self::KeyRevoked | Self::KeyExpired => Entity::Key,
            Self::GroupCreated | Self::GroupUpdated | Self::GroupDeleted => Entity::Group,
            Self::MemberAdded | Self::MemberRemoved | Self::MemberExpired => Entity::Membership,
            Self::RoleCreated | Self::RoleUpdated | Self::RoleDeleted => Entity::Role,
            Self::ProjectCreated | Self::ProjectUpdated | Self::ProjectDeleted => Entity::Project,
            Self::ObjectRegistered | Self::ObjectUpdated | Self::ObjectRemoved => Entity::Object,
            Self::GrantCreated | Self::GrantRevoked | Self::GrantExpired => Entity::Grant,
            Self::WebhookCreated | Self::WebhookUpdated | Self::WebhookRotated | Self::WebhookDeleted => {
                Entity::Webhook
            }
        }
    }

    /// Whether it can change somebody's access: never too seldom. Names, empty groups and roles, keys and webhooks change
    /// nobody's; and notices come after a time has passed by itself.
    pub const fn changes_access(self) -> bool {
        match self {
            Self::OrganizationCreated
            | Self::CatalogExtended
            | Self::UserCreated
            | Self::UserDeactivated
            | Self::TokenCreated
            | Self::TokenUpdated
            | Self::TokenDeleted
            | Self::GroupDeleted
            | Self::MemberAdded
            | Self::MemberRemoved
            | Self::RoleUpdated
            | Self::RoleDeleted
            | Self::ProjectCreated
            | Self::ProjectUpdated
            | Self::ProjectDeleted
            | Self::ObjectRegistered
            | Self::ObjectRemoved
            | Self::GrantCreated
            | Self::GrantRevoked => true,
            Self::OrganizationUpdated
            | Self::RollbackAccepted
            | Self::UserUpdated
            | Self::TokenExpired
            | Self::KeyIssued
            | Self::KeyRotated
            | Self::KeyRevoked
            | Self::KeyExpired
            | Self::GroupCreated
            | Self::GroupUpdated
            | Self::MemberExpired
            | Self::RoleCreated
            | Self::ObjectUpdated
            | Self::GrantExpired
            | Self::WebhookCreated
            | Self::WebhookUpdated
            | Self::WebhookRotated
            | Self::WebhookDeleted => false,
        }
    }

    /// Whether it changes what access is given on or by, without touching memberships and grants.
    pub const fn changes_ground(self) -> bool {
        self.changes_access()
            && match self.entity() {
                Entity::Organization
                | Entity::Catalog
                | Entity::Group
                | Entity::Role
                | Entity::Project
                | Entity::Object => true,
                Entity::Rollback
                | Entity::User
                | Entity::Token
                | Entity::Key
                | Entity::Membership
                | Entity::Grant
                | Entity::Webhook => false,
            }
    }
}

impl Event {
    /// Which event it is.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::OrganizationCreated { .. } => EventKind::OrganizationCreated,
            Self::OrganizationUpdated { .. } => EventKind::OrganizationUpdated,
            Self::RollbackAccepted { .. } => EventKind::RollbackAccepted,
            Self::CatalogExtended { .. } => EventKind::CatalogExtended,
            Self::UserCreated { .. } => EventKind::UserCreated,
            Self::UserUpdated { .. } => EventKind::UserUpdated,
            Self::UserDeactivated { .. } => EventKind::UserDeactivated,
            Self::TokenCreated { .. } => EventKind::TokenCreated,
            Self::TokenUpdated { .. } => EventKind::TokenUpdated,
            Self::TokenDeleted { .. } => EventKind::TokenDeleted,
            Self::TokenExpired { .. } => EventKind::TokenExpired,
            Self::KeyIssued { .. } => EventKind::KeyIssued,
            Self::KeyRotated { .. } => EventKind::KeyRotated,
            Self::KeyRevoked { .. } => EventKind::KeyRevoked,
            Self::KeyExpired { .. } => EventKind::KeyExpired,
            Self::GroupCreated { .. } => EventKind::GroupCreated,
            Self::GroupUpdated { .. } => EventKind::GroupUpdated,
            Self::GroupDeleted { .. } => EventKind::GroupDeleted,
            Self::MemberAdded { .. } => EventKind::MemberAdded,
            Self::MemberRemoved { .. } => EventKind::MemberRemoved,
            Self::MemberExpired { .. } => EventKind::MemberExpired,
            Self::RoleCreated { .. } => EventKind::RoleCreated,
            Self::RoleUpdated { .. } => EventKind::RoleUpdated,
            Self::RoleDeleted { .. } => EventKind::RoleDeleted,
            Self::ProjectCreated { .. } => EventKind::ProjectCreated,
            Self::ProjectUpdated { .. } => EventKind::ProjectUpdated,
            Self::ProjectDeleted { .. } => EventKind::ProjectDeleted,
            Self::ObjectRegistered { .. } => EventKind::ObjectRegistered,
            Self::ObjectUpdated { .. } => EventKind::ObjectUpdated,
            Self::ObjectRemoved { .. } => EventKind::ObjectRemoved,
            Self::GrantCreated { .. } => EventKind::GrantCreated,
            Self::GrantRevoked { .. } => EventKind::GrantRevoked,
            Self::GrantExpired { .. } => EventKind::GrantExpired,
            Self::WebhookCreated { .. } => EventKind::WebhookCreated,
            Self::WebhookUpdated { .. } => EventKind::WebhookUpdated,
            Self::WebhookRotated { .. } => EventKind::WebhookRotated,
            Self::WebhookDeleted { .. } => EventKind::WebhookDeleted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_ground_is_pinned() {
        let ground: Vec<_> =
            EventKind::ALL.into_iter().filter(|kind| kind.changes_ground()).map(EventKind::name).collect();
        let pinned = "OrganizationCreated CatalogExtended GroupDeleted RoleUpdated RoleDeleted ProjectCreated \
                      ProjectUpdated ProjectDeleted ObjectRegistered ObjectRemoved";
        assert_eq!(ground.join(" "), pinned);
    }

    #[test]
    fn a_kind_is_found_by_its_name_alone() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::named(kind.name()), Some(kind));
            assert_eq!(kind.name(), format!("{kind:?}"));
        }
        assert_eq!(EventKind::named("userCreated"), None);
    }
}
