//! What the caller may see. Not seeing is not being: what may not be read is answered like what is not there.

use grantbook_domain::{
    access::{Question, Reason, Target},
    catalog::{PERMISSIONS, Permission},
    id::{GroupId, ProjectId, RoleId},
    model,
    principal::{Grantee, Principal},
    refusal::Kind,
    rights::{Ask, Needs, On},
    scope::ObjectRef,
};
use grantbook_views::{Checker, Document};

use crate::{
    http::{problem::Failure, read::Reading},
    routes::names,
};

/// What a question of the read side is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Thing<'a> {
    /// Nothing in particular: the organization, its audit log, its members as a whole.
    Whole,
    /// A project.
    Project(ProjectId),
    /// A group.
    Group(GroupId),
    /// A role.
    Role(RoleId),
    /// A registered object.
    Object(&'a ObjectRef),
    /// The object of a check.
    Asked(Target<'a>),
    /// A user or service token.
    Person(Principal),
    /// A grant.
    Grant(&'a model::Grant),
}

/// The caller's eyes on one snapshot.
#[derive(Debug)]
pub(crate) struct Sight<'r> {
    reading: &'r Reading,
    checker: Checker<'r>,
    /// Whether the caller may read users and tokens, once that was asked.
    reads_members: Option<bool>,
}

impl<'r> Sight<'r> {
    /// Looks at what the reading stands on.
    pub(crate) fn new(reading: &'r Reading) -> Result<Self, Failure> {
        let checker = reading.snapshot.checker(reading.org, reading.now)?;
        Ok(Self { reading, checker, reads_members: None })
    }

    /// Whether the caller has the right that the rights table names for the question.
    pub(crate) fn may(&mut self, ask: Ask, thing: &Thing<'_>) -> Result<bool, Failure> {
        match ask.needs() {
            Needs::Nothing => Ok(true),
            Needs::UnlessOwn(..) if self.is_own(thing) => Ok(true),
            Needs::Permission(permission, on) | Needs::UnlessOwn(permission, on) => {
                self.holds(permission, on, thing)
            }
            Needs::Each | Needs::System | Needs::Operator => Ok(false),
        }
    }

    /// The same; without it the question is forbidden.
    pub(crate) fn require(&mut self, ask: Ask, thing: &Thing<'_>) -> Result<(), Failure> {
        if self.may(ask, thing)? { Ok(()) } else { Err(Failure::forbidden(ask.needs())) }
    }

    /// The living thing of this id that the caller may see, else "no such".
    pub(crate) fn find<D: Document>(
        &mut self,
        ask: Ask,
        thing: &Thing<'_>,
        id: &D::Id,
        kind: Kind,
    ) -> Result<D, Failure> {
        let Reading { snapshot, org, .. } = self.reading;
        let found: Option<D> = snapshot.get(*org, id)?;
        match found {
            Some(found) if snapshot.lives(*org, &found)? && self.may(ask, thing)? => Ok(found),
            _ => Err(Failure::not_found(kind)),
        }
    }

    /// The answer to a check, whoever asks.
    pub(crate) fn ask(&mut self, question: &Question<'_>) -> Result<Reason, Failure> {
        Ok(self.checker.check(question)?)
    }

    /// Someone's name, if the caller may read it.
    pub(crate) fn name_of(&mut self, grantee: Grantee) -> Result<Option<String>, Failure> {
        let seen = match grantee {
            Grantee::Group(id) => self.may(Ask::Group, &Thing::Group(id))?,
            Grantee::User(id) => self.may(Ask::Members, &Thing::Person(Principal::User(id)))?,
            Grantee::Token(id) => self.may(Ask::Members, &Thing::Person(Principal::Token(id)))?,
        };
        if seen { names::of_grantee(self.reading, grantee) } else { Ok(None) }
    }

    fn is_own(&self, thing: &Thing<'_>) -> bool {
        matches!(thing, Thing::Person(person) if *person == self.reading.caller.principal)
    }

    fn holds(&mut self, permission: Permission, on: On, thing: &Thing<'_>) -> Result<bool, Failure> {
        match (on, thing) {
            (On::Members, _) if permission == Permission::READ => {
                if let Some(known) = self.reads_members {
                    return Ok(known);
                }
                let held = self.can_on_organizations(permission, "org_member")?;
                self.reads_members = Some(held);
                Ok(held)
            }
            (On::Members, _) => self.can_on_organizations(permission, "org_member"),
            (On::Organization, _) => self.can_on_organizations(permission, "organization"),
            (On::AuditLog, _) => self.can_on_organizations(permission, "org_audit_logs"),
            (On::Scope, Thing::Grant(grant)) => {
                let Reading { snapshot, org, caller, now, .. } = self.reading;
                Ok(snapshot.may_read_grant(*org, *caller, grant, *now)?)
            }
            (_, Thing::Project(id)) => self.could_on(permission, "project", &id.to_string()),
            (_, Thing::Group(id)) => self.could_on(permission, "group", &id.to_string()),
            (_, Thing::Role(id)) => self.could_on(permission, "role", &id.to_string()),
            (_, Thing::Object(object)) => self.could_on(permission, &object.object_type, &object.id),
            (_, Thing::Asked(target)) => self.can_ask(permission, *target),
            (_, Thing::Whole | Thing::Person(_) | Thing::Grant(_)) => Ok(false),
        }
    }

    /// On the object; for one that is not there, on the organization, so that whoever watches over it learns that.
    fn can_ask(&mut self, permission: Permission, object: Target<'_>) -> Result<bool, Failure> {
        match self.reason(permission, object)? {
            Reason::UnknownObjectType | Reason::UnknownObject | Reason::ObjectProjectMismatch => {
                self.can_on_organizations(permission, "organization")
            }
            reason => Ok(reason.allows()),
        }
    }

    /// On a thing that was there when the list was begun; if it has ended since, on the whole that it belonged to.
    fn could_on(&mut self, permission: Permission, object_type: &str, id: &str) -> Result<bool, Failure> {
        let whole = if object_type == "project" { "org_project" } else { "organization" };
        match self.reason(permission, Target { object_type, id, project: None })? {
            Reason::UnknownObject => self.can_on_organizations(permission, whole),
            reason => Ok(reason.allows()),
        }
    }

    /// On a singleton, whose id is the organization's.
    fn can_on_organizations(&mut self, permission: Permission, object_type: &str) -> Result<bool, Failure> {
        self.can_on(permission, object_type, &self.reading.org.to_string())
    }

    fn can_on(&mut self, permission: Permission, object_type: &str, id: &str) -> Result<bool, Failure> {
        Ok(self.reason(permission, Target { object_type, id, project: None })?.allows())
    }

    fn reason(&mut self, permission: Permission, object: Target<'_>) -> Result<Reason, Failure> {
        let caller = self.reading.caller;
        let permission = PERMISSIONS.get(usize::from(permission.bit())).copied().unwrap_or_default();
        let question = Question { principal: Some(caller.principal), key: caller.key, permission, object };
        self.ask(&question)
    }
}
