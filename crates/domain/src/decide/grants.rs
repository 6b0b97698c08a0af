//! Grants: given and revoked, allow and deny.

use crate::{
    access::authority::Holding,
    catalog::{ObjectType, Permission},
    command::GrantCommand,
    decide::{Events, Judge, projects::require_labels},
    event::Event,
    id::GrantId,
    limits::{Limit, PATTERN_STARS_MAX, SelectorUse},
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
        (grant.on, grant.generation) = self.fitting_scope(&grant.on, "/on", Permission::CREATE_ACLS)?;
        self.require_reach(&grant)?;
        self.require_room_for(&grant.on)?;
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
        let reach = self.on_ground(|ground| ground.reach(&grant.on));
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
                self.require_named(selector, pointer, asked)?;
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

    /// What a selector names must exist and be seen.
    fn require_named(&self, selector: &Selector, pointer: &str, asked: Permission) -> Result<(), Refusal> {
        for (list, atoms) in [("include", &selector.include), ("exclude", &selector.exclude)] {
            for (index, atom) in atoms.iter().enumerate() {
                if let Atom::Id(id) = atom {
                    let pointer = format!("{pointer}/projects/{list}/{index}/id");
                    self.require_seen_project(*id, &pointer, asked)?;
                }
            }
        }
        Ok(())
    }

    /// A selector takes up room in the organization: each project to come is compared with it.
    pub(super) fn require_room_for(&self, scope: &Scope) -> Result<(), Refusal> {
        let SelectorUse { patterns, conditions } = SelectorUse::of(scope);
        let would_be = self.state.selector_use.plus(SelectorUse { patterns, conditions });
        if patterns > 0 {
            self.terms.limits.require(Limit::Patterns, would_be.patterns)?;
        }
        if conditions > 0 {
            self.terms.limits.require(Limit::Conditions, would_be.conditions)?;
        }
        Ok(())
    }
}

/// What the text of a selector alone shows to be wrong.
pub(super) fn require_selector(scope: &Scope, pointer: &str) -> Result<(), Refusal> {
    let Scope::Projects(selector) = scope else { return Ok(()) };
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
            require_atom(atom, (&pointer, index))?;
        }
    }
    Ok(())
}

/// Pointers are made only where something is wrong: there may be thousands of conditions.
fn require_atom(atom: &Atom, (list, index): (&str, usize)) -> Result<(), Refusal> {
    match atom {
        Atom::All | Atom::Id(_) => Ok(()),
        Atom::Name(pattern) => {
            let pointer = || format!("{list}/{index}/name");
            if let wrong @ Err(_) = check_line(pattern, NAME_MAX_BYTES) {
                super::text(&pointer(), wrong)?;
            }
            if pattern.bytes().filter(|byte| *byte == b'*').count() > PATTERN_STARS_MAX {
                return Err(Refusal::invalid(&pointer(), "at most 8 stars in one pattern"));
            }
            Ok(())
        }
        Atom::Label(labels) if labels.is_empty() => {
            Err(Refusal::invalid(&format!("{list}/{index}/label"), "must name at least one label"))
        }
        Atom::Label(labels) => require_labels(labels, None, || format!("{list}/{index}/label")),
    }
}
