//! What the caller may see. Everything else is reported as not found.

use std::collections::HashMap;

use grantbook_domain::{
    access::{
        authority::Holdings,
        check::{Question, Reason, Target},
        rights::{Ask, Needs, On},
    },
    catalog::{PERMISSIONS, Permission},
    id::{GroupId, KeyId, ProjectId, RoleId},
    model,
    principal::Principal,
    refusal::Kind,
    scope::ObjectRef,
    webhook,
};
use grantbook_views::{Checker, Document, Image};

use crate::{
    http::problem::Failure,
    read::context::{Permit, ReadContext},
};

/// What a question of the read side is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Resource<'a> {
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

impl From<&model::Project> for Resource<'_> {
    fn from(project: &model::Project) -> Self {
        Self::Project(project.id)
    }
}

impl From<&model::Group> for Resource<'_> {
    fn from(group: &model::Group) -> Self {
        Self::Group(group.id)
    }
}

impl From<&model::Role> for Resource<'_> {
    fn from(role: &model::Role) -> Self {
        Self::Role(role.id)
    }
}

impl From<&model::User> for Resource<'_> {
    fn from(user: &model::User) -> Self {
        Self::Person(Principal::User(user.id))
    }
}

impl From<&model::Token> for Resource<'_> {
    fn from(token: &model::Token) -> Self {
        Self::Person(Principal::Token(token.id))
    }
}

/// Whose it is: seeing it takes seeing them, and more.
impl From<&model::Key> for Resource<'_> {
    fn from(key: &model::Key) -> Self {
        Self::Person(key.principal)
    }
}

impl<'a> From<&'a model::RegisteredObject> for Resource<'a> {
    fn from(object: &'a model::RegisteredObject) -> Self {
        Self::Object(&object.object)
    }
}

impl<'a> From<&'a model::Grant> for Resource<'a> {
    fn from(grant: &'a model::Grant) -> Self {
        Self::Grant(grant)
    }
}

impl From<&webhook::Webhook> for Resource<'_> {
    fn from(_: &webhook::Webhook) -> Self {
        Self::Whole
    }
}

/// Most projects in which one object is looked for to find the one that is meant: an id that more have needs its project named.
const HOMES_MAX: usize = 256;

/// Judges what the caller may ask and see, on one state of the view.
#[derive(Debug)]
pub(crate) struct Authorizer<'r> {
    reading: &'r ReadContext,
    /// Of today: what the caller may.
    today: Checks<'r>,
    /// Of the moment asked about, if that is not now.
    then: Option<Checker<'r>>,
    /// Whether the caller may read users and tokens, once that was asked.
    reads_members: Option<bool>,
    /// What the caller holds, once a grant was to be seen.
    holdings: Option<Holdings>,
    /// Whether the caller holds a permission on everything, once that was asked.
    everywhere: Option<(Permission, bool)>,
    /// Names of projects that were shown, or must not be.
    pub(super) project_names: HashMap<ProjectId, Option<String>>,
}

