//! Whether the author may ask for the command at all: the rights table, and "not seeing is not being".

use crate::{
    access::{
        authority::Holding,
        check::Located,
        rights::{Needs, On, needs},
    },
    catalog::{ObjectType, Permission},
    command::{
        Author, Command, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, RoleCommand, SessionCommand, TokenCommand, UserCommand,
    },
    decide::Judge,
    id::{GroupId, KeyId, ProjectId, RoleId},
    model::{Effect, Key, RegisteredObject},
    principal::{Caller, Principal},
    refusal::{Kind, Refusal},
    scope::{ObjectRef, Scope},
};

impl Judge<'_> {
    pub(in crate::decide) fn authorize(&self, command: &Command) -> Result<(), Refusal> {
        let needs = needs(command);
        match self.author {
            Author::Operator => self.exists(command),
            Author::System if needs == Needs::System => Ok(()),
            Author::System => Err(Refusal::forbidden("operator", "the installation")),
            Author::Caller(caller) => match needs {
                Needs::Nothing | Needs::Each => Ok(()),
                Needs::Permission(permission, on) => self.require(caller, command, permission, on),
                Needs::UnlessOwn(permission, on) if !self.is_own(caller, command) => {
                    self.require(caller, command, permission, on)
                }
                Needs::UnlessOwn(..) => Ok(()),
                Needs::System | Needs::Operator => Err(Refusal::forbidden("operator", "the installation")),
            },
        }
    }

    /// The thing in the path must exist, for the operator too.
    fn exists(&self, command: &Command) -> Result<(), Refusal> {
        match self.person_in_path(command) {
            Some((kind, None)) => Err(Refusal::NotFound(kind)),
            Some((_, Some(_))) | None => Ok(()),
        }
    }

    fn require(
        &self,
        caller: Caller,
        command: &Command,
        permission: Permission,
        on: On,
    ) -> Result<(), Refusal> {
        match on {
            On::Members => self.require_on_members(caller, command, permission),
            On::Scope => self.require_over_scope(command, permission),
            On::Organization => {
                let all = crate::catalog::TypeSet::ALL;
                let held = self
                    .on_ground(|ground| self.holdings.holds(ground, permission, all, &Scope::Organization));
                if held { Ok(()) } else { Err(self.forbidden(permission, on)) }
            }
            On::AllProjects => self.require_new(caller, permission, ObjectType::ORG_PROJECT, on),
            On::NewGroup => self.require_new(caller, permission, ObjectType::GROUP, on),
            On::NewRole => self.require_new(caller, permission, ObjectType::ROLE, on),
            On::Object if registered_by(command).is_some() => {
                self.require_registration(caller, command, permission)
            }
            On::Project | On::Group | On::Role | On::Object | On::AuditLog => {
                let (kind, located) = self.path(command, permission)?;
                let located = located.ok_or(Refusal::NotFound(kind))?;
                self.require_seen(caller, permission, kind, &located)
            }
        }
    }

    fn require_seen(
        &self,
        caller: Caller,
        permission: Permission,
        kind: Kind,
        located: &Located,
    ) -> Result<(), Refusal> {
        if !self.sees(located, permission) {
            return Err(Refusal::NotFound(kind));
        }
        if self.can(caller, permission, located) {
            Ok(())
        } else {
            Err(Refusal::forbidden(
                self.state.catalog().permission_name(permission),
                format!("the {}", kind.word()),
            ))
        }
    }

    fn require_on_members(
        &self,
        caller: Caller,
        command: &Command,
        permission: Permission,
    ) -> Result<(), Refusal> {
        let members = self.singleton(ObjectType::ORG_MEMBER);
        if let Some((kind, person)) = self.person_in_path(command) {
            let person = person.ok_or(Refusal::NotFound(kind))?;
            // Of its own account's keys a narrowed key sees those that it may list.
            let is_own = person == caller.principal
                && (self.disposes_of(caller, command) || self.can(caller, permission, &members));
            if !is_own && !self.can(caller, Permission::READ, &members) {
                return Err(Refusal::NotFound(kind));
            }
        }
        if self.can(caller, permission, &members) {
            Ok(())
        } else {
            Err(self.forbidden(permission, On::Members))
        }
    }

    fn require_new(
        &self,
        caller: Caller,
        permission: Permission,
        object_type: ObjectType,
        on: On,
    ) -> Result<(), Refusal> {
        if self.can(caller, permission, &self.singleton(object_type)) {
            Ok(())
        } else {
            Err(self.forbidden(permission, on))
        }
    }

    /// The project in the body: unseen and without the right is like not being.
    fn require_registration(
        &self,
        caller: Caller,
        command: &Command,
        permission: Permission,
    ) -> Result<(), Refusal> {
        let Some(object) = registered_by(command) else {
            return Err(self.forbidden(permission, On::Object));
        };
        let object_type = self.state.catalog().object_type(&object.object_type);
        let object_type = object_type.ok_or_else(|| Refusal::no_such(Kind::ObjectType, "/type"))?;
        if let Some(id) = object.project
            && self.state.living_project(id).is_none()
        {
            return Err(Refusal::no_such(Kind::Project, "/project"));
        }
        let located = Located { object_type, object: object.clone(), project: object.project, generation: 0 };
        if self.can(caller, permission, &located) {
            return Ok(());
        }
        if let Some(id) = object.project {
            self.require_seen_project(id, "/project", permission)?;
        }
        Err(self.forbidden(permission, On::Object))
    }

    /// Grants: over the whole scope, for every type it reaches. Without `read_acls` there a grant is not seen.
    fn require_over_scope(&self, command: &Command, permission: Permission) -> Result<(), Refusal> {
        let Command::Grant(command) = command else { return Err(self.forbidden(permission, On::Scope)) };
        let (scope, object_type) = match command {
            GrantCommand::Create { on, object_type, .. } => {
                let (on, _) = self.fitting_scope(on, "/on", permission)?;
                let held = self.holds_over(permission, &on, object_type.as_deref());
                return if held { Ok(()) } else { Err(self.forbidden(permission, On::Scope)) };
            }
            GrantCommand::Revoke { id } => {
                let grant = self.state.grant(*id).ok_or(Refusal::NotFound(Kind::Grant))?;
                if grant.effect == Effect::Deny && self.is_an_owner() {
                    return Ok(());
                }
                if !self.on_ground(|ground| self.holdings.sees_grant(ground, grant)) {
                    return Err(Refusal::NotFound(Kind::Grant));
                }
                (&grant.on, grant.object_type.as_deref())
            }
        };
        if self.holds_over(permission, scope, object_type) {
            Ok(())
        } else {
            Err(self.forbidden(permission, On::Scope))
        }
    }

    /// No deny locks the Owners out of revoking it, though it may take `delete_acls` and `delegate` from them elsewhere.
    pub(in crate::decide) fn is_an_owner(&self) -> bool {
        self.on_ground(|ground| self.holdings.own_the_organization(ground))
    }

    fn holds_over(&self, permission: Permission, scope: &Scope, object_type: Option<&str>) -> bool {
        self.on_ground(|ground| self.holdings.holds_over(ground, permission, scope, object_type))
    }

    /// Whether the caller may, its key's narrowing considered.
    pub(in crate::decide) fn can(&self, caller: Caller, permission: Permission, located: &Located) -> bool {
        let narrow = caller.key.and_then(|id| self.state.key(id)).and_then(|key| key.narrow.as_ref());
        narrow.is_none_or(|narrow| self.state.narrowing_covers(narrow, permission, located))
            && self.holds_on(permission, located)
    }

    /// Whether the author's grants give the permission on the object: [`crate::state::OrgState::decide_by_grants`], of what was gathered.
    fn holds_on(&self, permission: Permission, located: &Located) -> bool {
        let gives = |one: &&Holding| {
            self.terms.work.compare();
            one.gives(permission, located.object_type) && self.state.covers(&one.scope, located)
        };
        self.holdings.allows.iter().any(|one| gives(&one))
            && !self.holdings.denies.iter().any(|one| gives(&one))
    }

    pub(in crate::decide) fn forbidden(&self, permission: Permission, on: On) -> Refusal {
        Refusal::forbidden(self.state.catalog().permission_name(permission), on.to_string())
    }

    /// Whether the command ends a key or session of the caller's own principal, of which its key disposes.
    fn is_own(&self, caller: Caller, command: &Command) -> bool {
        key_ended(command).is_some_and(|id| {
            let own = self.state.key(id).is_some_and(|key| key.principal == caller.principal);
            own && self.disposes_of(caller, command)
        })
    }

    /// Of its principal's keys a narrowed key disposes of itself alone.
    fn disposes_of(&self, caller: Caller, command: &Command) -> bool {
        let rotated =
            if let Command::Key(KeyCommand::Rotate { id, .. }) = command { Some(*id) } else { None };
        let key = rotated.or_else(|| key_ended(command));
        self.holdings.narrow.is_none() || key.is_none_or(|id| caller.key == Some(id))
    }

    /// The user, token or key's owner that the path names; inner none if there is no such.
    fn person_in_path(&self, command: &Command) -> Option<(Kind, Option<Principal>)> {
        let user = |id| self.state.user(id).map(|user| Principal::User(user.id));
        let token = |id| self.state.token(id).map(|token| Principal::Token(token.id));
        let owner = |key: Option<&Key>| key.map(|key| key.principal);
        match command {
            Command::User(UserCommand::Update { id, .. } | UserCommand::Deactivate { id }) => {
                Some((Kind::User, user(*id)))
            }
            Command::Token(TokenCommand::Update { id, .. } | TokenCommand::Delete { id }) => {
                Some((Kind::Token, token(*id)))
            }
            Command::Key(KeyCommand::Issue { principal: Principal::User(id), .. }) => {
                Some((Kind::User, user(*id)))
            }
            Command::Key(KeyCommand::Issue { principal: Principal::Token(id), .. }) => {
                Some((Kind::Token, token(*id)))
            }
            Command::Key(KeyCommand::Rotate { id, .. } | KeyCommand::Revoke { id }) => {
                Some((Kind::Key, owner(self.state.key(*id))))
            }
            Command::Session(SessionCommand::End { id }) => {
                Some((Kind::Session, owner(self.state.session(*id))))
            }
            Command::User(UserCommand::Create { .. })
            | Command::Token(TokenCommand::Create { .. })
            | Command::Session(SessionCommand::Start { .. })
            | Command::Batch(_)
            | Command::ExtendCatalog { .. }
            | Command::Group(_)
            | Command::Member(_)
            | Command::Role(_)
            | Command::Project(_)
            | Command::Object(_)
            | Command::Grant(_)
            | Command::Webhook(_)
            | Command::NoteExpiries { .. }
            | Command::AcceptRollback { .. }
            | Command::RecoverOwner { .. } => None,
        }
    }

    /// The object that the path names, living or ended; none if it is none or names no single thing.
    fn path(&self, command: &Command, asked: Permission) -> Result<(Kind, Option<Located>), Refusal> {
        Ok(match command {
            Command::Project(ProjectCommand::Update { id, .. } | ProjectCommand::Delete { id }) => {
                (Kind::Project, self.state.project(*id).map(|project| project_place(project.id)))
            }
            Command::Group(GroupCommand::Update { id, .. } | GroupCommand::Delete { id })
            | Command::Member(
                MemberCommand::Add { group: id, .. } | MemberCommand::Remove { group: id, .. },
            ) => (Kind::Group, self.group_place(*id)),
            Command::Role(RoleCommand::Update { id, .. } | RoleCommand::Delete { id }) => {
                (Kind::Role, self.role_place(*id))
            }
            Command::Object(ObjectCommand::Update { object, .. } | ObjectCommand::Remove { object }) => {
                (Kind::Object, self.object_place(self.object_in_path(object, asked)?))
            }
            Command::Project(ProjectCommand::Create { .. })
            | Command::Group(GroupCommand::Create { .. })
            | Command::Role(RoleCommand::Create { .. })
            | Command::Object(ObjectCommand::Register { .. } | ObjectCommand::Create { .. })
            | Command::Batch(_)
            | Command::ExtendCatalog { .. }
            | Command::User(_)
            | Command::Token(_)
            | Command::Key(_)
            | Command::Session(_)
            | Command::Grant(_)
            | Command::Webhook(_)
            | Command::NoteExpiries { .. }
            | Command::AcceptRollback { .. }
            | Command::RecoverOwner { .. } => (Kind::Organization, None),
        })
    }

    fn group_place(&self, id: GroupId) -> Option<Located> {
        let object = ObjectRef::new("group", self.state.group(id)?.id.to_string());
        Some(Located { object_type: ObjectType::GROUP, object, project: None, generation: 0 })
    }

    fn role_place(&self, id: RoleId) -> Option<Located> {
        let object = ObjectRef::new("role", self.state.role(id)?.id.to_string());
        Some(Located { object_type: ObjectType::ROLE, object, project: None, generation: 0 })
    }

    pub(in crate::decide) fn object_place(&self, known: &RegisteredObject) -> Option<Located> {
        let object = known.object.clone();
        let object_type = self.state.catalog().object_type(&object.object_type)?;
        Some(Located { object_type, project: object.project, object, generation: known.generation })
    }

    /// The registered object that the path names, living or ended. Without its project, the only living one that the author
    /// sees, or else the only ended one, so that ending it again is answered as before.
    pub(in crate::decide) fn object_in_path(
        &self,
        named: &ObjectRef,
        asked: Permission,
    ) -> Result<&RegisteredObject, Refusal> {
        if let Some(known) = self.state.object(named) {
            return Ok(known);
        }
        if named.project.is_some() {
            return Err(Refusal::NotFound(Kind::Object));
        }
        let lives = |known: &RegisteredObject| self.state.living_object(&known.object).is_some();
        for living in [true, false] {
            let known = self.state.registrations(&named.object_type, &named.id);
            let mut seen = known.filter(|known| {
                lives(known) == living
                    && self.object_place(known).is_some_and(|place| self.sees(&place, asked))
            });
            match (seen.next(), seen.next()) {
                (Some(known), None) => return Ok(known),
                (None, _) => {}
                (Some(_), Some(_)) => {
                    let object_type = named.object_type.clone();
                    return Err(Refusal::AmbiguousObject { object_type, pointer: String::new() });
                }
            }
        }
        Err(Refusal::NotFound(Kind::Object))
    }

    /// The organization's one object of a type; for groups and roles the place where a new one would be.
    pub(in crate::decide) fn singleton(&self, object_type: ObjectType) -> Located {
        let id = self.state.id().map(|id| id.to_string()).unwrap_or_default();
        let object = ObjectRef::new(self.state.catalog().type_name(object_type), id);
        Located { object_type, object, project: None, generation: 0 }
    }
}

