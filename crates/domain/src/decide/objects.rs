//! Registered objects: ids of the caller's own, each within its project. Two projects may use the same id for two objects.

use crate::{
    catalog::{Lineage, ObjectType, Permission},
    decide::{Events, Judge, changed, require_name, text},
    event::Event,
    id::{GrantId, GroupId, KeyId, OrgId, ProjectId, RoleId, TokenId, UserId, WebhookId},
    model::{Effect, RegisteredObject},
    refusal::{Kind, Refusal},
    scope::ObjectRef,
    text::check_object_id,
    time::Timestamp,
};

impl Judge<'_> {
    pub(super) fn register_object(&self, object: &ObjectRef, name: Option<&str>) -> Events {
        let object_type = self.state.catalog().object_type(&object.object_type);
        let object_type = object_type.ok_or_else(|| Refusal::no_such(Kind::ObjectType, "/type"))?;
        text("/id", check_object_id(&object.id))?;
        if let Some(name) = name {
            require_name(name)?;
        }
        match (self.registrable(object_type)?, object.project) {
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
        if self.is_ours(object) || old.is_some_and(|old| old.minted) {
            return Err(Refusal::invalid("/id", "Grantbook made this id for something else"));
        }
        if old.is_some_and(|old| old.ended_at.is_none()) {
            return Ok(Vec::new());
        }
        let object = RegisteredObject {
            object: object.clone(),
            name: name.map(str::to_owned),
            minted: false,
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
            return Err(Refusal::invalid(
                "/type",
                "objects of this type are created by their own endpoint, not by /v1/objects",
            ));
        }
        Ok(lineage)
    }

    /// Whether the id is one that Grantbook gave to anything of this organization.
    fn is_ours(&self, object: &ObjectRef) -> bool {
        let state = self.state;
        let Ok(id) = object.id.parse::<OrgId>() else { return false };
        let bits = id.uuid().as_u128();
        state.id() == Some(id)
            || state.user(UserId::from_u128(bits)).is_some()
            || state.token(TokenId::from_u128(bits)).is_some()
            || state.key(KeyId::from_u128(bits)).is_some()
            || state.group(GroupId::from_u128(bits)).is_some()
            || state.role(RoleId::from_u128(bits)).is_some()
            || state.project(ProjectId::from_u128(bits)).is_some()
            || state.grant(GrantId::from_u128(bits)).is_some()
            || state.webhook(WebhookId::from_u128(bits)).is_some()
    }

    pub(super) fn update_object(&self, object: &ObjectRef, name: Option<&Option<String>>) -> Events {
        let known = self.object_in_path(object, Permission::UPDATE)?;
        if self.state.living_object(&known.object).is_none() {
            return Err(Refusal::NotFound(Kind::Object));
        }
        let name = changed(name, known.name.as_ref());
        if name == known.name {
            return Ok(Vec::new());
        }
        if let Some(name) = &name {
            require_name(name)?;
        }
        Ok(vec![Event::ObjectUpdated { object: RegisteredObject { name, ..known.clone() } }])
    }

    /// The denies on the object end with it, which takes `delegate` over them.
    pub(super) fn remove_object(&self, object: &ObjectRef) -> Events {
        let known = self.object_in_path(object, Permission::DELETE)?;
        if self.state.living_object(&known.object).is_none() {
            return Ok(Vec::new());
        }
        for grant in self.state.grants_on(&known.object) {
            if grant.effect == Effect::Deny && self.state.grant_counts(grant, self.at) {
                self.require_to_lift(&self.state.holding(grant, Timestamp::FOREVER), &grant.on)?;
            }
        }
        let object = RegisteredObject { ended_at: Some(self.at), ..known.clone() };
        Ok(vec![Event::ObjectRemoved { object }])
    }
}