/// What answers checks.
#[derive(Debug)]
enum Checks<'r> {
    Image(&'r Image),
    // Large beside the image, which is to be quick.
    Rows(Box<Checker<'r>>),
}

impl<'r> Authorizer<'r> {
    /// Looks at what the reading stands on.
    pub(crate) fn new(reading: &'r ReadContext) -> Result<Self, Failure> {
        let then = reading.as_of().map(|_| reading.rows().checker(reading.org, reading.at())).transpose()?;
        let today = match reading.image() {
            Some(image) => Checks::Image(image),
            None => Checks::Rows(Box::new(reading.rows_of_today().checker(reading.org, reading.now)?)),
        };
        let project_names = HashMap::new();
        Ok(Self {
            reading,
            today,
            then,
            reads_members: None,
            holdings: None,
            everywhere: None,
            project_names,
        })
    }

    /// What it looks at.
    pub(crate) const fn reading(&self) -> &'r ReadContext {
        self.reading
    }

    /// Whether the caller has the right that the rights table names for the question.
    pub(crate) fn may(&mut self, ask: Ask, thing: &Resource<'_>) -> Result<bool, Failure> {
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
    pub(crate) fn require(&mut self, ask: Ask, thing: &Resource<'_>) -> Result<Permit<'r>, Failure> {
        if self.may(ask, thing)? {
            Ok(Permit::new(self.reading))
        } else {
            Err(Failure::forbidden(ask.needs()))
        }
    }

    /// The same, but for questions that are free to whom they are about.
    pub(crate) fn require_unless_own(
        &mut self,
        is_own: bool,
        ask: Ask,
        thing: &Resource<'_>,
    ) -> Result<Permit<'r>, Failure> {
        let own = Resource::Person(self.reading.caller.principal);
        self.require(ask, if is_own { &own } else { thing })
    }

    /// The living document of this id that the caller may see, else "no such".
    pub(crate) fn find<D: Document>(
        &mut self,
        ask: Ask,
        id: &D::Id,
        kind: Kind,
    ) -> Result<(D, Permit<'r>), Failure>
    where
        for<'a> Resource<'a>: From<&'a D>,
    {
        let (snapshot, org) = (self.reading.rows(), &self.reading.org);
        let found: Option<D> = snapshot.get(*org, id)?;
        match found {
            Some(found) if snapshot.lives(*org, &found)? && self.may(ask, &(&found).into())? => {
                Ok((found, Permit::new(self.reading)))
            }
            _ => Err(Failure::not_found(kind)),
        }
    }

    /// The project with this id, living or ended, if the caller may see it.
    pub(crate) fn project_seen(&mut self, id: ProjectId) -> Result<Permit<'r>, Failure> {
        let is = self.reading.rows_of_today().get::<model::Project>(self.reading.org, &id)?.is_some();
        if is && self.may(Ask::Project, &Resource::Project(id))? {
            Ok(Permit::new(self.reading))
        } else {
            Err(Failure::not_found(Kind::Project))
        }
    }

    /// The answer to a check that was permitted, at the moment asked about.
    pub(crate) fn check(&mut self, _: Permit<'_>, question: &Question<'_>) -> Result<Reason, Failure> {
        self.ask(question)
    }

    fn ask(&mut self, question: &Question<'_>) -> Result<Reason, Failure> {
        match &mut self.then {
            Some(then) => Ok(then.check(question)?),
            None => self.ask_today(question),
        }
    }

    fn ask_today(&mut self, question: &Question<'_>) -> Result<Reason, Failure> {
        match &mut self.today {
            Checks::Image(image) => Ok(image.check(self.reading.org, question, self.reading.now)),
            Checks::Rows(checker) => Ok(checker.check(question)?),
        }
    }

    /// Whether the caller's key is narrowed. That is fixed when a key is issued, so any snapshot that knows the key tells.
    pub(crate) fn is_narrowed(&self) -> Result<bool, Failure> {
        let (today, caller) = (self.reading.rows_of_today(), &self.reading.caller);
        Ok(caller.key.map(|key| today.narrowing_of(key)).transpose()?.flatten().is_some())
    }

    /// The caller's own key, if its narrowing must limit the answer. A caller with a narrowed key may ask freely only
    /// about what the key covers; for the rest it needs the right, as for other principals.
    pub(crate) fn own_key(&mut self, ask: Ask, object: Target<'_>) -> Result<Option<KeyId>, Failure> {
        let is_cut = self.is_narrowed()? && !self.may(ask, &Resource::Asked(object))?;
        Ok(self.reading.caller.key.filter(|_| is_cut))
    }

    /// The permissions that the caller has on an object and may know of with its key.
    pub(crate) fn cut_to_key(
        &mut self,
        object: Target<'_>,
        held: Vec<String>,
    ) -> Result<Vec<String>, Failure> {
        let Some(key) = self.own_key(Ask::Permissions, object)? else { return Ok(held) };
        let principal = Some(self.reading.caller.principal);
        let mut left = Vec::new();
        for name in held {
            let question = Question { principal, key: Some(key), permission: &name, object };
            if self.ask(&question)?.allows() {
                left.push(name);
            }
        }
        Ok(left)
    }

    /// Which project is meant by a question that names none, where several have such an object: the only one among those that
    /// the caller sees, by reading the object or by having there what is asked for. None: the question is clear as it is,
    /// or stays ambiguous.
    pub(crate) fn home_meant(&mut self, object: Target<'_>, asked: &str) -> Result<Option<String>, Failure> {
        if object.project.is_some() {
            return Ok(None);
        }
        let homes = self.homes(object)?;
        if !(2..=HOMES_MAX).contains(&homes.len()) {
            return Ok(None);
        }
        let ReadContext { caller, .. } = self.reading;
        let mut meant = None;
        for home in homes {
            let home = home.to_string();
            let object = Target { project: Some(&home), ..object };
            let mut may = |permission| {
                let (principal, key) = (Some(caller.principal), caller.key);
                let question = Question { principal, key, permission, object };
                self.ask_today(&question).map(Reason::allows)
            };
            let visible = may("read")? || may(asked)?;
            if visible && meant.replace(home).is_some() {
                return Ok(None);
            }
        }
        Ok(meant)
    }

    /// The living projects with such an object, at the moment asked about.
    fn homes(&mut self, object: Target<'_>) -> Result<Vec<ProjectId>, Failure> {
        let named = ObjectRef::new(object.object_type, object.id);
        match (&mut self.then, &mut self.today) {
            (Some(then), _) => Ok(then.homes(&named)?),
            (None, Checks::Image(image)) => Ok(image.homes(self.reading.org, &named)),
            (None, Checks::Rows(checker)) => Ok(checker.homes(&named)?),
        }
    }

    fn is_own(&self, thing: &Resource<'_>) -> bool {
        matches!(thing, Resource::Person(person) if *person == self.reading.caller.principal)
    }

    fn holds(&mut self, permission: Permission, on: On, thing: &Resource<'_>) -> Result<bool, Failure> {
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
            (On::AllProjects, _) => self.can_on_organizations(permission, "org_project"),
            (On::AuditLog, _) => self.can_on_organizations(permission, "org_audit_logs"),
            (On::Scope, Resource::Grant(grant)) => {
                let (today, org) = (self.reading.rows_of_today(), &self.reading.org);
                Ok(today.sees_grant(*org, self.held()?, grant)?)
            }
            (_, Resource::Project(id)) => self.could_on(permission, &ObjectRef::of_project(*id)),
            (_, Resource::Group(id)) => self.could_on(permission, &ObjectRef::new("group", id.to_string())),
            (_, Resource::Role(id)) => self.could_on(permission, &ObjectRef::new("role", id.to_string())),
            (_, Resource::Object(object)) => self.could_on(permission, object),
            (_, Resource::Asked(target)) => self.can_ask(permission, *target),
            (_, Resource::Whole | Resource::Person(_) | Resource::Grant(_)) => Ok(false),
        }
    }

    /// Checks the permission on the object. If there is no such object, the caller must hold it everywhere; then it
    /// is told that the object does not exist.
    fn can_ask(&mut self, permission: Permission, object: Target<'_>) -> Result<bool, Failure> {
        match self.reason(permission, object)? {
            Reason::UnknownObjectType
            | Reason::UnknownObject
            | Reason::AmbiguousObject
            | Reason::ObjectProjectMismatch => self.holds_everywhere(permission),
            reason @ (Reason::Granted
            | Reason::UnknownKey
            | Reason::KeyRevoked
            | Reason::KeyExpired
            | Reason::KeyMismatch
            | Reason::UnknownPrincipal
            | Reason::InactivePrincipal
            | Reason::UnknownPermission
            | Reason::KeyNarrowed
            | Reason::DeniedByGrant
            | Reason::NoGrant) => Ok(reason.allows()),
        }
    }

    /// Whether the caller holds the permission on every possible object. Only then may it learn that an object does
    /// not exist.
    fn holds_everywhere(&mut self, permission: Permission) -> Result<bool, Failure> {
        if let Some((_, known)) = self.everywhere.filter(|(asked, _)| *asked == permission) {
            return Ok(known);
        }
        let (today, org) = (self.reading.rows_of_today(), &self.reading.org);
        // The first is quick, and true of few.
        let held = self.can_on_organizations(permission, "organization")?
            && today.holds_everywhere(*org, self.held()?, permission)?;
        self.everywhere = Some((permission, held));
        Ok(held)
    }

    /// What the caller holds.
    fn held(&mut self) -> Result<&Holdings, Failure> {
        let (today, org, caller, now) =
            (self.reading.rows_of_today(), &self.reading.org, &self.reading.caller, &self.reading.now);
        let held = match self.holdings.take() {
            Some(held) => held,
            None => today.holdings(*org, *caller, *now)?,
        };
        Ok(self.holdings.insert(held))
    }

    /// On a thing that was there at the moment asked about; if it has ended since, on the whole that it belonged to.
    fn could_on(&mut self, permission: Permission, object: &ObjectRef) -> Result<bool, Failure> {
        let (object_type, id) = (object.object_type.as_str(), object.id.as_str());
        let whole = if object_type == "project" { "org_project" } else { "organization" };
        let project = object.project.map(|id| id.to_string());
        let reason = self.reason(permission, Target { object_type, id, project: project.as_deref() })?;
        if reason == Reason::UnknownObject {
            return self.can_on_organizations(permission, whole);
        }
        Ok(reason.allows())
    }

    /// On a singleton, whose id is the organization's.
    fn can_on_organizations(&mut self, permission: Permission, object_type: &str) -> Result<bool, Failure> {
        self.can_on(permission, object_type, &self.reading.org.to_string())
    }

    fn can_on(&mut self, permission: Permission, object_type: &str, id: &str) -> Result<bool, Failure> {
        Ok(self.reason(permission, Target { object_type, id, project: None })?.allows())
    }

    /// How it stands with the caller's right to something, today.
    pub(crate) fn reason(&mut self, permission: Permission, object: Target<'_>) -> Result<Reason, Failure> {
        let caller = self.reading.caller;
        let permission = PERMISSIONS.get(usize::from(permission.bit())).copied().unwrap_or_default();
        let question = Question { principal: Some(caller.principal), key: caller.key, permission, object };
        self.ask_today(&question)
    }
}
