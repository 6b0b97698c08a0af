//! The answer to a check, from the image. The order of the questions asked is that of [`crate::access::check`], whose answers
//! these must equal.

use grantbook_domain::{
    access::{
        check::{Question, Reason, Target},
        covers::ScopedObject,
    },
    catalog::{Lineage, ObjectType, Permission},
    id::{OrgId, ProjectId},
    model::Effect,
    scope::Scope,
    time::Timestamp,
};

use crate::{
    image::{
        Image, OrgImage,
        homes::Homes,
        row::{CompiledGrant, GroupNumber, KeyEntry, Lifecycle, PrincipalRow, ProjectSlot, Rights},
    },
    store::{encode::Put, row::ProjectRow},
};

/// An object found, with the project it is or lies in.
#[derive(Debug, Clone, Copy)]
struct ResolvedObject<'a> {
    object_type: ObjectType,
    type_name: &'a str,
    id: &'a str,
    project: Option<(u32, &'a ProjectRow)>,
    generation: u32,
}

/// A question whose parts are all known, on its way from right to right.
#[derive(Debug)]
struct Evaluation<'a> {
    org: &'a OrgImage,
    now: Timestamp,
    permission: Permission,
    spot: ResolvedObject<'a>,
    allowed: bool,
    /// The groups that memberships with an expiry led to.
    seen: Vec<GroupNumber>,
}

impl Image {
    /// May the question's principal do it? The same as [`crate::Snapshot::check`] says at this position.
    pub fn check(&self, org: OrgId, question: &Question<'_>, now: Timestamp) -> Reason {
        match self.org(org) {
            Some(org) => self.judge(org, question, now).err().unwrap_or(Reason::Granted),
            None if question.key.is_some() => Reason::UnknownKey,
            None => Reason::UnknownPrincipal,
        }
    }

    fn judge(&self, org: &OrgImage, question: &Question<'_>, now: Timestamp) -> Result<(), Reason> {
        let key = match question.key {
            None => None,
            Some(id) => {
                let known = self.key(id).filter(|key| key.org == org.id);
                Some(self.active_key(known.ok_or(Reason::UnknownKey)?, now)?)
            }
        };
        let principal = match (question.principal, key) {
            (Some(named), Some(key)) if named != key.principal => return Err(Reason::KeyMismatch),
            (Some(named), _) => named,
            (None, Some(key)) => key.principal,
            (None, None) => return Err(Reason::UnknownPrincipal),
        };
        let row = active(org.principal(principal), now)?;
        let permission = org.catalog.permission(question.permission).ok_or(Reason::UnknownPermission)?;
        let spot = org.locate(question.object)?;
        let special = key.and_then(|key| key.special.as_deref());
        if let Some(narrow) = special.and_then(|special| special.narrow.as_ref()) {
            let covers = |scope: &Scope| org.covers(scope, &spot) && org.stands(scope, narrow.generation);
            let covered = narrow.permissions.has(permission) && narrow.on.as_ref().is_none_or(covers);
            if !covered {
                return Err(Reason::KeyNarrowed);
            }
        }
        Evaluation { org, now, permission, spot, allowed: false, seen: Vec::new() }.decide(row)
    }

    /// The key, if it works, and so does the one that it was started with.
    pub(super) fn active_key<'k>(&self, key: &'k KeyEntry, now: Timestamp) -> Result<&'k KeyEntry, Reason> {
        working(key, now)?;
        if let Some(parent) = key.special.as_ref().and_then(|special| special.parent) {
            working(self.key(parent).ok_or(Reason::KeyRevoked)?, now)?;
        }
        Ok(key)
    }
}

fn working(key: &KeyEntry, now: Timestamp) -> Result<(), Reason> {
    if key.ended {
        Err(Reason::KeyRevoked)
    } else if now >= key.until {
        Err(Reason::KeyExpired)
    } else {
        Ok(())
    }
}

/// The principal, if it is active.
pub(super) fn active(row: Option<&PrincipalRow>, now: Timestamp) -> Result<&PrincipalRow, Reason> {
    match row {
        Some(row) if row.life == Lifecycle::Living && now < row.until => Ok(row),
        Some(row) if row.life != Lifecycle::Unknown => Err(Reason::InactivePrincipal),
        Some(_) | None => Err(Reason::UnknownPrincipal),
    }
}

impl Evaluation<'_> {
    fn decide(mut self, row: &PrincipalRow) -> Result<(), Reason> {
        if let Some(more) = &row.more {
            self.weigh(&more.own)?;
        }
        for group in row.groups() {
            self.weigh_group(group)?;
        }
        if self.allowed { Ok(()) } else { Err(Reason::NoGrant) }
    }

    fn weigh_group(&mut self, group: GroupNumber) -> Result<(), Reason> {
        let org = self.org;
        org.groups.get(group).map_or(Ok(()), |rights| self.weigh(rights))
    }

    /// Takes what one row gives into account; one deny ends it.
    fn weigh(&mut self, rights: &Rights) -> Result<(), Reason> {
        let Self { permission, spot, .. } = *self;
        let project = spot.project.map(|(number, _)| number);
        if rights.deny.as_ref().is_some_and(|deny| deny.has(permission, spot.object_type, project)) {
            return Err(Reason::DeniedByGrant);
        }
        self.allowed = self.allowed
            || rights.allow.as_ref().is_some_and(|allow| allow.has(permission, spot.object_type, project));
        for gift in &rights.special {
            let open = gift.row.effect == Effect::Deny || !self.allowed;
            if !open || !self.gives(gift) {
                continue;
            }
            match gift.row.effect {
                Effect::Deny => return Err(Reason::DeniedByGrant),
                Effect::Allow => self.allowed = true,
            }
        }
        for (until, group) in &rights.timed {
            if self.now < *until && !self.seen.contains(group) {
                self.seen.push(*group);
                self.weigh_group(*group)?;
            }
        }
        Ok(())
    }

    fn gives(&self, gift: &CompiledGrant) -> bool {
        self.now < gift.row.until
            && gift.gives(self.permission, self.spot.object_type)
            && self.org.covers(&gift.row.scope, &self.spot)
            && self.org.stands(&gift.row.scope, gift.row.generation)
    }
}

