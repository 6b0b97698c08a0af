//! Finding the object of a question, and whether a scope covers it.

use std::rc::Rc;

use grantbook_domain::{
    access::{
        check::{Located, Reason, Target},
        covers::ScopedObject,
    },
    catalog::{Lineage, ObjectType},
    id::ProjectId,
    model::RegisteredObject,
    scope::{ObjectRef, Scope},
};

use crate::{
    access::checker::{Checker, Stop},
    store::{
        document::Document,
        error::ViewError,
        row::{GrantRow, ObjectRow, ProjectRow},
        row_key::Kind,
    },
};

/// An object found, with the project it is or lies in.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) located: Located,
    pub(crate) project: Option<Rc<ProjectRow>>,
}

impl Checker<'_> {
    pub(crate) fn locate(&mut self, target: Target<'_>) -> Result<Place, Stop> {
        let object_type = self.catalog.object_type(target.object_type).ok_or(Reason::UnknownObjectType)?;
        let object = ObjectRef::new(target.object_type, target.id);
        if self.catalog.lineage(object_type) == Lineage::InProject {
            let project = match target.project {
                Some(named) => named.parse().map_err(|_| Reason::UnknownObject)?,
                None => self.only_home(&object)?,
            };
            return self.locate_exactly(&object.within(Some(project)));
        }
        let place = self.locate_exactly(&object)?;
        let agrees = |named: &str| place.project.as_ref().is_some_and(|row| named.parse() == Ok(row.id));
        if target.project.is_none_or(agrees) { Ok(place) } else { Err(Reason::ObjectProjectMismatch.into()) }
    }

    /// The one project that has a living object of this type and id.
    fn only_home(&mut self, object: &ObjectRef) -> Result<ProjectId, Stop> {
        match self.homes(object)?[..] {
            [] => Err(Reason::UnknownObject.into()),
            [home] => Ok(home),
            [..] => Err(Reason::AmbiguousObject.into()),
        }
    }

    /// The living projects that have a living object of this type and id registered.
    pub fn homes(&mut self, object: &ObjectRef) -> Result<Vec<ProjectId>, ViewError> {
        let mut homes = Vec::new();
        for home in self.snapshot.homes_ever(self.org, object)? {
            let lives = self.object(&object.clone().within(Some(home)))?.is_some_and(|known| !known.ended);
            if lives && self.living_project(home)?.is_some() {
                homes.push(home);
            }
        }
        Ok(homes)
    }

    /// Finds an object that the reference identifies: with its project, for types below project.
    pub(crate) fn locate_exactly(&mut self, object: &ObjectRef) -> Result<Place, Stop> {
        let object_type = self.catalog.object_type(&object.object_type).ok_or(Reason::UnknownObjectType)?;
        let (project, generation) = match self.catalog.lineage(object_type) {
            Lineage::InProject => {
                let home = object.project.map(|id| self.living_project(id)).transpose()?.flatten();
                let home = home.ok_or(Reason::UnknownObject)?;
                let known = self.object(object)?.filter(|known| !known.ended);
                (Some(home), known.map_or(0, |known| known.generation))
            }
            Lineage::Singleton => {
                let known =
                    self.snapshot.version(self.org, Kind::Organization, &self.org.bytes(), |_| Ok(()))?;
                let own = known.is_some() && object.id.parse() == Ok(self.org);
                (None, own.then_some(0).ok_or(Reason::UnknownObject)?)
            }
            Lineage::Project => {
                let id = object.id.parse().map_err(|_| Reason::UnknownObject)?;
                (Some(self.living_project(id)?.ok_or(Reason::UnknownObject)?), 0)
            }
            Lineage::Organization => (None, self.locate_in_organization(object_type, object)?),
        };
        let id = project.as_ref().map(|row| row.id);
        Ok(Place {
            located: Located { object_type, object: object.clone(), project: id, generation },
            project,
        })
    }

    fn locate_in_organization(&self, object_type: ObjectType, object: &ObjectRef) -> Result<u32, Stop> {
        let kind = match object_type {
            ObjectType::GROUP => Kind::Group,
            ObjectType::ROLE => Kind::Role,
            _ => {
                let known = self.object(object)?.filter(|known| !known.ended);
                return known.map(|known| known.generation).ok_or_else(|| Reason::UnknownObject.into());
            }
        };
        let id: ProjectId = object.id.parse().map_err(|_| Reason::UnknownObject)?;
        let lives = self.snapshot.version(self.org, kind, &id.bytes(), |version| Ok(!version.ended))?;
        if lives == Some(true) { Ok(0) } else { Err(Reason::UnknownObject.into()) }
    }

    pub(crate) fn object(&self, object: &ObjectRef) -> Result<Option<ObjectRow>, ViewError> {
        let id = RegisteredObject::id_bytes(object);
        self.snapshot.version(self.org, Kind::Object, &id, ObjectRow::decode)
    }

    pub(crate) fn living_project(&mut self, id: ProjectId) -> Result<Option<Rc<ProjectRow>>, ViewError> {
        if let Some(known) = self.projects.get(&id) {
            return Ok(known.clone());
        }
        let found = self.snapshot.version(self.org, Kind::Project, &id.bytes(), |version| {
            if version.ended { Ok(None) } else { ProjectRow::decode(id, version).map(Some) }
        })?;
        let found = found.flatten().map(Rc::new);
        self.projects.insert(id, found.clone());
        Ok(found)
    }

    /// Whether the scope covers the object or one of its ancestors.
    pub(crate) fn covers(&self, scope: &Scope, place: &Place) -> bool {
        let ObjectRef { object_type, id, project: home } = &place.located.object;
        let project = place.project.as_deref().map(ProjectRow::view);
        scope.covers(&self.catalog, &ScopedObject { object_type, id, home: *home, project })
    }

    /// Whether what the grant is on has not ended.
    pub(crate) fn grant_stands(&mut self, grant: &GrantRow) -> Result<bool, ViewError> {
        self.scope_stands(&grant.scope, grant.generation)
    }

    /// Whether what a scope is bound to has not ended: one object, in the generation that it had when it was bound.
    pub(crate) fn scope_stands(&mut self, scope: &Scope, generation: u32) -> Result<bool, ViewError> {
        let Scope::Object(object) = scope else { return Ok(true) };
        match self.locate_exactly(object) {
            Ok(place) => Ok(place.located.generation == generation),
            Err(Stop::Because(_)) => Ok(false),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

/// The place of an object; none if it is not there. One that was removed is still asked about in its project.
pub(crate) fn place_of(checker: &mut Checker<'_>, object: &ObjectRef) -> Result<Option<Place>, ViewError> {
    match checker.locate_exactly(object) {
        Ok(place) => Ok(Some(place)),
        Err(Stop::Because(_)) => Ok(None),
        Err(Stop::Failed(error)) => Err(error),
    }
}
