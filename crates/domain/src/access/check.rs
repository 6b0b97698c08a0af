//! What access means: the slow, exact answer that every view must equal.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    access::covers::ScopedObject,
    catalog::{Lineage, ObjectType, Permission},
    id::{KeyId, ProjectId},
    model::{Effect, Grant, Key, Narrowing},
    principal::{Grantee, Principal},
    scope::{ObjectRef, Scope},
    state::{OrgState, permission_set, project_view},
    time::Timestamp,
};

/// May this principal, with this key, do this on that?
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who; the key's principal if absent.
    pub principal: Option<Principal>,
    /// With which key; unnarrowed if absent.
    pub key: Option<KeyId>,
    /// The permission's name.
    pub permission: &'a str,
    /// The object.
    pub object: Target<'a>,
}

/// The object of a question, as the caller names it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The type's name.
    pub object_type: &'a str,
    /// The object's id.
    pub id: &'a str,
    /// The project it lies in, for types below project; without it, the one project that has such an object registered.
    pub project: Option<&'a str>,
}

/// Why an answer is what it is; the first that applies, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// An allow grant reaches, and no deny does.
    Granted,
    /// There is no such key.
    UnknownKey,
    /// The key was revoked.
    KeyRevoked,
    /// The key's time has passed.
    KeyExpired,
    /// The key is another principal's.
    KeyMismatch,
    /// There is no such principal.
    UnknownPrincipal,
    /// The principal ended, or its time has passed.
    InactivePrincipal,
    /// The catalog has no such permission.
    UnknownPermission,
    /// The catalog has no such object type.
    UnknownObjectType,
    /// There is no such object.
    UnknownObject,
    /// No project was named, and several have a living object of this type and id.
    AmbiguousObject,
    /// A project was named for an object that lies in none.
    ObjectProjectMismatch,
    /// The key's narrowing does not cover this.
    KeyNarrowed,
    /// A deny grant reaches.
    DeniedByGrant,
    /// No allow grant reaches.
    NoGrant,
}

impl Reason {
    /// The stable word for it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::UnknownKey => "unknown_key",
            Self::KeyRevoked => "key_revoked",
            Self::KeyExpired => "key_expired",
            Self::KeyMismatch => "key_mismatch",
            Self::UnknownPrincipal => "unknown_principal",
            Self::InactivePrincipal => "inactive_principal",
            Self::UnknownPermission => "unknown_permission",
            Self::UnknownObjectType => "unknown_object_type",
            Self::UnknownObject => "unknown_object",
            Self::AmbiguousObject => "ambiguous_object",
            Self::ObjectProjectMismatch => "object_project_mismatch",
            Self::KeyNarrowed => "key_narrowed",
            Self::DeniedByGrant => "denied_by_grant",
            Self::NoGrant => "no_grant",
        }
    }

    /// Whether it stands for an allow.
    pub const fn allows(self) -> bool {
        matches!(self, Self::Granted)
    }
}

/// An object found: what scopes are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Its type.
    pub object_type: ObjectType,
    /// Type and id.
    pub object: ObjectRef,
    /// The project it is, or lies in; alive.
    pub project: Option<ProjectId>,
    /// Of a living registered object; 0 otherwise.
    pub generation: u32,
}

/// The answer.
impl OrgState {
    /// May the question's principal do it at `now`? Never an error that looks like an allow: every doubt is a deny.
    pub fn check(&self, question: &Question<'_>, now: Timestamp) -> Reason {
        self.check_inner(question, now).err().unwrap_or(Reason::Granted)
    }

    fn check_inner(&self, question: &Question<'_>, now: Timestamp) -> Result<(), Reason> {
        let key = question.key.map(|id| self.active_key(id, now)).transpose()?;
        let principal = match (question.principal, key) {
            (Some(named), Some(key)) if named != key.principal => return Err(Reason::KeyMismatch),
            (Some(named), _) => named,
            (None, Some(key)) => key.principal,
            (None, None) => return Err(Reason::UnknownPrincipal),
        };
        self.active_principal(principal, now)?;
        let permission = self.catalog.permission(question.permission).ok_or(Reason::UnknownPermission)?;
        let located = self.locate(question.object)?;
        if let Some(narrow) = key.and_then(|key| key.narrow.as_ref())
            && !self.narrowing_covers(narrow, permission, &located)
        {
            return Err(Reason::KeyNarrowed);
        }
        self.decide_by_grants(principal, permission, &located, now)
    }

