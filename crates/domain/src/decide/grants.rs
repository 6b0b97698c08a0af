//! Grants: given and revoked, allow and deny.

use super::{Events, Judge, projects::require_labels, require_prose};
use crate::{
    access::Target,
    catalog::ObjectType,
    command::Command,
    event::Event,
    id::{GrantId, RoleId},
    model::{Effect, Gives, Grant},
    refusal::{Kind, Refusal},
    scope::{Atom, ObjectRef, SELECTOR_MAX, Scope, Selector},
    text::{NAME_MAX_BYTES, check_line},
    time::Timestamp,
};

impl Judge<'_> {
    pub(super) fn create_grant(&self, command: &Command) -> Events {
        let Command::CreateGrant { id, to, gives, on, effect, object_type, expires_at, reason } = command
        else {
            return Ok(Vec::new());
        };
        self.require_living_grantee(*to, "/to/id")?;
        self.require_gives(gives)?;
        self.require_future(*expires_at)?;
        require_prose("/reason", reason.as_deref())?;
        let (on, generation) = self.fitting_scope(on.clone(), "/on")?;
        let grant = Grant {
            id: *id,
            to: *to,
            gives: gives.clone(),
            on,
            effect: *effect,
            object_type: object_type.clone(),
            generation,
            expires_at: *expires_at,
            reason: reason.clone(),
            builtin: false,
            created_at: self.at,
            ended_at: None,
        };
        self.require_reach(&grant)?;
        let holding = self.state.holding(&grant, Timestamp::FOREVER);
        match effect {
            Effect::Allow => self.require_conferrable(&holding)?,
            Effect::Deny => self.require_delegate(&holding, &holding.scope)?,
        }
        Ok(vec![Event::GrantCreated { grant }])
    }

    pub(super) fn revoke_grant(&self, id: GrantId) -> Events {
        let grant = self.state.grant(id).ok_or(Refusal::NotFound(Kind::Grant))?;
        if grant.ended_at.is_some() {
            return Ok(Vec::new());
        }
        if grant.builtin {
            return Err(Refusal::BuiltIn(Kind::Grant));
        }
        let judged = grant.effect == Effect::Deny && !self.is_an_owner();
        if judged && self.state.grant_in_force(grant, self.at) {
            self.require_delegate(&self.state.holding(grant, Timestamp::FOREVER), &grant.on)?;
        }
        Ok(vec![Event::GrantRevoked { grant: Grant { ended_at: Some(self.at), ..grant.clone() } }])
    }

    fn require_gives(&self, gives: &Gives) -> Result<(), Refusal> {
        match gives {
            Gives::Permissions(names) => self.require_permissions(names, "/permissions").map(|_| ()),
            Gives::Role(id) if self.is_living_role(*id) => Ok(()),
            Gives::Role(_) => Err(Refusal::no_such(Kind::Role, "/role")),
        }
    }

    fn is_living_role(&self, id: RoleId) -> bool {
        self.state.role(id).is_some_and(|role| role.ended_at.is_none())
    }

    /// A grant that can reach no object is a mistake, and said to be one.
    fn require_reach(&self, grant: &Grant) -> Result<(), Refusal> {
        let reach = self.state.on_ground(|ground| ground.reach(&grant.on));
        if let Some(name) = &grant.object_type {
            let known = self.state.catalog().object_type(name);
            let known = known.ok_or_else(|| Refusal::no_such(Kind::ObjectType, "/object_type"))?;
            if !reach.has(known) {
                return Err(Refusal::invalid("/object_type", "the scope reaches no objects of this type"));
            }
        }
        let blocks = self.state.grant_blocks(grant);
        if grant.effect == Effect::Deny && blocks.iter().all(|block| block.types.intersect(reach).is_empty())
        {
            return Err(Refusal::invalid("/on", "a deny reaches no administrative object"));
        }
        Ok(())
    }

    /// A scope in its normal form, with the generation of the registered object it names; refuses what does not exist.
    pub(super) fn fitting_scope(&self, scope: Scope, pointer: &str) -> Result<(Scope, u32), Refusal> {
        match scope {
            Scope::Organization => Ok((Scope::Organization, 0)),
            Scope::Projects(selector) => {
                self.require_selector(&selector, pointer)?;
                Ok((Scope::Projects(selector), 0))
            }
            Scope::Object(object) => self.fitting_object(object, pointer),
        }
    }

    fn fitting_object(&self, object: ObjectRef, pointer: &str) -> Result<(Scope, u32), Refusal> {
        let target = Target { object_type: &object.object_type, id: &object.id, project: None };
        if self.state.catalog().object_type(&object.object_type).is_none() {
            return Err(Refusal::no_such(Kind::ObjectType, &format!("{pointer}/object/type")));
        }
        let located = self.state.locate(target);
        let located = located.map_err(|_| Refusal::no_such(Kind::Object, &format!("{pointer}/object/id")))?;
        if located.object_type == ObjectType::ORGANIZATION {
            return Ok((Scope::Organization, 0));
        }
        Ok((Scope::Object(object), located.generation))
    }

    fn require_selector(&self, selector: &Selector, pointer: &str) -> Result<(), Refusal> {
        if selector.include.is_empty() {
            let pointer = format!("{pointer}/projects/include");
            return Err(Refusal::invalid(&pointer, "must name at least one condition"));
        }
        for (list, atoms) in [("include", &selector.include), ("exclude", &selector.exclude)] {
            let pointer = format!("{pointer}/projects/{list}");
            if atoms.len() > SELECTOR_MAX {
                return Err(Refusal::invalid(&pointer, "at most 1000 conditions"));
            }
            for (index, atom) in atoms.iter().enumerate() {
                self.require_atom(atom, &format!("{pointer}/{index}"))?;
            }
        }
        Ok(())
    }

    fn require_atom(&self, atom: &Atom, pointer: &str) -> Result<(), Refusal> {
        match atom {
            Atom::All => Ok(()),
            Atom::Id(id) if self.state.living_project(*id).is_some() => Ok(()),
            Atom::Id(_) => Err(Refusal::no_such(Kind::Project, &format!("{pointer}/id"))),
            Atom::Name(pattern) => {
                super::text(&format!("{pointer}/name"), check_line(pattern, NAME_MAX_BYTES))
            }
            Atom::Label(labels) if labels.is_empty() => {
                Err(Refusal::invalid(&format!("{pointer}/label"), "must name at least one label"))
            }
            Atom::Label(labels) => require_labels(labels, &format!("{pointer}/label")),
        }
    }
}
