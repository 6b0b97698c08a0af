//! What an author sees: a thing that is named and not seen is answered exactly as an id that nobody has.
//!
//! Seen is what one may read, what one may do the thing asked for on, what an earlier command of the same batch made, and
//! what is built in. Accounts are the exception: a caller who may give grants or manages a group names them by their exact ids.

use crate::{
    access::check::Located,
    catalog::{Lineage, ObjectType, Permission},
    command::Author,
    decide::Judge,
    event::Event,
    id::{GroupId, ProjectId, RoleId},
    principal::{Grantee, Principal},
    refusal::{Kind, Refusal},
    scope::ObjectRef,
};

impl Judge<'_> {
    /// Whether the author may read the object, or do `asked` on it, or made it in the same batch.
    pub(in crate::decide) fn sees(&self, located: &Located, asked: Permission) -> bool {
        match self.author {
            Author::Caller(caller) => {
                self.made.contains(&located.object)
                    || self.can(caller, Permission::READ, located)
                    || self.can(caller, asked, located)
            }
            Author::System | Author::Operator => true,
        }
    }

    fn sees_ref(&self, object: &ObjectRef, asked: Permission) -> bool {
        self.state.locate_exactly(object).is_ok_and(|located| self.sees(&located, asked))
    }

    pub(in crate::decide) fn require_seen_project(
        &self,
        id: ProjectId,
        pointer: &str,
        asked: Permission,
    ) -> Result<(), Refusal> {
        let seen = self.sees_ref(&ObjectRef::of_project(id), asked);
        if seen { Ok(()) } else { Err(Refusal::no_such(Kind::Project, pointer)) }
    }

    pub(in crate::decide) fn require_seen_role(&self, id: RoleId, pointer: &str) -> Result<(), Refusal> {
        let builtin = self.state.living_role(id).is_some_and(|role| role.builtin.is_some());
        let seen = builtin || self.sees_ref(&ObjectRef::new("role", id.to_string()), Permission::READ);
        if seen { Ok(()) } else { Err(Refusal::no_such(Kind::Role, pointer)) }
    }

    fn require_seen_group(&self, id: GroupId, pointer: &str) -> Result<(), Refusal> {
        let builtin = self.state.living_group(id).is_some_and(|group| group.builtin.is_some());
        let seen = builtin || self.sees_ref(&ObjectRef::new("group", id.to_string()), Permission::READ);
        if seen { Ok(()) } else { Err(Refusal::no_such(Kind::Group, pointer)) }
    }

    /// Whom a grant is to be given to, or a group is to have as a member. Who may do either names accounts by their exact ids,
    /// whether or not it reads them; a group must be seen.
    pub(in crate::decide) fn require_grantee(&self, grantee: Grantee, pointer: &str) -> Result<(), Refusal> {
        match grantee {
            Grantee::Group(id) => self.require_seen_group(id, pointer),
            Grantee::User(id) => self.require_living_principal(Principal::User(id), pointer),
            Grantee::Token(id) => self.require_living_principal(Principal::Token(id), pointer),
        }
    }

    fn require_living_principal(&self, principal: Principal, pointer: &str) -> Result<(), Refusal> {
        let kind = match principal {
            Principal::User(_) => Kind::User,
            Principal::Token(_) => Kind::Token,
        };
        if self.state.principal_lives(principal) { Ok(()) } else { Err(Refusal::no_such(kind, pointer)) }
    }

    /// The reference with its project, if the type lies below `project` and none was named: that of the only living object
    /// of this type and id among those that the author sees.
    pub(in crate::decide) fn resolve(
        &self,
        object: &ObjectRef,
        pointer: &str,
        asked: Permission,
    ) -> Result<ObjectRef, Refusal> {
        let known = self.state.catalog().object_type(&object.object_type);
        let in_project = known.is_some_and(|known| self.state.catalog().lineage(known) == Lineage::InProject);
        match (in_project, object.project) {
            (true, None) => {}
            (true, Some(_)) | (false, None) => return Ok(object.clone()),
            (false, Some(_)) => {
                let pointer = pointer.trim_end_matches("/id").to_owned() + "/project";
                return Err(Refusal::invalid(&pointer, "objects of this type lie in no project"));
            }
        }
        let homes = self.state.homes(&object.object_type, &object.id);
        let mut seen = homes.filter(|known| self.sees_ref(&known.object, asked));
        match (seen.next(), seen.next()) {
            (Some(known), None) => Ok(known.object.clone()),
            (None, _) => Err(Refusal::no_such(Kind::Object, pointer)),
            (Some(_), Some(_)) => Err(Refusal::AmbiguousObject {
                object_type: object.object_type.clone(),
                pointer: pointer.to_owned(),
            }),
        }
    }

    /// Whether the author may see everybody's access.
    pub(in crate::decide) fn reads_access(&self) -> bool {
        match self.author {
            Author::Caller(caller) => {
                self.can(caller, Permission::READ_ACLS, &self.singleton(ObjectType::ORGANIZATION))
            }
            Author::System | Author::Operator => true,
        }
    }
}

/// What an event made, as a reference to it.
pub(in crate::decide) fn made_by(event: &Event) -> Option<ObjectRef> {
    match event {
        Event::ProjectCreated { project } => Some(ObjectRef::of_project(project.id)),
        Event::GroupCreated { group } => Some(ObjectRef::new("group", group.id.to_string())),
        Event::RoleCreated { role } => Some(ObjectRef::new("role", role.id.to_string())),
        Event::ObjectRegistered { object } => Some(object.object.clone()),
        Event::OrganizationCreated { .. }
        | Event::OrganizationUpdated { .. }
        | Event::RollbackAccepted { .. }
        | Event::CatalogExtended { .. }
        | Event::UserCreated { .. }
        | Event::UserUpdated { .. }
        | Event::UserDeactivated { .. }
        | Event::TokenCreated { .. }
        | Event::TokenUpdated { .. }
        | Event::TokenDeleted { .. }
        | Event::TokenExpired { .. }
        | Event::KeyIssued { .. }
        | Event::KeyRotated { .. }
        | Event::KeyRevoked { .. }
        | Event::KeyExpired { .. }
        | Event::GroupUpdated { .. }
        | Event::GroupDeleted { .. }
        | Event::MemberAdded { .. }
        | Event::MemberRemoved { .. }
        | Event::MemberExpired { .. }
        | Event::RoleUpdated { .. }
        | Event::RoleDeleted { .. }
        | Event::ProjectUpdated { .. }
        | Event::ProjectDeleted { .. }
        | Event::ObjectUpdated { .. }
        | Event::ObjectRemoved { .. }
        | Event::GrantCreated { .. }
        | Event::GrantRevoked { .. }
        | Event::GrantExpired { .. }
        | Event::WebhookCreated { .. }
        | Event::WebhookUpdated { .. }
        | Event::WebhookRotated { .. }
        | Event::WebhookDeleted { .. } => None,
    }
}
