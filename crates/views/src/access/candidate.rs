//! Grants that have a permission in them, and what keeps each from deciding a question.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use grantbook_domain::{
    catalog::TypeSet,
    id::{ProjectId, RoleId},
    model::Effect,
    position::Position,
    principal::Grantee,
    scope::{Atom, ObjectRef, Scope},
    state::Block,
    time::Timestamp,
};

use crate::{
    access::{check::Resolved, checker::Checker, locate::Place},
    store::{
        error::ViewError,
        row::{Given, GrantRow},
    },
};

/// How a grant's scope stands to the object of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Coverage {
    /// It is the whole organization.
    Organization,
    /// It is this object: the one asked about, or an ancestor of it.
    Object(ObjectRef),
    /// Its selector takes the object's project.
    Included {
        /// The project.
        project: ProjectId,
        /// The record that made the project's version in force.
        version: Position,
        /// The first include atom that takes it.
        by: Atom,
    },
    /// Its selector would take the object's project, but excludes it.
    Excluded {
        /// The project.
        project: ProjectId,
        /// The record that made the project's version in force.
        version: Position,
        /// The first exclude atom that takes it out.
        by: Atom,
    },
    /// It has nothing to do with the object.
    Outside,
}

/// What keeps a path from counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// A membership on it expired then.
    MembershipExpired(Timestamp),
    /// The grant expired then.
    GrantExpired(Timestamp),
    /// The scope does not cover the object; the coverage says more.
    NotCovered,
    /// The permission is given, but not on objects of this type.
    OtherType,
}

/// A grant that has the permission in it, and stands.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) row: GrantRow,
    /// The role that it gives, and the included ones down to one that has the permission itself.
    pub(crate) roles: Rc<[RoleId]>,
    pub(crate) coverage: Coverage,
    /// What keeps the grant itself from counting.
    pub(crate) obstacles: Vec<Obstacle>,
}

impl Candidate {
    /// Whether it allows what is asked, if it reaches the principal.
    pub(crate) fn allows(&self) -> bool {
        self.row.effect == Effect::Allow && self.obstacles.is_empty()
    }
}

/// Looks for candidates. Each chain of roles is looked for once.
pub(crate) struct Candidates<'c, 's> {
    pub(crate) checker: &'c mut Checker<'s>,
    resolved: &'c Resolved,
    /// By role, the types that the grant is restricted to, and whether the object's type must fit.
    chains: HashMap<(RoleId, TypeSet, bool), Rc<[RoleId]>>,
}

impl<'c, 's> Candidates<'c, 's> {
    pub(crate) fn new(checker: &'c mut Checker<'s>, resolved: &'c Resolved) -> Self {
        Self { checker, resolved, chains: HashMap::new() }
    }

    /// The grants to exactly this one that have the permission in them and stand, by id.
    pub(crate) fn to(&mut self, grantee: Grantee) -> Result<Vec<Candidate>, ViewError> {
        let node = self.checker.node(grantee)?;
        self.checker.spend(node.grants.len())?;
        let mut found = Vec::new();
        for row in &node.grants {
            found.extend(self.candidate(row)?);
        }
        Ok(found)
    }

    fn candidate(&mut self, row: &GrantRow) -> Result<Option<Candidate>, ViewError> {
        let Resolved { permission, place, .. } = self.resolved;
        let has = |block: &Block| block.permissions.has(*permission);
        let fits =
            |block: &Block| has(block) && block.types.intersect(row.types).has(place.located.object_type);
        let blocks = self.checker.blocks(row)?;
        if !blocks.iter().any(has) || !self.checker.grant_stands(row)? {
            return Ok(None);
        }
        let mut obstacles = Vec::new();
        if self.checker.now >= row.until {
            obstacles.push(Obstacle::GrantExpired(row.until));
        }
        let right_type = blocks.iter().any(fits);
        if !right_type {
            obstacles.push(Obstacle::OtherType);
        }
        let coverage = self.checker.coverage(&row.scope, place);
        if matches!(coverage, Coverage::Excluded { .. } | Coverage::Outside) {
            obstacles.push(Obstacle::NotCovered);
        }
        let roles = match row.given {
            Given::Permissions(_) => Rc::from([]),
            Given::Role(id) => self.chain(id, row.types, right_type)?,
        };
        Ok(Some(Candidate { row: row.clone(), roles, coverage, obstacles }))
    }

    /// The roles from this one to one that has the permission itself, for the object's type if that must fit.
    fn chain(&mut self, id: RoleId, types: TypeSet, must_fit: bool) -> Result<Rc<[RoleId]>, ViewError> {
        if let Some(known) = self.chains.get(&(id, types, must_fit)) {
            return Ok(Rc::clone(known));
        }
        let (permission, object_type) = (self.resolved.permission, self.resolved.place.located.object_type);
        let wanted = |block: &Block| {
            block.permissions.has(permission) && (!must_fit || block.types.intersect(types).has(object_type))
        };
        let chain: Rc<[RoleId]> = self.checker.role_chain(id, wanted)?.into();
        self.chains.insert((id, types, must_fit), Rc::clone(&chain));
        Ok(chain)
    }
}

impl Checker<'_> {
    fn coverage(&self, scope: &Scope, place: &Place) -> Coverage {
        match (scope, &place.project) {
            (Scope::Organization, _) => Coverage::Organization,
            (Scope::Object(object), _) if self.covers(scope, place) => Coverage::Object(object.clone()),
            (Scope::Object(_), _) | (Scope::Projects(_), None) => Coverage::Outside,
            (Scope::Projects(selector), Some(project)) => {
                let first = |atoms: &[Atom]| atoms.iter().find(|atom| atom.matches(project.view())).cloned();
                let (id, version) = (project.id, project.version);
                match (first(&selector.include), first(&selector.exclude)) {
                    (None, _) => Coverage::Outside,
                    (Some(by), None) => Coverage::Included { project: id, version, by },
                    (Some(_), Some(by)) => Coverage::Excluded { project: id, version, by },
                }
            }
        }
    }

    /// A shortest chain of includes from a role to one that itself gives what is wanted, by breadth-first search.
    fn role_chain(&mut self, id: RoleId, wanted: impl Fn(&Block) -> bool) -> Result<Vec<RoleId>, ViewError> {
        let mut included_by: HashMap<RoleId, Option<RoleId>> = HashMap::from([(id, None)]);
        let mut open = VecDeque::from([id]);
        while let Some(id) = open.pop_front() {
            let Some(role) = self.role(id)? else { continue };
            if role.blocks.iter().any(&wanted) {
                let outer = |id: &RoleId| included_by.get(id).copied().flatten();
                let mut chain: Vec<RoleId> = std::iter::successors(Some(id), outer).collect();
                chain.reverse();
                return Ok(chain);
            }
            self.spend(role.includes.len())?;
            for included in &role.includes {
                included_by.entry(*included).or_insert_with(|| {
                    open.push_back(*included);
                    Some(id)
                });
            }
        }
        Ok(Vec::new())
    }
}
