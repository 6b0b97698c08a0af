//! Whose access an event can change, for timelines, comparisons and the changes of a record.

use grantbook_domain::{
    event::Event,
    id::{GroupId, RoleId},
    model::{Grant, Project, RegisteredObject},
    principal::Grantee,
};

/// Whose access an event can change: never too few. Those named are changed with everybody below them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Affected<'e> {
    /// Nobody's.
    Nobody,
    /// Everybody's: a new name is given by whatever gives all of its kind.
    Everybody,
    /// An account's, or a member's, by rows of its own.
    Grantee(Grantee),
    /// That of the grantee of a grant that came or went, where the grant is.
    Grant(&'e Grant),
    /// That of a group that ended, and of everybody who was given something on it.
    Group(GroupId),
    /// That of everybody who has the role, or one that includes it, or was given something on it.
    Role(RoleId),
    /// That of everybody who can reach a project that came, changed or went.
    Project(&'e Project),
    /// That of everybody who was given something on an object that came or went.
    Object(&'e RegisteredObject),
}

impl<'e> Affected<'e> {
    pub(crate) fn by(event: &'e Event) -> Self {
        if !event.kind().changes_access() {
            return Self::Nobody;
        }
        match event {
            Event::OrganizationCreated { .. }
            | Event::OrganizationUpdated { .. }
            | Event::RollbackAccepted { .. }
            | Event::CatalogExtended { .. } => Self::Everybody,
            Event::UserCreated { user } | Event::UserUpdated { user } | Event::UserDeactivated { user } => {
                Self::Grantee(Grantee::User(user.id))
            }
            Event::TokenCreated { token }
            | Event::TokenUpdated { token }
            | Event::TokenDeleted { token }
            | Event::TokenExpired { token } => Self::Grantee(Grantee::Token(token.id)),
            Event::KeyIssued { key }
            | Event::KeyRotated { key, .. }
            | Event::KeyRevoked { key }
            | Event::KeyExpired { key } => Self::Grantee(key.principal.into()),
            Event::MemberAdded { membership }
            | Event::MemberRemoved { membership }
            | Event::MemberExpired { membership } => Self::Grantee(membership.member),
            Event::GrantCreated { grant } | Event::GrantRevoked { grant } | Event::GrantExpired { grant } => {
                Self::Grant(grant)
            }
            Event::GroupCreated { group } | Event::GroupUpdated { group } | Event::GroupDeleted { group } => {
                Self::Group(group.id)
            }
            Event::RoleCreated { role } | Event::RoleUpdated { role } | Event::RoleDeleted { role } => {
                Self::Role(role.id)
            }
            Event::ProjectCreated { project }
            | Event::ProjectUpdated { project }
            | Event::ProjectDeleted { project } => Self::Project(project),
            Event::ObjectRegistered { object }
            | Event::ObjectUpdated { object }
            | Event::ObjectRemoved { object } => Self::Object(object),
            Event::WebhookCreated { .. }
            | Event::WebhookUpdated { .. }
            | Event::WebhookRotated { .. }
            | Event::WebhookDeleted { .. } => Self::Nobody,
        }
    }
}
