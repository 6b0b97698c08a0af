//! Finding the object of a question, and whether a scope covers it.

use std::rc::Rc;

use grantbook_domain::{
    access::{Located, Reason, Target},
    catalog::{Lineage, ObjectType},
    id::ProjectId,
    model::RegisteredObject,
    scope::{ObjectRef, Scope},
};

use crate::{
    check::{Checker, Stop},
    document::Document,
    error::ViewError,
    row::{GrantRow, ObjectRow, ProjectRow},
    row_key::Kind,
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
        let object = ObjectRef { object_type: target.object_type.to_owned(), id: target.id.to_owned() };
        let (project, generation) = match self.catalog.lineage(object_type) {
            Lineage::InProject => return self.locate_in_project(object_type, object, target.project),
            Lineage::Singleton => {
                let known =
                    self.snapshot.version(self.org, Kind::Organization, &self.org.bytes(), |_| Ok(()))?;
                let own = known.is_some() && target.id.parse() == Ok(self.org);
                (None, own.then_some(0).ok_or(Reason::UnknownObject)?)
            }
            Lineage::Project => {
                let id = target.id.parse().map_err(|_| Reason::UnknownObject)?;
                (Some(self.living_project(id)?.ok_or(Reason::UnknownObject)?), 0)
            }
            Lineage::Organization => (None, self.locate_in_organization(object_type, &object)?),
        };
        let agrees = target
            .project
            .is_none_or(|named| project.as_ref().is_some_and(|row| named.parse() == Ok(row.id)));
        if !agrees {
            return Err(Reason::ObjectProjectMismatch.into());
        }
        let located =
            Located { object_type, object, project: project.as_ref().map(|row| row.id), generation };
        Ok(Place { located, project })
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

    /// A registration beats the project named, also after a removal: an object never moves.
    fn locate_in_project(
        &mut self,
        object_type: ObjectType,
        object: ObjectRef,
        named: Option<&str>,
    ) -> Result<Place, Stop> {
        let registered = self.object(&object)?;
        let living = registered.filter(|known| !known.ended);
        let named_id: Option<ProjectId> = named.and_then(|text| text.parse().ok());
        let id = living.map_or(named_id, |known| known.project).ok_or(Reason::UnknownObject)?;
        let project = self.living_project(id)?.ok_or(Reason::UnknownObject)?;
        let home = registered.and_then(|known| known.project).unwrap_or(id);
        if home != id || (named.is_some() && named_id != Some(id)) {
            return Err(Reason::ObjectProjectMismatch.into());
        }
        let generation = living.map_or(0, |known| known.generation);
        let located = Located { object_type, object, project: Some(id), generation };
        Ok(Place { located, project: Some(project) })
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
        match scope {
            Scope::Organization => true,
            Scope::Projects(selector) => {
                place.project.as_ref().is_some_and(|project| selector.covers(project.view()))
            }
            Scope::Object(object) => {
                *object == place.located.object
                    || match self.catalog.object_type(&object.object_type) {
                        Some(ObjectType::ORGANIZATION) => true,
                        Some(ObjectType::ORG_PROJECT) => place.project.is_some(),
                        Some(ObjectType::PROJECT) => {
                            place.project.as_ref().is_some_and(|project| object.id.parse() == Ok(project.id))
                        }
                        _ => false,
                    }
            }
        }
    }

    /// Whether what the grant is on has not ended.
    pub(crate) fn grant_stands(&mut self, grant: &GrantRow) -> Result<bool, ViewError> {
        let Scope::Object(object) = &grant.scope else { return Ok(true) };
        let target = Target { object_type: &object.object_type, id: &object.id, project: None };
        match self.locate(target) {
            Ok(place) => Ok(place.located.generation == grant.generation),
            Err(Stop::Because(_)) => Ok(false),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}
