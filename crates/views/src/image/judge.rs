//! The answer to a check, from the image. The order of the questions asked is that of [`crate::check`], whose answers
//! these must equal.

use grantbook_domain::{
    access::{Question, Reason, Target},
    catalog::{Lineage, ObjectType, Permission},
    id::ProjectId,
    model::Effect,
    scope::Scope,
    time::Timestamp,
};

use super::{
    Image, OrgImage,
    row::{Gift, GroupNumber, KeyEntry, Life, PrincipalRow, Rights, Seat},
};
use crate::{encode::Put, row::ProjectRow};

/// An object found, with the project it is or lies in.
#[derive(Debug, Clone, Copy)]
struct Spot<'a> {
    object_type: ObjectType,
    type_name: &'a str,
    id: &'a str,
    project: Option<(u32, &'a ProjectRow)>,
    generation: u32,
}

/// A question whose parts are all known, on its way from right to right.
#[derive(Debug)]
struct Weighing<'a> {
    org: &'a OrgImage,
    now: Timestamp,
    permission: Permission,
    spot: Spot<'a>,
    allowed: bool,
    /// The groups that memberships with an expiry led to.
    seen: Vec<GroupNumber>,
}

impl Image {
    pub(super) fn judge(
        &self,
        org: &OrgImage,
        question: &Question<'_>,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let key = match question.key {
            None => None,
            Some(id) => {
                let known = self.key(id).filter(|key| key.org == org.id);
                Some(active_key(known.ok_or(Reason::UnknownKey)?, now)?)
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
        if let Some(narrow) = key.and_then(|key| key.narrow.as_deref()) {
            let covered = narrow.permissions.has(permission)
                && narrow.on.as_ref().is_none_or(|scope| org.covers(scope, &spot));
            if !covered {
                return Err(Reason::KeyNarrowed);
            }
        }
        Weighing { org, now, permission, spot, allowed: false, seen: Vec::new() }.decide(row)
    }
}

/// The key, if it works.
pub(super) fn active_key(key: &KeyEntry, now: Timestamp) -> Result<&KeyEntry, Reason> {
    if key.ended {
        Err(Reason::KeyRevoked)
    } else if now >= key.until {
        Err(Reason::KeyExpired)
    } else {
        Ok(key)
    }
}

/// The principal, if it is active.
pub(super) fn active(row: Option<&PrincipalRow>, now: Timestamp) -> Result<&PrincipalRow, Reason> {
    match row {
        Some(row) if row.life == Life::Living && now < row.until => Ok(row),
        Some(row) if row.life != Life::Unknown => Err(Reason::InactivePrincipal),
        Some(_) | None => Err(Reason::UnknownPrincipal),
    }
}

impl Weighing<'_> {
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

    fn gives(&self, gift: &Gift) -> bool {
        self.now < gift.row.until
            && gift.gives(self.permission, self.spot.object_type)
            && self.org.covers(&gift.row.scope, &self.spot)
            && self.org.stands(gift)
    }
}

/// Finding objects.
impl OrgImage {
    fn locate<'a>(&'a self, target: Target<'a>) -> Result<Spot<'a>, Reason> {
        let object_type = self.catalog.object_type(target.object_type).ok_or(Reason::UnknownObjectType)?;
        let (project, generation) = match self.catalog.lineage(object_type) {
            Lineage::InProject => return self.locate_in_project(object_type, target),
            Lineage::Singleton => {
                let own = self.founded && target.id.parse() == Ok(self.id);
                (None, own.then_some(0).ok_or(Reason::UnknownObject)?)
            }
            Lineage::Project => {
                let id = target.id.parse().map_err(|_| Reason::UnknownObject)?;
                (Some(self.living_project(id).ok_or(Reason::UnknownObject)?), 0)
            }
            Lineage::Organization => (None, self.locate_in_organization(object_type, target)?),
        };
        let agrees =
            target.project.is_none_or(|named| project.is_some_and(|(_, row)| named.parse() == Ok(row.id)));
        if !agrees {
            return Err(Reason::ObjectProjectMismatch);
        }
        Ok(Spot { object_type, type_name: target.object_type, id: target.id, project, generation })
    }

    fn locate_in_organization(&self, object_type: ObjectType, target: Target<'_>) -> Result<u32, Reason> {
        // The kind of id does not matter: it is looked up by its bytes.
        let id = || target.id.parse().map(ProjectId::bytes);
        let found = match object_type {
            ObjectType::GROUP => id().ok().filter(|id| self.group_lives(id)).map(|_| 0),
            ObjectType::ROLE => id().ok().filter(|id| self.roles.get(id) == Some(&true)).map(|_| 0),
            _ => self.object(target).filter(|known| !known.ended).map(|known| known.generation),
        };
        found.ok_or(Reason::UnknownObject)
    }

    /// A registration beats the project named, also after a removal: an object never moves.
    fn locate_in_project<'a>(
        &'a self,
        object_type: ObjectType,
        target: Target<'a>,
    ) -> Result<Spot<'a>, Reason> {
        let registered = self.object(target);
        let living = registered.filter(|known| !known.ended);
        let named: Option<ProjectId> = target.project.and_then(|text| text.parse().ok());
        let id = living.map_or(named, |known| known.project).ok_or(Reason::UnknownObject)?;
        let project = self.living_project(id).ok_or(Reason::UnknownObject)?;
        let home = registered.and_then(|known| known.project).unwrap_or(id);
        if home != id || (target.project.is_some() && named != Some(id)) {
            return Err(Reason::ObjectProjectMismatch);
        }
        let generation = living.map_or(0, |known| known.generation);
        let (type_name, id, project) = (target.object_type, target.id, Some(project));
        Ok(Spot { object_type, type_name, id, project, generation })
    }

    fn object(&self, target: Target<'_>) -> Option<crate::row::ObjectRow> {
        let id = Put::new(64).text(target.object_type).text(target.id).done();
        self.objects.get(id.as_slice()).copied().flatten()
    }

    fn living_project(&self, id: ProjectId) -> Option<(u32, &ProjectRow)> {
        let Seat { number, living } = self.projects.get(&id.bytes())?;
        living.as_deref().map(|row| (*number, row))
    }

    /// Whether the scope covers the object or one of its ancestors.
    fn covers(&self, scope: &Scope, spot: &Spot<'_>) -> bool {
        match scope {
            Scope::Organization => true,
            Scope::Projects(selector) => spot.project.is_some_and(|(_, row)| selector.covers(row.view())),
            Scope::Object(object) => {
                (object.object_type == spot.type_name && object.id == spot.id)
                    || match self.catalog.object_type(&object.object_type) {
                        Some(ObjectType::ORGANIZATION) => true,
                        Some(ObjectType::ORG_PROJECT) => spot.project.is_some(),
                        Some(ObjectType::PROJECT) => {
                            spot.project.is_some_and(|(_, row)| object.id.parse() == Ok(row.id))
                        }
                        _ => false,
                    }
            }
        }
    }

    /// Whether what the grant is on has not ended.
    fn stands(&self, gift: &Gift) -> bool {
        let Scope::Object(object) = &gift.row.scope else { return true };
        let target = Target { object_type: &object.object_type, id: &object.id, project: None };
        self.locate(target).is_ok_and(|spot| spot.generation == gift.row.generation)
    }
}