/// Finding objects.
impl OrgImage {
    fn locate<'a>(&'a self, target: Target<'a>) -> Result<ResolvedObject<'a>, Reason> {
        let object_type = self.catalog.object_type(target.object_type).ok_or(Reason::UnknownObjectType)?;
        let (type_name, id) = (target.object_type, target.id);
        if self.catalog.lineage(object_type) == Lineage::InProject {
            let project = match target.project {
                Some(named) => named.parse().map_err(|_| Reason::UnknownObject)?,
                None => self.only_home(type_name, id)?,
            };
            return self.locate_exactly(object_type, (type_name, id), Some(project));
        }
        let spot = self.locate_exactly(object_type, (type_name, id), None)?;
        let agrees = |named: &str| spot.project.is_some_and(|(_, row)| named.parse() == Ok(row.id));
        if target.project.is_none_or(agrees) { Ok(spot) } else { Err(Reason::ObjectProjectMismatch) }
    }

    /// The one project that has a living object of this type and id.
    fn only_home(&self, type_name: &str, id: &str) -> Result<ProjectId, Reason> {
        let mut living = self.living_homes(type_name, id);
        let home = living.next().ok_or(Reason::UnknownObject)?;
        if living.next().is_some() { Err(Reason::AmbiguousObject) } else { Ok(home) }
    }

    fn locate_exactly<'a>(
        &'a self,
        object_type: ObjectType,
        (type_name, id): (&'a str, &'a str),
        project: Option<ProjectId>,
    ) -> Result<ResolvedObject<'a>, Reason> {
        let living = |project| self.homes(type_name, id).and_then(|homes| homes.living(project));
        // The kind of id does not matter: it is looked up by its bytes.
        let by_id = || id.parse().map(ProjectId::bytes).map_err(|_| Reason::UnknownObject);
        let (project, generation) = match self.catalog.lineage(object_type) {
            Lineage::InProject => {
                let home = project.and_then(|id| self.living_project(id)).ok_or(Reason::UnknownObject)?;
                (Some(home), Some(living(project).map_or(0, |row| row.generation)))
            }
            Lineage::Singleton => (None, (self.founded && id.parse() == Ok(self.id)).then_some(0)),
            Lineage::Project => {
                let home = self.living_project(ProjectId::from_bytes(by_id()?));
                (Some(home.ok_or(Reason::UnknownObject)?), Some(0))
            }
            Lineage::Organization => match object_type {
                ObjectType::GROUP => (None, self.group_lives(&by_id()?).then_some(0)),
                ObjectType::ROLE => (None, (self.roles.get(&by_id()?) == Some(&true)).then_some(0)),
                _ => (None, living(None).map(|row| row.generation)),
            },
        };
        let generation = generation.ok_or(Reason::UnknownObject)?;
        Ok(ResolvedObject { object_type, type_name, id, project, generation })
    }

    /// The living projects that have a living object of this type and id.
    pub(super) fn living_homes(&self, type_name: &str, id: &str) -> impl Iterator<Item = ProjectId> {
        let homes = self.homes(type_name, id).into_iter().flat_map(Homes::projects);
        homes.filter(|id| self.living_project(*id).is_some())
    }

    fn homes(&self, type_name: &str, id: &str) -> Option<&Homes> {
        let name = Put::new(64).text(type_name).text(id).done();
        self.objects.get(name.as_slice())
    }

    fn living_project(&self, id: ProjectId) -> Option<(u32, &ProjectRow)> {
        let ProjectSlot { number, living } = self.projects.get(&id.bytes())?;
        living.as_deref().map(|row| (*number, row))
    }

    /// Whether the scope covers the object or one of its ancestors.
    fn covers(&self, scope: &Scope, spot: &ResolvedObject<'_>) -> bool {
        let ResolvedObject { object_type, type_name, id, project, .. } = *spot;
        let project = project.map(|(_, row)| row.view());
        // A project's own reference names no project.
        let home = project.map(|project| project.id).filter(|_| object_type != ObjectType::PROJECT);
        scope.covers(&self.catalog, &ScopedObject { object_type: type_name, id, home, project })
    }

    /// Whether what a scope is bound to has not ended: one object, in the generation that it had when it was bound.
    fn stands(&self, scope: &Scope, generation: u32) -> bool {
        let Scope::Object(object) = scope else { return true };
        let Some(object_type) = self.catalog.object_type(&object.object_type) else { return false };
        let spot = self.locate_exactly(object_type, (&object.object_type, &object.id), object.project);
        spot.is_ok_and(|spot| spot.generation == generation)
    }
}
