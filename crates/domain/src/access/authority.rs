//! What a caller holds, and therefore may confer: nobody gives what he does not hold.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    access::containment::ScopeContext,
    catalog::{Lineage, ObjectType, PERMISSIONS_MAX, Permission, PermissionSet, TypeSet},
    id::{GrantId, ProjectId},
    limits::WorkCounter,
    model::{Effect, Gives, Grant, Narrowing},
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

impl Holding {
    /// Whether it gives the permission on objects of the type, wherever its scope is.
    pub(crate) fn gives(&self, permission: Permission, object_type: ObjectType) -> bool {
        self.blocks.iter().any(|block| block.permissions.has(permission) && block.types.has(object_type))
    }

    fn permissions(&self) -> PermissionSet {
        self.blocks.iter().fold(PermissionSet::EMPTY, |all, block| all.union(block.permissions))
    }
}

/// What a caller holds on all of one scope: containment was decided once, for all permissions asked about.
#[derive(Debug, Clone)]
pub struct HeldOver {
    /// Now.
    now: Table,
    /// Until at least the instant asked about.
    lasting: Table,
}

/// Types by permission.
#[derive(Debug, Clone)]
struct Table([TypeSet; PERMISSIONS_MAX]);

impl Table {
    const EMPTY: Self = Self([TypeSet::EMPTY; PERMISSIONS_MAX]);

    fn types(&self, permission: Permission) -> TypeSet {
        self.0.get(usize::from(permission.bit())).copied().unwrap_or(TypeSet::EMPTY)
    }

    fn add(&mut self, blocks: &[Block], of: PermissionSet) {
        each(blocks, of, |permission, types| {
            if let Some(held) = self.0.get_mut(usize::from(permission.bit())) {
                *held = held.union(types);
            }
        });
    }

    fn take(&mut self, blocks: &[Block], of: PermissionSet) {
        each(blocks, of, |permission, types| {
            if let Some(held) = self.0.get_mut(usize::from(permission.bit())) {
                *held = held.minus(types);
            }
        });
    }

    fn has_all(&self, blocks: &[Block], of: PermissionSet) -> bool {
        let mut all = true;
        each(blocks, of, |permission, types| all &= types.minus(self.types(permission)).is_empty());
        all
    }

    fn has_any(&self, blocks: &[Block], of: PermissionSet) -> bool {
        let mut any = false;
        each(blocks, of, |permission, types| any |= !types.intersect(self.types(permission)).is_empty());
        any
    }
}

fn each(blocks: &[Block], of: PermissionSet, mut what: impl FnMut(Permission, TypeSet)) {
    for block in blocks {
        for permission in block.permissions.intersect(of).iter() {
            what(permission, block.types);
        }
    }
}

/// How long it takes to compare a scope, roughly: cheap ones are looked at first, as they may make the others superfluous.
fn length(scope: &Scope) -> usize {
    match scope {
        Scope::Organization => 0,
        Scope::Object(_) => 1,
        Scope::Projects(selector) => {
            selector.include.len().saturating_add(selector.exclude.len()).saturating_add(1)
        }
    }
}

impl HeldOver {
    /// The types on which the caller holds the permission now.
    pub fn now(&self, permission: Permission) -> TypeSet {
        self.now.types(permission)
    }

    /// The types on which the caller holds the permission until at least the instant asked about.
    pub fn lasting(&self, permission: Permission) -> TypeSet {
        self.lasting.types(permission)
    }
}

impl Holdings {
    /// For each of these permissions, the types on which the caller holds it on all of `scope`, now and until at least
    /// `until`: each by one allow grant on a containing scope, and no deny overlapping.
    ///
    /// A grant is compared with the scope only if it would add something, a deny only if it would take something.
    pub fn held_over(
        &self,
        ground: &ScopeContext<'_>,
        scope: &Scope,
        until: Timestamp,
        permissions: PermissionSet,
    ) -> HeldOver {
        let mut held = HeldOver { now: Table::EMPTY, lasting: Table::EMPTY };
        let within_key = self
            .narrow
            .as_ref()
            .is_none_or(|narrow| narrow.on.as_ref().is_none_or(|limit| ground.contains(limit, scope)));
        if !within_key {
            return held;
        }
        let key = self.narrow.as_ref().map_or(PermissionSet::ALL, |narrow| narrow.permissions);
        let of = permissions.intersect(key);
        let giving = |one: &&Holding| !one.permissions().intersect(of).is_empty();
        let mut allows: Vec<_> = self.allows.iter().filter(giving).collect();
        allows.sort_by_key(|one| length(&one.scope));
        for one in allows {
            let lasts = one.until >= until;
            let adds = !held.now.has_all(&one.blocks, of) || lasts && !held.lasting.has_all(&one.blocks, of);
            if adds && ground.contains(&one.scope, scope) {
                held.now.add(&one.blocks, of);
                if lasts {
                    held.lasting.add(&one.blocks, of);
                }
            }
        }
        for deny in &self.denies {
            if held.now.has_any(&deny.blocks, of) && ground.overlap(&deny.scope, scope) {
                held.now.take(&deny.blocks, of);
                held.lasting.take(&deny.blocks, of);
            }
        }
        held
    }