fn project_place(id: ProjectId) -> Located {
    let object = ObjectRef::of_project(id);
    Located { object_type: ObjectType::PROJECT, object, project: Some(id), generation: 0 }
}

/// The object that the command would make known.
const fn registered_by(command: &Command) -> Option<&ObjectRef> {
    match command {
        Command::Object(ObjectCommand::Register { object, .. } | ObjectCommand::Create { object, .. }) => {
            Some(object)
        }
        Command::Object(ObjectCommand::Update { .. } | ObjectCommand::Remove { .. })
        | Command::Batch(_)
        | Command::ExtendCatalog { .. }
        | Command::User(_)
        | Command::Token(_)
        | Command::Key(_)
        | Command::Session(_)
        | Command::Group(_)
        | Command::Member(_)
        | Command::Role(_)
        | Command::Project(_)
        | Command::Grant(_)
        | Command::Webhook(_)
        | Command::NoteExpiries { .. }
        | Command::AcceptRollback { .. }
        | Command::RecoverOwner { .. } => None,
    }
}

/// The key or session that the command ends.
const fn key_ended(command: &Command) -> Option<KeyId> {
    match command {
        Command::Key(KeyCommand::Revoke { id }) | Command::Session(SessionCommand::End { id }) => Some(*id),
        Command::Key(KeyCommand::Issue { .. } | KeyCommand::Rotate { .. })
        | Command::Session(SessionCommand::Start { .. })
        | Command::Batch(_)
        | Command::ExtendCatalog { .. }
        | Command::User(_)
        | Command::Token(_)
        | Command::Group(_)
        | Command::Member(_)
        | Command::Role(_)
        | Command::Project(_)
        | Command::Object(_)
        | Command::Grant(_)
        | Command::Webhook(_)
        | Command::NoteExpiries { .. }
        | Command::AcceptRollback { .. }
        | Command::RecoverOwner { .. } => None,
    }
}
