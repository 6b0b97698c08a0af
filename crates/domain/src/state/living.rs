//! Whether a thing has ended. Deleting a parent writes no events for its children (ADR 7), so finding a thing in the
//! maps does not mean that it is alive: use these functions.
//!
//! Two degrees: a thing *lives* until it is ended, by itself or with what it belongs to; it is *in force* at an instant if it
//! lives and its time has not passed. Limits, names, cycles and uses count what lives, as an expired thing may be renewed;
//! access counts what is in force.

use crate::{
    catalog::Lineage,
    id::{GroupId, ProjectId, RoleId},
    model::{Grant, Group, Key, Membership, Project, RegisteredObject, Role},
    principal::{Grantee, Principal},
    scope::{ObjectRef, Scope},
    state::OrgState,
    time::Timestamp,
    webhook::Webhook,
};

/// By kind of thing.
impl OrgState {
    /// A group, if it lives.
    pub fn living_group(&self, id: GroupId) -> Option<&Group> {
        self.group(id).filter(|group| group.ended_at.is_none())
    }

    /// A role, if it lives.
    pub fn living_role(&self, id: RoleId) -> Option<&Role> {
        self.role(id).filter(|role| role.ended_at.is_none())
    }

    /// The roles that live.
    pub fn living_roles(&self) -> impl Iterator<Item = &Role> {
        self.roles().filter(|role| role.ended_at.is_none())
    }

    /// A project, if it lives.
    pub fn living_project(&self, id: ProjectId) -> Option<&Project> {
        self.project(id).filter(|project| project.ended_at.is_none())
    }

    /// The projects that live.
    pub fn living_projects(&self) -> impl Iterator<Item = &Project> {
        self.projects().filter(|project| project.ended_at.is_none())
    }

    /// The webhooks that live.
    pub fn living_webhooks(&self) -> impl Iterator<Item = &Webhook> {
        self.webhooks.values().map(AsRef::as_ref).filter(|webhook| webhook.ended_at.is_none())
    }

    /// Whether the account lives; the time of a service token may have passed.
    pub fn principal_lives(&self, principal: Principal) -> bool {
        match principal {
            Principal::User(id) => self.user(id).is_some_and(|user| user.ended_at.is_none()),
            Principal::Token(id) => self.token(id).is_some_and(|token| token.ended_at.is_none()),
        }
    }

    /// Whether the account or group lives.
    pub fn grantee_lives(&self, grantee: Grantee) -> bool {
        match grantee {
            Grantee::Group(id) => self.living_group(id).is_some(),
            Grantee::User(id) => self.principal_lives(Principal::User(id)),
            Grantee::Token(id) => self.principal_lives(Principal::Token(id)),
        }
    }

    /// The memberships of somebody that live: neither removed, nor is the group deleted.
    pub fn living_memberships_of(&self, member: Grantee) -> impl Iterator<Item = &Membership> {
        self.memberships_of(member).filter(|membership| self.living_group(membership.group).is_some())
    }

    /// The members of a group that live.
    pub fn living_members_of(&self, group: GroupId) -> impl Iterator<Item = &Membership> {
        self.members_of(group).filter(|membership| self.grantee_lives(membership.member))
    }

    /// A registered object, if it and its project live.
    pub fn living_object(&self, object: &ObjectRef) -> Option<&RegisteredObject> {
        let home = object.project.is_none_or(|project| self.living_project(project).is_some());
        self.object(object).filter(|known| home && known.ended_at.is_none())
    }

    /// The living registrations of this type and id, by project: for types below project there may be several.
    pub fn homes(&self, object_type: &str, id: &str) -> impl Iterator<Item = &RegisteredObject> {
        self.registrations(object_type, id).filter(|known| self.living_object(&known.object).is_some())
    }

    /// Whether what a scope is bound to lives: one object, in the generation that it had when it was bound.
    pub fn scope_lives(&self, scope: &Scope, generation: u32) -> bool {
        match scope {
            Scope::Organization | Scope::Projects(_) => true,
            Scope::Object(object) => {
                self.locate_exactly(object).is_ok_and(|located| located.generation == generation)
            }
        }
    }
}

/// At an instant.
impl OrgState {
    /// Whether the grant is in force, its grantee aside: neither revoked nor expired, and what it is on not ended.
    pub fn grant_in_force(&self, grant: &Grant, now: Timestamp) -> bool {
        grant.ended_at.is_none()
            && now < Timestamp::end(grant.expires_at)
            && self.scope_lives(&grant.on, grant.generation)
    }

    /// Whether the grant is in force and its grantee lives.
    pub fn grant_counts(&self, grant: &Grant, now: Timestamp) -> bool {
        self.grant_in_force(grant, now) && self.grantee_lives(grant.to)
    }

    /// Whether the key works and its principal lives.
    pub fn key_counts(&self, key: &Key, now: Timestamp) -> bool {
        self.active_key(key.id, now).is_ok() && self.principal_lives(key.principal)
    }
}

/// Completes references of schema 1. It allowed one object for each type and id, so a reference without a project
/// means the only registration.
impl OrgState {
    pub(crate) fn settle_scope(&self, scope: &mut Scope) {
        let Scope::Object(object) = scope else { return };
        let known = self.catalog().object_type(&object.object_type);
        if object.project.is_some()
            || known.map(|known| self.catalog().lineage(known)) != Some(Lineage::InProject)
        {
            return;
        }
        let only = {
            let mut homes = self.registrations(&object.object_type, &object.id);
            homes.next().filter(|_| homes.next().is_none()).map(|known| known.object.clone())
        };
        if let Some(only) = only {
            *object = only;
        }
    }

    pub(crate) fn settle_narrowing(&self, key: &mut Key) {
        let Some(narrow) = &mut key.narrow else { return };
        let Some(scope) = &mut narrow.on else { return };
        self.settle_scope(scope);
        if let Scope::Object(object) = scope
            && narrow.generation == 0
        {
            narrow.generation = match self.keys.get(&key.id).and_then(|known| known.narrow.as_ref()) {
                Some(known) => known.generation,
                None => self.object(object).map_or(0, |known| known.generation),
            };
        }
    }
}