    /// Whether the caller holds the permission now on all of the scope, for all these types.
    pub fn holds(
        &self,
        ground: &ScopeContext<'_>,
        permission: Permission,
        types: TypeSet,
        scope: &Scope,
    ) -> bool {
        let held = self.held_over(ground, scope, Timestamp::EPOCH, permission.set());
        types.minus(held.now(permission)).is_empty()
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
        let (mut given, all) = (Table::EMPTY, PermissionSet::ALL);
        let within_key = self.narrow.as_ref().is_none_or(|narrow| {
            narrow.permissions == all
                && narrow.on.as_ref().is_none_or(|limit| ground.contains(limit, &Scope::Organization))
        });
        for one in self.allows.iter().filter(|one| ground.contains(&one.scope, &Scope::Organization)) {
            given.add(&one.blocks, all);
        }
        within_key && all.iter().all(|permission| TypeSet::ALL.minus(given.types(permission)).is_empty())
    }

    /// Whether the caller sees the grant: `read_acls` over its whole scope. No deny hides a deny from the owners of the
    /// organization, who must find it to revoke it.
    pub fn sees_grant(&self, ground: &ScopeContext<'_>, grant: &Grant) -> bool {
        self.holds_over(ground, Permission::READ_ACLS, &grant.on, grant.object_type.as_deref())
            || (grant.effect == Effect::Deny && self.own_the_organization(ground))
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
    /// The first right that `given` has under `scope` and that the holder of these may not give: he gives a right on the types
    /// on which he holds `delegate` there, or the very right until then.
    ///
    /// `delegate` on groups lifts attenuation for their memberships, so only a holder of `delegate` on the organization gives it.
    pub fn excess_under(&self, ground: &ScopeContext<'_>, given: &Holding, scope: &Scope) -> Option<Excess> {
        let reach = ground.reach(scope);
        let blocks: Vec<_> =
            given.blocks.iter().filter(|block| !block.types.intersect(reach).is_empty()).collect();
        let needed =
            blocks.iter().fold(Permission::DELEGATE.set(), |all, block| all.union(block.permissions));
        let held = self.held_over(ground, scope, given.until, needed);
        for block in blocks {
            let types = block.types.intersect(reach);
            for permission in block.permissions.iter() {
                let mut conferrable = held.now(Permission::DELEGATE).union(held.lasting(permission));
                let of_groups = permission == Permission::DELEGATE && conferrable.has(ObjectType::GROUP);
                if of_groups
                    && !self.holds(
                        ground,
                        Permission::DELEGATE,
                        ObjectType::GROUP.set(),
                        &Scope::Organization,
                    )
                {
                    conferrable = conferrable.minus(ObjectType::GROUP.set());
                }
                if !types.minus(conferrable).is_empty() {
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
        self.on_ground_within(&WorkCounter::unlimited(), ask)
    }

    /// The same; comparisons of scopes are counted.
    pub fn on_ground_within<T>(&self, work: &WorkCounter, ask: impl FnOnce(&ScopeContext<'_>) -> T) -> T {
        let project = |id: ProjectId| {
            self.projects.get(&id).filter(|project| project.ended_at.is_none()).map(Arc::clone)
        };
        ask(&ScopeContext { catalog: &self.catalog, project: &project, work })
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
        let (mut holdings, mut roles) = (Holdings::default(), BTreeMap::new());
        for (grantee, until) in reached {
            for grant in self.grants_to(grantee).filter(|grant| self.grant_in_force(grant, now)) {
                let given = match grant.gives {
                    Gives::Role(role) => roles.entry(role).or_insert_with(|| self.role_blocks(role)).clone(),
                    Gives::Permissions(_) => self.given_blocks(grant),
                };
                let holding = self.holding_of(grant, given, until);
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
        self.holding_of(grant, self.given_blocks(grant), until)
    }

    fn holding_of(&self, grant: &Grant, given: Vec<Block>, until: Timestamp) -> Holding {
        Holding {
            grant: Some(grant.id),
            scope: grant.on.clone(),
            blocks: self.cut_blocks(grant, given),
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
