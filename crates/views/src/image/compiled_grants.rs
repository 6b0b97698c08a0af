//! The grants to one grantee: which of them are sets, which are weighed one by one, and what they give together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use grantbook_domain::{
    catalog::TypeSet,
    id::{GrantId, ProjectId, RoleId},
    model::Effect,
    scope::{Atom, ObjectRef, Scope, Selector},
    state::Block,
    time::Timestamp,
};

use crate::{
    image::{
        project_bitset::Bits,
        rights_sets::{Parts, RightsSet},
        row::{CompiledGrant, Rights},
    },
    store::row::{Given, GrantRow, ProjectRow, RoleRow},
};

/// The projects by their numbers; those that ended as they were last.
#[derive(Debug, Default)]
pub(super) struct Projects {
    pub(super) rows: Vec<Arc<ProjectRow>>,
    pub(super) numbers: BTreeMap<ProjectId, u32>,
}

/// The roles, living or ended.
pub(super) type Roles = BTreeMap<RoleId, RoleRow>;

/// A grant as it is compiled.
#[derive(Debug)]
struct Source {
    gift: Arc<CompiledGrant>,
    /// The projects that it covers; none if it must be weighed by itself.
    covered: Option<Bits>,
}

/// The unrevoked grants to exactly one grantee.
#[derive(Debug, Default)]
pub(super) struct CompiledGrants {
    sources: BTreeMap<GrantId, Source>,
}

/// What the grants to one grantee give together.
#[derive(Debug, Clone, Default)]
pub(super) struct CombinedGrants {
    allow: Parts,
    deny: Parts,
    special: Vec<Arc<CompiledGrant>>,
}

impl Projects {
    /// The projects that a selector takes, those of the future by its tail. None if it names one that is not known yet.
    fn selected(&self, selector: &Selector) -> Option<Bits> {
        if !selector.ids().all(|id| self.numbers.contains_key(&id)) {
            return None;
        }
        let takes_all = |atoms: &[Atom]| atoms.contains(&Atom::All);
        let future = takes_all(&selector.include) && !takes_all(&selector.exclude);
        let mut selected = if future { Bits::all() } else { Bits::default() };
        for (number, row) in (0..).zip(&self.rows) {
            selected.set(number, selector.covers(row.view()));
        }
        Some(selected)
    }

    fn of_object(&self, object: &ObjectRef) -> Option<Bits> {
        let number = object.id.parse().ok().and_then(|id| self.numbers.get(&id))?;
        let mut one = Bits::default();
        one.set(*number, true);
        Some(one)
    }

    /// The projects that a grant covers, if sets can say all there is to say about it: it never expires and its scope is
    /// the organization, a selector, or one project.
    fn covered(&self, row: &GrantRow) -> Option<Bits> {
        if row.until != Timestamp::FOREVER {
            return None;
        }
        match &row.scope {
            Scope::Organization => Some(Bits::all()),
            Scope::Projects(selector) => self.selected(selector),
            Scope::Object(object) => {
                let is_project = object.object_type == "project" && row.generation == 0;
                is_project.then(|| self.of_object(object)).flatten()
            }
        }
    }
}

impl CompiledGrants {
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    pub(super) fn put(&mut self, row: GrantRow, roles: &Roles, projects: &Projects) {
        let covered = projects.covered(&row);
        let (id, blocks) = (row.id, blocks(&row, roles));
        self.sources.insert(id, Source { gift: Arc::new(CompiledGrant { row, blocks }), covered });
    }

    pub(super) fn remove(&mut self, id: GrantId) {
        self.sources.remove(&id);
    }

    /// Resolves the grants of these roles anew; whether there is any.
    pub(super) fn resolve(&mut self, changed: &BTreeSet<RoleId>, roles: &Roles) -> bool {
        let mut any = false;
        for source in self.sources.values_mut() {
            if matches!(source.gift.row.given, Given::Role(role) if changed.contains(&role)) {
                let row = source.gift.row.clone();
                let blocks = blocks(&row, roles);
                source.gift = Arc::new(CompiledGrant { row, blocks });
                any = true;
            }
        }
        any
    }

    /// Takes a new or changed project into account, for one grant; whether that changes anything.
    pub(super) fn see(&mut self, grant: GrantId, number: u32, project: &ProjectRow) -> bool {
        let Some(Source { gift, covered: Some(covered) }) = self.sources.get_mut(&grant) else {
            return false;
        };
        let Scope::Projects(selector) = &gift.row.scope else { return false };
        let is_in = selector.covers(project.view());
        let is_news = covered.has(number) != is_in;
        covered.set(number, is_in);
        is_news
    }

    pub(super) fn sum(&self) -> CombinedGrants {
        let mut sum = CombinedGrants::default();
        for Source { gift, covered } in self.sources.values() {
            let Some(covered) = covered else {
                sum.special.push(Arc::clone(gift));
                continue;
            };
            let parts = match gift.row.effect {
                Effect::Allow => &mut sum.allow,
                Effect::Deny => &mut sum.deny,
            };
            for block in &gift.blocks {
                parts.add(*block, covered);
                if gift.row.scope == Scope::Organization {
                    parts.add_outside(*block);
                }
            }
        }
        sum
    }
}

impl CombinedGrants {
    pub(super) fn add(&mut self, other: &Self) {
        self.allow.add_all(&other.allow);
        self.deny.add_all(&other.deny);
        self.special.extend(other.special.iter().cloned());
    }

    pub(super) fn rights(self) -> Rights {
        let made = |parts: Parts| (!parts.is_empty()).then(|| RightsSet::of(parts));
        Rights {
            lives: true,
            allow: made(self.allow),
            deny: made(self.deny).map(Box::new),
            special: self.special,
            timed: Vec::new(),
        }
    }
}

/// Whether the name or the labels of a project decide if the scope covers it.
pub(super) fn is_live(scope: &Scope) -> bool {
    let looks = |atom: &Atom| match atom {
        Atom::Name(_) | Atom::Label(_) => true,
        Atom::All | Atom::Id(_) => false,
    };
    matches!(scope, Scope::Projects(selector) if selector.include.iter().chain(&selector.exclude).any(looks))
}

/// What a grant gives, its role resolved, cut by its types.
fn blocks(row: &GrantRow, roles: &Roles) -> Vec<Block> {
    let given = match row.given {
        Given::Permissions(permissions) => vec![Block { permissions, types: TypeSet::ALL }],
        Given::Role(id) => role_blocks(id, roles),
    };
    let cut = given.into_iter().map(|block| Block { types: block.types.intersect(row.types), ..block });
    cut.filter(|block| !block.types.is_empty()).collect()
}

/// The permissions a role gives, its includes followed, as [`crate::access::check`] follows them.
fn role_blocks(id: RoleId, roles: &Roles) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut seen, mut open) = (BTreeSet::from([id]), vec![id]);
    while let Some(role) = open.pop().and_then(|id| roles.get(&id)) {
        blocks.extend(&role.blocks);
        open.extend(role.includes.iter().filter(|included| seen.insert(**included)));
    }
    blocks
}
