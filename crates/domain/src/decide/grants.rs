//! Grants: given and revoked, allow and deny.

use crate::{
    access::authority::Holding,
    catalog::{ObjectType, Permission},
    command::GrantCommand,
    decide::{Events, Judge, projects::require_labels, require_prose},
    event::Event,
    id::GrantId,
    model::{Effect, Gives, Grant},
    refusal::{Kind, Refusal},
    scope::{Atom, ObjectRef, SELECTOR_MAX, Scope, Selector},
    text::{NAME_MAX_BYTES, check_line},
    time::Timestamp,
};

impl Judge<'_> {
    pub(super) fn judge_grant(&self, command: &GrantCommand) -> Events {
        match command {
            GrantCommand::Create { id, to, gives, on, effect, object_type, expires_at, reason } => self
                .create_grant(Grant {
                    id: *id,
                    to: *to,
                    gives: gives.clone(),
                    on: on.clone(),
                    effect: *effect,
                    object_type: object_type.clone(),
                    generation: 0,
                    expires_at: *expires_at,
                    reason: reason.clone(),
                    builtin: false,
                    created_at: self.at,
                    ended_at: None,
                }),
            GrantCommand::Revoke { id } => self.revoke_grant(*id),
        }
    }

    fn create_grant(&self, mut grant: Grant) -> Events {
        self.require_grantee(grant.to, "/to/id")?;
        self.require_gives(&grant.gives)?;
        self.require_future(grant.expires_at)?;
        require_prose("/reason", grant.reason.as_deref())?;
        (grant.on, grant.generation) = self.fitting_scope(&grant.on, "/on", Permission::CREATE_ACLS)?;
        self.require_reach(&grant)?;
        let holding = Holding { grant: None, ..self.state.holding(&grant, Timestamp::FOREVER) };
        match grant.effect {
            Effect::Allow => self.require_conferrable(&holding)?,
            Effect::Deny => self.require_delegate(&holding, &holding.scope)?,
        }
        Ok(vec![Event::GrantCreated { grant }])
    }

    fn revoke_grant(&self, id: GrantId) -> Events {
        let grant = self.state.grant(id).ok_or(Refusal::NotFound(Kind::Grant))?;
        if grant.ended_at.is_some() {
            return Ok(Vec::new());
        }
        if grant.builtin {
            return Err(Refusal::BuiltIn(Kind::Grant));
        }
        if grant.effect == Effect::Deny && self.state.grant_counts(grant, self.at) {
            let deny = self.state.holding(grant, Timestamp::FOREVER);
            if self.is_an_owner() {
                self.require_sign_in_to_delegate(&[deny])?;
            } else {
                self.require_to_lift(&deny, &grant.on)?;
            }
        }
        Ok(vec![Event::GrantRevoked { grant: Grant { ended_at: Some(self.at), ..grant.clone() } }])
    }

    fn require_gives(&self, gives: &Gives) -> Result<(), Refusal> {
        match gives {
            Gives::Permissions(names) => self.require_permissions(names, "/permissions").map(|_| ()),
            Gives::Role(id) => self.require_seen_role(*id, "/role"),
        }
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
        let gives = |grant: &Grant| {
            let blocks = self.state.grant_blocks(grant);
            blocks.iter().any(|block| !block.types.intersect(reach).is_empty())
        };
        if grant.effect == Effect::Allow || gives(grant) {
            return Ok(());
        }
        let if_allowed = Grant { effect: Effect::Allow, ..grant.clone() };
        Err(if gives(&if_allowed) {
            Refusal::invalid(
                "/on",
                "a deny takes nothing on administrative objects, and this scope reaches no others",
            )
        } else {
            Refusal::invalid("/on", "the role gives nothing on this scope, so there is nothing to deny")
        })
    }

    /// A scope in its normal form, with the generation of the registered object it names; refuses what does not exist, or is
    /// not seen by an author who may neither read it nor do `asked` there.
    pub(super) fn fitting_scope(
        &self,
        scope: &Scope,
        pointer: &str,
        asked: Permission,
    ) -> Result<(Scope, u32), Refusal> {
        match scope {
            Scope::Organization => Ok((Scope::Organization, 0)),
            Scope::Projects(selector) => {
                self.require_selector(selector, pointer, asked)?;
                Ok((scope.clone(), 0))
            }
            Scope::Object(object) => self.fitting_object(object, pointer, asked),
        }
    }

    fn fitting_object(
        &self,
        object: &ObjectRef,
        pointer: &str,
        asked: Permission,
    ) -> Result<(Scope, u32), Refusal> {
        let object_type = self.state.catalog().object_type(&object.object_type);
        let object_type = object_type
            .ok_or_else(|| Refusal::no_such(Kind::ObjectType, &format!("{pointer}/object/type")))?;
        let pointer = format!("{pointer}/object/id");
        let object = self.resolve(object, &pointer, asked)?;
        let nothing = || Refusal::no_such(Kind::Object, &pointer);
        let located = self.state.locate_exactly(&object).map_err(|_| nothing())?;
        if object_type == ObjectType::ORGANIZATION {
            return Ok((Scope::Organization, 0));
        }
        let unregistered = located.generation == 0 && located.object.project.is_some();
        if unregistered || !self.sees(&located, asked) {
            return Err(nothing());
        }
        Ok((Scope::Object(object), located.generation))
    }

    fn require_selector(&self, selector: &Selector, pointer: &str, asked: Permission) -> Result<(), Refusal> {
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
                self.require_atom(atom, &format!("{pointer}/{index}"), asked)?;
            }
        }
        Ok(())
    }

    fn require_atom(&self, atom: &Atom, pointer: &str, asked: Permission) -> Result<(), Refusal> {
        match atom {
            Atom::All => Ok(()),
            Atom::Id(id) => self.require_seen_project(*id, &format!("{pointer}/id"), asked),
            Atom::Name(pattern) => {
                super::text(&format!("{pointer}/name"), check_line(pattern, NAME_MAX_BYTES))
            }
            Atom::Label(labels) if labels.is_empty() => {
                Err(Refusal::invalid(&format!("{pointer}/label"), "must name at least one label"))
            }
            Atom::Label(labels) => require_labels(labels, None, &format!("{pointer}/label")),
        }
    }
}
