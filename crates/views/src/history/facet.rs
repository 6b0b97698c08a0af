//! What a record is found under: its actor, its key, its events' names, and every thing they touch.

use std::collections::BTreeSet;

use grantbook_domain::{
    event::{Event, kind::EventKind},
    id::{GroupId, Id, KeyId, OrgId, ProjectId},
    model::{Gives, Grant, Key},
    principal::{Actor, Grantee, Principal},
    record::Record,
    scope::{ObjectRef, Scope},
};

use crate::store::encode::Put;

/// One thing that a record is found under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Facet {
    Actor(Actor),
    Credential(KeyId),
    Principal(Principal),
    Group(GroupId),
    Project(ProjectId),
    Object(ObjectRef),
    Event(EventKind),
}

impl Facet {
    /// Of an object of any type: groups and projects are found as what they are.
    pub(crate) fn of_object(object: ObjectRef) -> Self {
        match (object.object_type.as_str(), object.id.parse::<Id<()>>()) {
            ("group", Ok(id)) => Self::Group(GroupId::new(id.uuid())),
            ("project", Ok(id)) => Self::Project(ProjectId::new(id.uuid())),
            _ => Self::Object(object),
        }
    }

    /// The beginning of the index keys under this facet.
    pub(crate) fn key(&self, org: OrgId) -> Vec<u8> {
        let put = Put::of(org);
        match self {
            Self::Actor(actor) => match actor {
                Actor::User(id) => put.u8(1).u8(1).id(*id),
                Actor::Token(id) => put.u8(1).u8(2).id(*id),
                Actor::System => put.u8(1).u8(3),
                Actor::Operator => put.u8(1).u8(4),
            },
            Self::Credential(id) => put.u8(2).id(*id),
            Self::Principal(principal) => put.u8(3).principal(*principal),
            Self::Group(id) => put.u8(4).id(*id),
            Self::Project(id) => put.u8(5).id(*id),
            Self::Object(ObjectRef { object_type, id, project: None }) => {
                put.u8(6).text(object_type).text(id)
            }
            Self::Object(ObjectRef { object_type, id, project: Some(project) }) => {
                put.u8(8).text(object_type).text(id).id(*project)
            }
            Self::Event(kind) => put.u8(7).text(kind.name()),
        }
        .done()
    }
}

/// Everything that a record is found under, once what schema 1 left open about objects is settled.
pub(crate) fn facets(record: &Record) -> BTreeSet<Facet> {
    let mut found = BTreeSet::from([Facet::Actor(record.actor)]);
    found.extend(record.credential.map(Facet::Credential));
    for event in &record.events {
        found.insert(Facet::Event(event.kind()));
        touch(&mut found, event);
    }
    found
}

/// The accounts and projects that an event touches: what the audit log finds it under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Users and service tokens.
    pub principals: BTreeSet<Principal>,
    /// Projects.
    pub projects: BTreeSet<ProjectId>,
}

impl Touched {
    /// By one event.
    pub fn by(event: &Event) -> Self {
        let mut found = BTreeSet::new();
        touch(&mut found, event);
        let mut touched = Self::default();
        for facet in found {
            match facet {
                Facet::Principal(one) => drop(touched.principals.insert(one)),
                Facet::Project(id) => drop(touched.projects.insert(id)),
                Facet::Actor(_)
                | Facet::Credential(_)
                | Facet::Group(_)
                | Facet::Object(_)
                | Facet::Event(_) => {}
            }
        }
        touched
    }
}

fn touch(found: &mut BTreeSet<Facet>, event: &Event) {
    match event {
        Event::OrganizationCreated { id, .. } | Event::OrganizationUpdated { id, .. } => {
            found.insert(object("organization", id));
        }
        Event::CatalogExtended { .. } | Event::RollbackAccepted { .. } => {}
        Event::UserCreated { user } | Event::UserUpdated { user } | Event::UserDeactivated { user } => {
            found.insert(Facet::Principal(Principal::User(user.id)));
        }
        Event::TokenCreated { token }
        | Event::TokenUpdated { token }
        | Event::TokenDeleted { token }
        | Event::TokenExpired { token } => {
            found.insert(Facet::Principal(Principal::Token(token.id)));
        }
        Event::KeyIssued { key } | Event::KeyRevoked { key } | Event::KeyExpired { key } => {
            touch_key(found, key);
        }
        Event::KeyRotated { key, old } => {
            touch_key(found, key);
            touch_key(found, old);
        }
        Event::GroupCreated { group } | Event::GroupUpdated { group } | Event::GroupDeleted { group } => {
            touch_grantee(found, Grantee::Group(group.id));
        }
        Event::MemberAdded { membership }
        | Event::MemberRemoved { membership }
        | Event::MemberExpired { membership } => {
            touch_grantee(found, Grantee::Group(membership.group));
            touch_grantee(found, membership.member);
        }
        Event::RoleCreated { role } | Event::RoleUpdated { role } | Event::RoleDeleted { role } => {
            found.insert(object("role", &role.id));
        }
        Event::ProjectCreated { project }
        | Event::ProjectUpdated { project }
        | Event::ProjectDeleted { project } => touch_project(found, project.id),
        Event::ObjectRegistered { object }
        | Event::ObjectUpdated { object }
        | Event::ObjectRemoved { object } => {
            touch_object(found, &object.object);
        }
        Event::GrantCreated { grant } | Event::GrantRevoked { grant } | Event::GrantExpired { grant } => {
            touch_grant(found, grant);
        }
        Event::WebhookCreated { webhook }
        | Event::WebhookUpdated { webhook }
        | Event::WebhookRotated { webhook }
        | Event::WebhookDeleted { webhook } => {
            found.insert(object("webhook", &webhook.id));
        }
    }
}

fn touch_key(found: &mut BTreeSet<Facet>, key: &Key) {
    found.insert(Facet::Principal(key.principal));
    if let Some(scope) = key.narrow.as_ref().and_then(|narrow| narrow.on.as_ref()) {
        touch_scope(found, scope);
    }
}

fn touch_grant(found: &mut BTreeSet<Facet>, grant: &Grant) {
    touch_grantee(found, grant.to);
    if let Gives::Role(role) = grant.gives {
        found.insert(object("role", &role));
    }
    touch_scope(found, &grant.on);
}

fn touch_grantee(found: &mut BTreeSet<Facet>, grantee: Grantee) {
    found.extend(grantee.principal().map(Facet::Principal));
    if let Grantee::Group(id) = grantee {
        found.insert(Facet::Group(id));
    }
}

/// A selector touches the projects that it names by id, included or excluded.
fn touch_scope(found: &mut BTreeSet<Facet>, scope: &Scope) {
    match scope {
        Scope::Organization => {}
        Scope::Projects(selector) => selector.ids().for_each(|id| touch_project(found, id)),
        Scope::Object(one) => touch_object(found, one),
    }
}

/// An object in a project is also found by type and id alone, and under its project.
fn touch_object(found: &mut BTreeSet<Facet>, object: &ObjectRef) {
    found.insert(Facet::of_object(object.clone()));
    if let Some(project) = object.project {
        found.insert(Facet::of_object(object.clone().within(None)));
        touch_project(found, project);
    }
}

fn touch_project(found: &mut BTreeSet<Facet>, id: ProjectId) {
    found.insert(Facet::Project(id));
}

fn object(object_type: &str, id: &impl ToString) -> Facet {
    Facet::Object(ObjectRef::new(object_type, id.to_string()))
}
