//! Principals by what reaches them: who is reached by the same grants gains and loses the same.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use grantbook_domain::{
    catalog::{PermissionSet, TypeSet},
    id::{GrantId, ProjectId},
    principal::{Grantee, Principal},
    scope::Scope,
};

use crate::{
    access::{
        checker::{Checker, Stop},
        grantee_rows::Node,
    },
    store::{error::ViewError, row::GrantRow},
    time::record_changes::Cause,
};

/// What decides about a class: the grants in force before and after, and why they may differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    pub(super) before: Vec<GrantId>,
    pub(super) after: Vec<GrantId>,
    pub(super) causes: BTreeSet<Cause>,
}

pub(super) type Classes = BTreeMap<Class, BTreeSet<Principal>>;

/// Groups by where their nodes are, with those who are in them.
pub(super) type Groups = HashMap<*const Node, (Grantee, BTreeSet<Principal>)>;

/// One side, with what is known of the grants on it.
pub(super) struct Reach<'s> {
    pub(super) checker: Checker<'s>,
    /// The grants in force of a group, by where its node is.
    of_groups: HashMap<*const Node, Rc<[GrantId]>>,
    pub(super) rows: HashMap<GrantId, GrantRow>,
    /// Groups that sets of principals may be told by, and who is found to be in them.
    pub(super) groups: Groups,
}

impl<'s> Reach<'s> {
    pub(super) fn of(checker: Checker<'s>, named: &[Grantee]) -> Result<Self, ViewError> {
        let mut reach =
            Self { checker, of_groups: HashMap::new(), rows: HashMap::new(), groups: HashMap::new() };
        for grantee in named {
            let node = reach.checker.node(*grantee)?;
            reach.groups.insert(Rc::as_ptr(&node), (*grantee, BTreeSet::new()));
        }
        Ok(reach)
    }

    /// The grants in force that reach somebody, sorted; none if he is not active.
    pub(super) fn grants(&mut self, principal: Principal) -> Result<Vec<GrantId>, ViewError> {
        let reached = match self.checker.reached(principal) {
            Ok(reached) => reached,
            Err(Stop::Because(_)) => return Ok(Vec::new()),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let mut ids = Vec::new();
        for (depth, node) in reached.iter().enumerate() {
            let place = Rc::as_ptr(node);
            if let Some((_, members)) = self.groups.get_mut(&place) {
                members.insert(principal);
            }
            // The first is his own.
            if depth > 0
                && let Some(known) = self.of_groups.get(&place)
            {
                ids.extend(known.iter());
                continue;
            }
            let own = self.in_force(node)?;
            ids.extend(&own);
            if depth > 0 {
                self.of_groups.insert(place, own.into());
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    fn in_force(&mut self, node: &Node) -> Result<Vec<GrantId>, ViewError> {
        let mut ids = Vec::new();
        for row in &node.grants {
            if self.checker.now < row.until && self.checker.grant_stands(row)? {
                ids.push(row.id);
                self.rows.entry(row.id).or_insert_with(|| row.clone());
            }
        }
        Ok(ids)
    }

    pub(super) fn rows_of(&self, ids: &[GrantId]) -> Vec<GrantRow> {
        ids.iter().filter_map(|id| self.rows.get(id).cloned()).collect()
    }

    /// Whether a grant may be on one of these projects, or on something in one.
    fn is_on(&mut self, id: GrantId, places: &BTreeSet<ProjectId>) -> Result<bool, ViewError> {
        let Some(row) = self.rows.get(&id).filter(|_| !places.is_empty()).cloned() else { return Ok(false) };
        match &row.scope {
            Scope::Organization => Ok(true),
            Scope::Projects(selector) => {
                for place in places {
                    let project = self.checker.living_project(*place)?;
                    if project.is_some_and(|project| selector.covers(project.view())) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Scope::Object(object) if object.object_type == "project" => {
                Ok(object.id.parse().is_ok_and(|id| places.contains(&id)))
            }
            Scope::Object(object) => Ok(object.project.is_none_or(|home| places.contains(&home))),
        }
    }

    /// What a grant gives or takes, as pairs of permissions and types.
    fn cells(&mut self, id: GrantId) -> Result<Vec<(PermissionSet, TypeSet)>, ViewError> {
        let Some(row) = self.rows.get(&id).cloned() else { return Ok(Vec::new()) };
        let blocks = self.checker.blocks(&row)?;
        Ok(blocks.iter().map(|block| (block.permissions, block.types.intersect(row.types))).collect())
    }
}

/// Leaves out of a class what has nothing in common with the grants that differ, and is not on the projects that do: it cannot
/// make a difference.
pub(super) struct Relevance<'t> {
    /// The projects that differ themselves, or in what lies in them.
    places: &'t BTreeSet<ProjectId>,
    /// By the grants that differ: whether another matters.
    known: HashMap<Vec<GrantId>, HashMap<GrantId, bool>>,
}

impl<'t> Relevance<'t> {
    pub(super) fn at(places: &'t BTreeSet<ProjectId>) -> Self {
        Self { places, known: HashMap::new() }
    }

    pub(super) fn cut(&mut self, class: &mut Class, sides: &mut [Reach<'_>; 2]) -> Result<(), ViewError> {
        let before: BTreeSet<_> = class.before.iter().copied().collect();
        let after: BTreeSet<_> = class.after.iter().copied().collect();
        let differing: Vec<GrantId> = before.symmetric_difference(&after).copied().collect();
        let [old, new] = sides;
        let known = self.known.entry(differing.clone()).or_default();
        let mut changed = Vec::new();
        for id in before.union(&after) {
            if known.contains_key(id) {
                continue;
            }
            if changed.is_empty() {
                for id in &differing {
                    changed.extend(old.cells(*id)?);
                    changed.extend(new.cells(*id)?);
                }
            }
            let own = [old.cells(*id)?, new.cells(*id)?].concat();
            let meets = |one: &(PermissionSet, TypeSet), other: &(PermissionSet, TypeSet)| {
                !one.0.intersect(other.0).is_empty() && !one.1.intersect(other.1).is_empty()
            };
            let matters = own.iter().any(|one| changed.iter().any(|other| meets(one, other)));
            let matters = matters || old.is_on(*id, self.places)? || new.is_on(*id, self.places)?;
            known.insert(*id, matters);
        }
        let matters = |id: &GrantId| known.get(id).copied().unwrap_or(true);
        class.before.retain(matters);
        class.after.retain(matters);
        Ok(())
    }
}
