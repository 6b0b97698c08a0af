//! Whose access an event can change: the one table of it, for timelines, comparisons and the changes of a record.

use grantbook_domain::{
    event::Event,
    id::{GroupId, RoleId},
    model::{Grant, Project, RegisteredObject},
    principal::Grantee,
};

/// Whose access an event can change: never too few. Those named are changed with everybody below them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Concern<'e> {
    /// Nobody's.
    Nobody,
    /// Everybody's: a new name is given by whatever gives all of its kind.
    Everybody,
    /// An account's, or a member's, by rows of its own.
    Grantee(Grantee),
    /// That of the grantee of a grant that came or went, where the grant is.
    Grant(&'e Grant),
    /// That of a group that ended, and of whoever was given something on it.
    Group(GroupId),
    /// That of whoever has the role, or one that includes it, and of whoever was given something on it.
    Role(RoleId),
    /// That of whoever can reach a project that came, changed or went.
    Project(&'e Project),
    /// That of whoever was given something on an object that came or went.
    Object(&'e RegisteredObject),
}

/// The events that change the ground: what access is on, without touching memberships and grants.
pub(crate) const GROUND: [&str; 10] = [
    "OrganizationCreated",
    "CatalogExtended",
    "GroupDeleted",
    "RoleUpdated",
    "RoleDeleted",
    "ProjectCreated",
    "ProjectUpdated",
    "ProjectDeleted",
    "ObjectRegistered",
    "ObjectRemoved",
];

/// The events after which access to a project may differ that are not found under that project. Who was just made has none.
pub(crate) const AROUND_PROJECTS: [&str; 12] = [
    "OrganizationCreated",
    "CatalogExtended",
    "GroupDeleted",
    "RoleUpdated",
    "RoleDeleted",
    "UserDeactivated",
    "TokenUpdated",
    "TokenDeleted",
    "MemberAdded",
    "MemberRemoved",
    "GrantCreated",
    "GrantRevoked",
];

impl<'e> Concern<'e> {
    pub(crate) const fn of(event: &'e Event) -> Self {
        match event {
            Event::OrganizationCreated { .. } | Event::CatalogExtended { .. } => Self::Everybody,
            Event::UserCreated { user } | Event::UserDeactivated { user } => {
                Self::Grantee(Grantee::User(user.id))
            }
            Event::TokenCreated { token } | Event::TokenUpdated { token } | Event::TokenDeleted { token } => {
                Self::Grantee(Grantee::Token(token.id))
            }
            Event::MemberAdded { membership } | Event::MemberRemoved { membership } => {
                Self::Grantee(membership.member)
            }
            Event::GrantCreated { grant } | Event::GrantRevoked { grant } => Self::Grant(grant),
            Event::GroupDeleted { group } => Self::Group(group.id),
            Event::RoleUpdated { role } | Event::RoleDeleted { role } => Self::Role(role.id),
            Event::ProjectCreated { project }
            | Event::ProjectUpdated { project }
            | Event::ProjectDeleted { project } => Self::Project(project),
            Event::ObjectRegistered { object } | Event::ObjectRemoved { object } => Self::Object(object),
            // Names, empty groups and roles, keys, webhooks; and notices of times, which pass by themselves.
            Event::OrganizationUpdated { .. }
            | Event::RollbackAccepted { .. }
            | Event::ObjectUpdated { .. }
            | Event::UserUpdated { .. }
            | Event::GroupCreated { .. }
            | Event::GroupUpdated { .. }
            | Event::RoleCreated { .. }
            | Event::KeyIssued { .. }
            | Event::KeyRotated { .. }
            | Event::KeyRevoked { .. }
            | Event::TokenExpired { .. }
            | Event::KeyExpired { .. }
            | Event::MemberExpired { .. }
            | Event::GrantExpired { .. }
            | Event::WebhookCreated { .. }
            | Event::WebhookUpdated { .. }
            | Event::WebhookRotated { .. }
            | Event::WebhookDeleted { .. } => Self::Nobody,
        }
    }
}
