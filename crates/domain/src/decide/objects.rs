//! Registered objects: ids of the caller's own, each within its project. Two projects may use the same id for two objects.

use crate::{
    access::rights::On,
    catalog::{Lineage, ObjectType, Permission},
    command::{IfTaken, ObjectCommand},
    decide::{Events, Judge, changed, require_name, text},
    event::Event,
    id::{GrantId, GroupId, KeyId, OrgId, ProjectId, RoleId, TokenId, UserId, WebhookId},
    model::{Effect, RegisteredObject},
    refusal::{Kind, Refusal},
    scope::ObjectRef,
    text::check_object_id,
    time::Timestamp,
};

/// Most objects with a name that one command looks at, so that a name that many have costs no more.
const NAMES_LOOKED_AT: usize = 1000;

impl Judge<'_> {
    pub(super) fn judge_object(&self, command: &ObjectCommand) -> Events {
        match command {
            ObjectCommand::Register { object, name } => self.register_object(object, name.as_deref()),
            ObjectCommand::Create { object, name, if_taken } => self.create_object(object, name, *if_taken),
            ObjectCommand::Update { object, name } => self.update_object(object, name.as_ref()),
            ObjectCommand::Remove { object } => self.remove_object(object),
        }
    }

    fn register_object(&self, object: &ObjectRef, name: Option<&str>) -> Events {
        let object_type = self.registered_type(object)?;
        text("/id", check_object_id(&object.id))?;
        if let Some(name) = name {
            require_name(name)?;
        }
        self.require_place(object_type, object.project)?;
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

    /// Names are unique among what is created so; they are judged against all living objects of the type and project, also
    /// those that callers registered under ids of their own.
    fn create_object(&self, object: &ObjectRef, name: &str, if_taken: IfTaken) -> Events {
        let object_type = self.registered_type(object)?;
        require_name(name)?;
        self.require_place(object_type, object.project)?;
        if self.is_ours(object) || self.state.registrations(&object.object_type, &object.id).next().is_some()
        {
            return Err(Refusal::invalid("", "the id chosen for the object is in use: repeat the request"));
        }
        let place = (object.object_type.as_str(), object.project);
        let is_free = self.state.objects_named(place.0, place.1, name).next().is_none();
        let name = match if_taken {
            IfTaken::Number | IfTaken::Use if is_free => name.to_owned(),
            IfTaken::Number => {
                let free = self.state.numbered_name(place, name, (NAMES_LOOKED_AT, &self.terms.work));
                let free = free.ok_or(Refusal::NameTaken(Kind::Object))?;
                require_name(&free)?;
                free
            }
            IfTaken::Use if self.seen_with_name(object, name).is_some() => return Ok(Vec::new()),
            // Like a caller that may not create one.
            IfTaken::Use => return Err(self.forbidden(Permission::CREATE, On::Object)),
        };
        let object = RegisteredObject {
            object: object.clone(),
            name: Some(name),
            minted: true,
            generation: 1,
            created_at: self.at,
            ended_at: None,
        };
        Ok(vec![Event::ObjectRegistered { object }])
    }

    /// The first living object with the name, of the type and project of `like`, that the author sees, among those looked at.
    pub(super) fn seen_with_name(&self, like: &ObjectRef, name: &str) -> Option<&RegisteredObject> {
        let named = self.state.objects_named(&like.object_type, like.project, name);
        named.take(NAMES_LOOKED_AT).find(|known| {
            self.terms.work.compare();
            self.object_place(known).is_some_and(|place| self.sees(&place, Permission::READ))
        })
    }

    fn registered_type(&self, object: &ObjectRef) -> Result<ObjectType, Refusal> {
        let object_type = self.state.catalog().object_type(&object.object_type);
        object_type.ok_or_else(|| Refusal::no_such(Kind::ObjectType, "/type"))
    }

    /// Whether objects of the type are registered by callers, and whether they lie in a project, which must live.
    fn require_place(&self, object_type: ObjectType, project: Option<ProjectId>) -> Result<(), Refusal> {
        match (self.registrable(object_type)?, project) {
            (Lineage::InProject, None) => {
                Err(Refusal::invalid("/project", "objects of this type need their project"))
            }
            (Lineage::InProject, Some(id)) if self.state.living_project(id).is_none() => {
                Err(Refusal::no_such(Kind::Project, "/project"))
            }
            (Lineage::InProject, Some(_)) | (_, None) => Ok(()),
            (_, Some(_)) => Err(Refusal::invalid("/project", "objects of this type lie in no project")),
        }
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
            || state.is_minted(&id.to_string())
            || state.user(UserId::from_u128(bits)).is_some()
            || state.token(TokenId::from_u128(bits)).is_some()
            || state.key(KeyId::from_u128(bits)).is_some()
            || state.group(GroupId::from_u128(bits)).is_some()
            || state.role(RoleId::from_u128(bits)).is_some()
            || state.project(ProjectId::from_u128(bits)).is_some()
            || state.grant(GrantId::from_u128(bits)).is_some()
            || state.webhook(WebhookId::from_u128(bits)).is_some()
    }

    fn update_object(&self, object: &ObjectRef, name: Option<&Option<String>>) -> Events {
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
    fn remove_object(&self, object: &ObjectRef) -> Events {
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