    /// Whether the principal's grants give the permission on the object, no key considered.
    pub fn decide_by_grants(
        &self,
        principal: Principal,
        permission: Permission,
        located: &Located,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let mut allowed = false;
        for grantee in self.reached(principal, now).keys() {
            for grant in self.grants_to(*grantee) {
                if !self.grant_gives(grant, permission, located, now) {
                    continue;
                }
                match grant.effect {
                    Effect::Deny => return Err(Reason::DeniedByGrant),
                    Effect::Allow => allowed = true,
                }
            }
        }
        if allowed { Ok(()) } else { Err(Reason::NoGrant) }
    }

    /// The key, if it works at `now`. A session works only as long as the key it was started with.
    pub fn active_key(&self, id: KeyId, now: Timestamp) -> Result<&Key, Reason> {
        let key = self.key(id).ok_or(Reason::UnknownKey)?;
        let parent = key.session.and_then(|session| session.parent);
        let parent = parent.map(|parent| self.key(parent).ok_or(Reason::KeyRevoked)).transpose()?;
        for key in [Some(key), parent].into_iter().flatten() {
            if key.ended_at.is_some() {
                return Err(Reason::KeyRevoked);
            }
            if now >= Timestamp::end(key.expires_at) {
                return Err(Reason::KeyExpired);
            }
        }
        Ok(key)
    }

    /// Until when the principal is active, if it is at `now`.
    pub fn active_principal(&self, principal: Principal, now: Timestamp) -> Result<Timestamp, Reason> {
        let (ended_at, until) = match principal {
            Principal::User(id) => {
                let user = self.user(id).ok_or(Reason::UnknownPrincipal)?;
                (user.ended_at, Timestamp::FOREVER)
            }
            Principal::Token(id) => {
                let token = self.token(id).ok_or(Reason::UnknownPrincipal)?;
                (token.ended_at, Timestamp::end(token.expires_at))
            }
        };
        if ended_at.is_some() || now >= until { Err(Reason::InactivePrincipal) } else { Ok(until) }
    }

    /// Finds the object a question is about. A project that is named is meant, whether the object is registered there or not.
    pub fn locate(&self, target: Target<'_>) -> Result<Located, Reason> {
        let object_type = self.catalog.object_type(target.object_type).ok_or(Reason::UnknownObjectType)?;
        let object = ObjectRef::new(target.object_type, target.id);
        if self.catalog.lineage(object_type) == Lineage::InProject {
            let project = match target.project {
                Some(named) => named.parse().map_err(|_| Reason::UnknownObject)?,
                None => self.only_home(target)?,
            };
            return self.locate_exactly(&object.within(Some(project)));
        }
        let located = self.locate_exactly(&object)?;
        let agrees = |named: &str| located.project.is_some_and(|id| id.to_string() == named);
        if target.project.is_none_or(agrees) { Ok(located) } else { Err(Reason::ObjectProjectMismatch) }
    }

    /// The one project that has a living object of this type and id.
    fn only_home(&self, target: Target<'_>) -> Result<ProjectId, Reason> {
        let mut homes = self.homes(target.object_type, target.id).filter_map(|known| known.object.project);
        let home = homes.next().ok_or(Reason::UnknownObject)?;
        if homes.next().is_some() { Err(Reason::AmbiguousObject) } else { Ok(home) }
    }

