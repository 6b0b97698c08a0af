//! What a caller holds, and therefore may confer: nobody gives what he does not hold.

use std::sync::Arc;

use crate::{
    access::containment::ScopeContext,
    catalog::{Lineage, ObjectType, Permission, PermissionSet, TypeSet},
    id::{GrantId, ProjectId},
    model::{Effect, Grant, Narrowing},
    principal::{Caller, Grantee},
    scope::Scope,
    state::{Block, OrgState, permission_set},
    time::Timestamp,
};

/// One grant that reaches somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct Holding {
    /// By which grant; none where it is a right in general.
    pub grant: Option<GrantId>,
    /// Where.
    pub scope: Scope,
    /// What.
    pub blocks: Vec<Block>,
    /// The earliest expiry on its best path.
    pub until: Timestamp,
}

/// A key's narrowing, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Narrow {
    /// At most these.
    pub permissions: PermissionSet,
    /// At most here; everywhere if absent.
    pub on: Option<Scope>,
}

/// Everything that reaches a caller: its authority.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Holdings {
    /// Allow grants.
    pub allows: Vec<Holding>,
    /// Deny grants.
    pub denies: Vec<Holding>,
    /// What the key used is narrowed to.
    pub narrow: Option<Narrow>,
}

/// A right about to be given: a permission on types under a scope until an instant.
#[derive(Debug, Clone, Copy)]
pub struct Right<'a> {
    /// The permission.
    pub permission: Permission,
    /// On objects of these types.
    pub types: TypeSet,
    /// Where.
    pub scope: &'a Scope,
    /// Until when.
    pub until: Timestamp,
}

impl Holding {
    fn types_of(&self, permission: Permission) -> TypeSet {
        let giving = self.blocks.iter().filter(|block| block.permissions.has(permission));
        giving.fold(TypeSet::EMPTY, |types, block| types.union(block.types))
    }
}

impl Holdings {
    /// The types on which the caller holds the permission on all of `scope` until at least `until`: each by one allow
    /// grant on a containing scope, and no deny overlapping.
    pub fn held_types(
        &self,
        ground: &ScopeContext<'_>,
        permission: Permission,
        scope: &Scope,
        until: Timestamp,
    ) -> TypeSet {
        let within_key = self.narrow.as_ref().is_none_or(|narrow| {
            narrow.permissions.has(permission)
                && narrow.on.as_ref().is_none_or(|limit| ground.contains(limit, scope))
        });
        if !within_key {
            return TypeSet::EMPTY;
        }
        let allowed = self
            .allows
            .iter()
            .filter(|held| held.until >= until && ground.contains(&held.scope, scope))
            .fold(TypeSet::EMPTY, |types, held| types.union(held.types_of(permission)));
        self.denies
            .iter()
            .filter(|deny| ground.overlap(&deny.scope, scope))
            .fold(allowed, |types, deny| types.minus(deny.types_of(permission)))
    }

    /// Whether the caller holds the permission now on all of the scope, for all these types.
    pub fn holds(
        &self,
        ground: &ScopeContext<'_>,
        permission: Permission,
        types: TypeSet,
        scope: &Scope,
    ) -> bool {
        types.minus(self.held_types(ground, permission, scope, Timestamp::EPOCH)).is_empty()
    }

    /// Whether the caller holds the permission now on all of a grant's scope, for every type that the grant reaches.
    pub fn holds_over(
        &self,
        ground: &ScopeContext<'_>,
        permission: Permission,
        scope: &Scope,
        object_type: Option<&str>,
    ) -> bool {
        let reach = ground.reach(scope);
        let types =
            object_type.and_then(|name| ground.catalog.object_type(name)).map_or(reach, ObjectType::set);
        self.holds(ground, permission, types, scope)
    }

    /// Whether the caller is given every permission on every type of the organization, those of the future included, as
    /// Owners are, whatever denies take from him.
    pub fn own_the_organization(&self, ground: &ScopeContext<'_>) -> bool {
        let given = Self { allows: self.allows.clone(), denies: Vec::new(), narrow: self.narrow.clone() };
        PermissionSet::ALL
            .iter()
            .all(|permission| given.holds(ground, permission, TypeSet::ALL, &Scope::Organization))
    }

    /// Whether the caller sees the grant: `read_acls` over its whole scope. No deny hides a deny from the owners of the
    /// organization, who must find it to revoke it.
    pub fn sees_grant(&self, ground: &ScopeContext<'_>, grant: &Grant) -> bool {
        self.holds_over(ground, Permission::READ_ACLS, &grant.on, grant.object_type.as_deref())
            || (grant.effect == Effect::Deny && self.own_the_organization(ground))
    }

    /// Whether the caller may give the right: for each type he holds `delegate` there, or the very right.
    ///
    /// `delegate` on groups lifts attenuation for their memberships, so only a holder of `delegate` on the organization gives it.
    pub fn may_confer(&self, ground: &ScopeContext<'_>, right: Right<'_>) -> bool {
        let delegated = self.held_types(ground, Permission::DELEGATE, right.scope, Timestamp::EPOCH);
        let held = self.held_types(ground, right.permission, right.scope, right.until);
        let mut conferrable = delegated.union(held);
        if right.permission == Permission::DELEGATE {
            let over_all =
                self.held_types(ground, Permission::DELEGATE, &Scope::Organization, Timestamp::EPOCH);
            if !over_all.has(ObjectType::GROUP) {
                conferrable = conferrable.minus(ObjectType::GROUP.set());
            }
        }
        right.types.minus(conferrable).is_empty()
    }
}

