//! Roles: what they give, what they include, and who may make them give more.

use std::collections::BTreeSet;

use crate::{
    access::authority::Holding,
    catalog::{PermissionSet, TypeSet},
    command::RoleCommand,
    decide::{Events, Judge, is_new, require_name},
    event::Event,
    id::RoleId,
    limits::Limit,
    model::{Effect, Role, RolePermission},
    refusal::{Kind, Refusal},
    scope::Scope,
    state::{Block, NameKind, OrgState},
    time::Timestamp,
};

impl Judge<'_> {
    pub(super) fn judge_role(&self, command: &RoleCommand) -> Events {
        match command {
            RoleCommand::Create { id, name, permissions, includes } => {
                let role = Role {
                    id: *id,
                    name: name.clone(),
                    permissions: normal(permissions),
                    includes: includes.clone(),
                    builtin: None,
                    created_at: self.at,
                    ended_at: None,
                };
                self.require_role_fits(&role, None)?;
                Ok(vec![Event::RoleCreated { role }])
            }
            RoleCommand::Update { id, name, permissions, includes } => {
                let old = self.state.living_role(*id).ok_or(Refusal::NotFound(Kind::Role))?;
                let role = Role {
                    name: name.clone().unwrap_or_else(|| old.name.clone()),
                    permissions: permissions
                        .as_ref()
                        .map_or_else(|| old.permissions.clone(), |list| normal(list)),
                    includes: includes.clone().unwrap_or_else(|| old.includes.clone()),
                    ..old.clone()
                };
                self.update_role(old, role)
            }
            RoleCommand::Delete { id } => self.delete_role(*id),
        }
    }

    /// The author must be able to confer each added permission on the whole organization without an expiry.
    /// Who holds the role now does not matter: others may get it later.
    fn update_role(&self, old: &Role, role: Role) -> Events {
        if role == *old {
            return Ok(Vec::new());
        }
        if old.builtin.is_some() {
            return Err(Refusal::BuiltIn(Kind::Role));
        }
        self.require_role_fits(&role, Some(old))?;
        let mut after = self.state.clone();
        after.apply(self.author.into(), &Event::RoleUpdated { role: role.clone() });
        let (before, now) = (self.state.role_blocks(role.id), after.role_blocks(role.id));
        for permission in PermissionSet::ALL.iter() {
            let types = types_of(&now, permission).minus(types_of(&before, permission));
            if !types.is_empty() {
                self.require_gained(permission, types)?;
            }
        }
        self.require_delegate_over_role_denies(&after, role.id)?;
        Ok(vec![Event::RoleUpdated { role }])
    }

    fn require_gained(&self, permission: crate::catalog::Permission, types: TypeSet) -> Result<(), Refusal> {
        let blocks = vec![Block { permissions: permission.set(), types }];
        let (grant, scope, until) = (None, Scope::Organization, Timestamp::FOREVER);
        self.require_conferrable(&Holding { grant, scope, blocks, until })
    }

    /// Deny grants that take something else after the change than before.
    fn require_delegate_over_role_denies(&self, after: &OrgState, id: RoleId) -> Result<(), Refusal> {
        for role in self.roles_with(id) {
            for grant in self.state.grants_of_role(role) {
                if grant.effect == Effect::Deny && self.state.grant_counts(grant, self.at) {
                    let before = self.state.holding(grant, Timestamp::FOREVER);
                    let now = after.holding(grant, Timestamp::FOREVER);
                    if before.blocks != now.blocks {
                        self.require_to_lift(&before, &before.scope)?;
                        self.require_delegate(&now, &now.scope)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The role and every living role that includes it, directly or not.
    fn roles_with(&self, id: RoleId) -> BTreeSet<RoleId> {
        self.state.with_roles_including(id, &self.terms.work)
    }

    /// The new inclusions: how many there are then, and how long the longest path through each.
    fn require_room_for_includes(&self, role: &Role, old: Option<&Role>) -> Result<(), Refusal> {
        let had: BTreeSet<_> = old.into_iter().flat_map(|old| &old.includes).collect();
        let added: Vec<_> =
            role.includes.iter().filter(|included| !had.contains(included)).copied().collect();
        if added.is_empty() {
            return Ok(());
        }
        let (limits, work) = (&self.terms.limits, &self.terms.work);
        let others = self.state.included_by.len().saturating_sub(had.len());
        limits.require(Limit::Inclusions, others.saturating_add(role.includes.len()))?;
        limits.require(Limit::RoleDepth, self.state.role_depth_through(role.id, &added, work))
    }

    fn delete_role(&self, id: RoleId) -> Events {
        let role = self.state.role(id).ok_or(Refusal::NotFound(Kind::Role))?;
        if role.ended_at.is_some() {
            return Ok(Vec::new());
        }
        if role.builtin.is_some() {
            return Err(Refusal::BuiltIn(Kind::Role));
        }
        let granted = self.state.grants_of_role(id).any(|grant| self.state.grant_counts(grant, self.at));
        if granted || self.state.is_included(id) {
            return Err(Refusal::InUse);
        }
        Ok(vec![Event::RoleDeleted { role: Role { ended_at: Some(self.at), ..role.clone() } }])
    }

    fn require_role_fits(&self, role: &Role, old: Option<&Role>) -> Result<(), Refusal> {
        if is_new(&role.name, old.map(|old| &old.name)) {
            require_name(&role.name)?;
            if self.state.holder_of(NameKind::Role, &role.name).is_some_and(|holder| holder != role.id.uuid())
            {
                return Err(Refusal::NameTaken(Kind::Role));
            }
        }
        for (index, one) in role.permissions.iter().enumerate() {
            let pointer = format!("/permissions/{index}");
            if self.state.catalog().permission(&one.permission).is_none() {
                return Err(Refusal::no_such(Kind::Permission, &format!("{pointer}/permission")));
            }
            if let Some(name) = &one.object_type
                && self.state.catalog().object_type(name).is_none()
            {
                return Err(Refusal::no_such(Kind::ObjectType, &format!("{pointer}/object_type")));
            }
        }
        for (index, included) in role.includes.iter().enumerate() {
            if *included != role.id && !old.is_some_and(|old| old.includes.contains(included)) {
                self.require_seen_role(*included, &format!("/includes/{index}"))?;
            }
        }
        if !is_new(&role.includes, old.map(|old| &old.includes)) {
            return Ok(());
        }
        let above = self.roles_with(role.id);
        if role.includes.iter().any(|included| above.contains(included)) {
            return Err(Refusal::Cycle(Kind::Role));
        }
        self.require_room_for_includes(role, old)
    }
}

fn types_of(blocks: &[Block], permission: crate::catalog::Permission) -> TypeSet {
    let giving = blocks.iter().filter(|block| block.permissions.has(permission));
    giving.fold(TypeSet::EMPTY, |types, block| types.union(block.types))
}

/// Sorted and without repeats, so that the same role is stored the same way.
fn normal(permissions: &[RolePermission]) -> Vec<RolePermission> {
    let set: BTreeSet<_> = permissions.iter().cloned().collect();
    set.into_iter().collect()
}
