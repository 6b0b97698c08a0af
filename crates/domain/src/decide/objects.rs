//! Registered objects: ids of the caller's own. An object never moves to another project.

use super::{Events, Judge, text};
use crate::{
    catalog::{Lineage, ObjectType},
    event::Event,
    id::ProjectId,
    model::{Effect, RegisteredObject},
    refusal::{Kind, Refusal},
    scope::ObjectRef,
    text::{OBJECT_ID_MAX_BYTES, check_line},
    time::Timestamp,
};

impl Judge<'_> {
    pub(super) fn register_object(&self, object: &ObjectRef, project: Option<ProjectId>) -> Events {
        let object_type = self.state.catalog().object_type(&object.object_type);
        let object_type = object_type.ok_or_else(|| Refusal::no_such(Kind::ObjectType, "/type"))?;
        text("/id", check_line(&object.id, OBJECT_ID_MAX_BYTES))?;
        match (self.registrable(object_type)?, project) {
            (Lineage::InProject, None) => {
                return Err(Refusal::invalid("/project", "objects of this type need their project"));
            }
            (Lineage::InProject, Some(id)) if self.state.living_project(id).is_none() => {
                return Err(Refusal::no_such(Kind::Project, "/project"));
            }
            (Lineage::InProject, Some(_)) | (_, None) => {}
            (_, Some(_)) => {
                return Err(Refusal::invalid("/project", "objects of this type lie in no project"));
            }
        }
        let old = self.state.object(object);
        if old.is_some_and(|old| old.project != project) {
            return Err(Refusal::ObjectMoved);
        }
        if old.is_some_and(|old| old.ended_at.is_none()) {
            return Ok(Vec::new());
        }
        let object = RegisteredObject {
            object: object.clone(),
            project,
            generation: old.map_or(1, |old| old.generation.saturating_add(1)),
            created_at: self.at,
            ended_at: None,
        };
        Ok(vec![Event::ObjectRegistered { object }])
    }

    /// The lineage of a type whose objects are registered by callers.
    fn registrable(&self, object_type: ObjectType) -> Result<Lineage, Refusal> {
        let lineage = self.state.catalog().lineage(object_type);
        let own_calls = matches!(object_type, ObjectType::GROUP | ObjectType::ROLE)
            || matches!(lineage, Lineage::Singleton | Lineage::Project);
        if own_calls {
            return Err(Refusal::invalid("/type", "objects of this type are made by calls of their own"));
        }
        Ok(lineage)
    }

    /// The denies on the object end with it, which takes `delegate` over them.
    pub(super) fn remove_object(&self, object: &ObjectRef) -> Events {
        let known = self.state.object(object).ok_or(Refusal::NotFound(Kind::Object))?;
        if known.ended_at.is_some() {
            return Ok(Vec::new());
        }
        for grant in self.state.grants_on(object) {
            if grant.effect == Effect::Deny && self.state.grant_in_force(grant, self.at) {
                self.require_delegate(&self.state.holding(grant, Timestamp::FOREVER), &grant.on)?;
            }
        }
        let object = RegisteredObject { ended_at: Some(self.at), ..known.clone() };
        Ok(vec![Event::ObjectRemoved { object }])
    }
}