/// What would be given and may not be.
#[derive(Debug, Clone, PartialEq)]
pub struct Excess {
    /// What it would come from.
    pub holding: Holding,
    /// The permission.
    pub permission: Permission,
    /// Where.
    pub scope: Scope,
}

/// Giving many rights at once.
impl Holdings {
    /// The first right that `given` has under `scope` and that the holder of these may not give.
    pub fn excess_under(&self, ground: &ScopeContext<'_>, given: &Holding, scope: &Scope) -> Option<Excess> {
        let reach = ground.reach(scope);
        for block in &given.blocks {
            let types = block.types.intersect(reach);
            for permission in block.permissions.iter().filter(|_| !types.is_empty()) {
                let right = Right { permission, types, scope, until: given.until };
                if !self.may_confer(ground, right) {
                    return Some(Excess { holding: given.clone(), permission, scope: scope.clone() });
                }
            }
        }
        None
    }

    /// The first right of all these allows, cut by a narrowing, that the holder may not give.
    ///
    /// A grant cut by a narrowing lies within both scopes, so it is enough that either can be given.
    pub fn excess(
        &self,
        ground: &ScopeContext<'_>,
        given: &[Holding],
        narrow: Option<&Narrow>,
    ) -> Option<Excess> {
        given.iter().find_map(|given| {
            let Some(narrow) = narrow else { return self.excess_under(ground, given, &given.scope) };
            let cut = |block: &Block| Block {
                permissions: block.permissions.intersect(narrow.permissions),
                ..*block
            };
            let given = Holding { blocks: given.blocks.iter().map(cut).collect(), ..given.clone() };
            let excess = self.excess_under(ground, &given, &given.scope)?;
            match &narrow.on {
                None => Some(excess),
                Some(limit) if ground.overlap(limit, &given.scope) => {
                    self.excess_under(ground, &given, limit)
                }
                Some(_) => None,
            }
        })
    }

    /// Whether the holder may issue a key of a user other than itself: such a key does whatever the user may do later.
    pub fn may_issue_for_others(&self, ground: &ScopeContext<'_>) -> bool {
        self.holds(ground, Permission::DELEGATE, TypeSet::ALL, &Scope::Organization)
    }
}

/// Gathering holdings from the state.
impl OrgState {
    /// Runs `ask` with what is known of projects and objects.
    pub fn on_ground<T>(&self, ask: impl FnOnce(&ScopeContext<'_>) -> T) -> T {
        let project = |id: ProjectId| {
            self.projects.get(&id).filter(|project| project.ended_at.is_none()).map(Arc::clone)
        };
        ask(&ScopeContext { catalog: &self.catalog, project: &project })
    }

    /// What reaches the caller at `now`, cut by the narrowing of its key.
    pub fn holdings(&self, caller: Caller, now: Timestamp) -> Holdings {
        let mut holdings = self.holdings_of(self.reached(caller.principal, now), now);
        let key = caller.key.and_then(|id| self.key(id));
        holdings.narrow = key.and_then(|key| key.narrow.as_ref()).map(|narrow| self.narrow(narrow));
        holdings
    }

    /// What is given to any of these, each until the instant beside it.
    pub fn holdings_of(
        &self,
        reached: impl IntoIterator<Item = (Grantee, Timestamp)>,
        now: Timestamp,
    ) -> Holdings {
        let mut holdings = Holdings::default();
        for (grantee, until) in reached {
            for grant in self.grants_to(grantee).filter(|grant| self.grant_in_force(grant, now)) {
                let holding = self.holding(grant, until);
                match grant.effect {
                    Effect::Allow => holdings.allows.push(holding),
                    Effect::Deny => holdings.denies.push(holding),
                }
            }
        }
        holdings
    }

    /// A grant as held by somebody whose path to it ends at `until`.
    pub fn holding(&self, grant: &Grant, until: Timestamp) -> Holding {
        Holding {
            grant: Some(grant.id),
            scope: grant.on.clone(),
            blocks: self.grant_blocks(grant),
            until: until.min(Timestamp::end(grant.expires_at)),
        }
    }

    /// A narrowing with its names resolved. One to an object that ended leaves nothing.
    pub fn narrow(&self, narrow: &Narrowing) -> Narrow {
        let lives = narrow.on.as_ref().is_none_or(|scope| self.scope_lives(scope, narrow.generation));
        let permissions = match &narrow.permissions {
            _ if !lives => PermissionSet::EMPTY,
            None => PermissionSet::ALL,
            Some(names) => permission_set(&self.catalog, names),
        };
        Narrow { permissions, on: narrow.on.clone() }
    }

    /// Whether objects of this type lie in projects or are projects.
    pub fn is_below_projects(&self, object_type: ObjectType) -> bool {
        matches!(self.catalog.lineage(object_type), Lineage::Project | Lineage::InProject)
    }
}