    /// Finds an object that the reference identifies: with its project, for types below project.
    pub fn locate_exactly(&self, object: &ObjectRef) -> Result<Located, Reason> {
        let object_type = self.catalog.object_type(&object.object_type).ok_or(Reason::UnknownObjectType)?;
        let (project, generation) = match self.catalog.lineage(object_type) {
            Lineage::InProject => {
                let home = object.project.filter(|id| self.living_project(*id).is_some());
                let known = self.living_object(object);
                (Some(home.ok_or(Reason::UnknownObject)?), known.map_or(0, |known| known.generation))
            }
            Lineage::Singleton => {
                let own = self.id.is_some_and(|id| id.to_string() == object.id);
                (None, own.then_some(0).ok_or(Reason::UnknownObject)?)
            }
            Lineage::Project => {
                let id = object.id.parse().map_err(|_| Reason::UnknownObject)?;
                self.living_project(id).ok_or(Reason::UnknownObject)?;
                (Some(id), 0)
            }
            Lineage::Organization => (None, self.locate_in_organization(object_type, object)?),
        };
        Ok(Located { object_type, object: object.clone(), project, generation })
    }

    fn locate_in_organization(&self, object_type: ObjectType, object: &ObjectRef) -> Result<u32, Reason> {
        let found = match object_type {
            ObjectType::GROUP => object.id.parse().ok().and_then(|id| self.living_group(id)).map(|_| 0),
            ObjectType::ROLE => object.id.parse().ok().and_then(|id| self.living_role(id)).map(|_| 0),
            _ => self.living_object(object).map(|known| known.generation),
        };
        found.ok_or(Reason::UnknownObject)
    }

    /// The principal itself and every group it is in at `now`, each with the latest instant until which it stays so.
    pub fn reached(&self, principal: Principal, now: Timestamp) -> BTreeMap<Grantee, Timestamp> {
        let Ok(until) = self.active_principal(principal, now) else { return BTreeMap::new() };
        self.reached_from(principal.into(), until, now)
    }

    /// The grantee itself, until `until`, and every group it is in at `now`: widest paths, the width of a path being its earliest expiry.
    pub fn reached_from(
        &self,
        from: Grantee,
        until: Timestamp,
        now: Timestamp,
    ) -> BTreeMap<Grantee, Timestamp> {
        let mut reached = BTreeMap::from([(from, until)]);
        let mut open = VecDeque::from([from]);
        while let Some(member) = open.pop_front() {
            let so_far = reached.get(&member).copied().unwrap_or(now);
            for membership in self.living_memberships_of(member) {
                let until = so_far.min(Timestamp::end(membership.expires_at));
                let group = Grantee::Group(membership.group);
                let better = reached.get(&group).is_none_or(|known| *known < until);
                if now < until && better {
                    reached.insert(group, until);
                    open.push_back(group);
                }
            }
        }
        reached
    }

    fn grant_gives(&self, grant: &Grant, permission: Permission, located: &Located, now: Timestamp) -> bool {
        let gives = |block: &crate::state::Block| {
            block.permissions.has(permission) && block.types.has(located.object_type)
        };
        self.grant_in_force(grant, now)
            && self.covers(&grant.on, located)
            && self.grant_blocks(grant).iter().any(gives)
    }

    /// Whether the scope covers the object or one of its ancestors.
    pub fn covers(&self, scope: &Scope, located: &Located) -> bool {
        let Located { object: ObjectRef { object_type, id, project: home }, project, .. } = located;
        let project = project.and_then(|id| self.project(id)).map(project_view);
        scope.covers(&self.catalog, &ScopedObject { object_type, id, home: *home, project })
    }

    /// Whether a narrowing to one object covers it: only in the generation that it was bound to.
    pub fn narrowed_to(&self, narrow: &Narrowing, located: &Located) -> bool {
        match &narrow.on {
            None => true,
            Some(Scope::Object(object)) if *object == located.object => {
                located.generation == narrow.generation
            }
            Some(scope) => self.scope_lives(scope, narrow.generation) && self.covers(scope, located),
        }
    }

    /// Whether a key's narrowing covers the permission on the object, both.
    pub fn narrowing_covers(&self, narrow: &Narrowing, permission: Permission, located: &Located) -> bool {
        let permitted = narrow
            .permissions
            .as_ref()
            .is_none_or(|names| permission_set(&self.catalog, names).has(permission));
        permitted && self.narrowed_to(narrow, located)
    }
}
