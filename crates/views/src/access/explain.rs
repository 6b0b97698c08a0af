//! Why an answer is what it is: every path from the principal to what decides.

use std::collections::{BTreeSet, VecDeque};

use grantbook_domain::{
    access::check::{Question, Reason},
    id::{OrgId, ProjectId, RoleId},
    model::{Effect, Grant, Membership, Role},
    position::Position,
    principal::Grantee,
    scope::{Atom, ObjectRef, Scope},
    state::Block,
    time::Timestamp,
};

use crate::{
    access::{
        check::Resolved,
        checker::{Checker, Stop},
        locate::Place,
        paths::{Candidate, Edge, MembershipGraph},
    },
    store::{
        entities::membership,
        error::ViewError,
        row::{Given, GrantRow},
        row_key::Kind,
        snapshot::{Snapshot, parse},
        table::Table,
    },
};

/// Most paths that one explanation lists; [`Explanation::truncated`] says when there were more.
pub const PATHS_MAX: usize = 1000;

/// An answer with everything that led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The answer, the same as a check gives.
    pub reason: Reason,
    /// Every path by which an allow grant gives this, shortest first; also when a deny or the key's narrowing overrules it.
    pub allows: Vec<Path>,
    /// Every path by which a deny grant takes this, shortest first.
    pub denies: Vec<Path>,
    /// If nothing allows: what nearly would, and what is in its way.
    pub missing: Vec<Missing>,
    /// Whether a list above was cut at [`PATHS_MAX`].
    pub truncated: bool,
}

/// One chain from the principal to a grant.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The memberships from the principal up to the grantee; empty for a grant to the principal itself.
    pub via: Vec<Step>,
    /// The grant.
    pub grant: Grant,
    /// The record that gave it.
    pub grant_position: Position,
    /// The role named by the grant, and the included roles down to one that itself gives the permission (a shortest such chain); empty for a grant of permissions.
    pub roles: Vec<RoleStep>,
    /// How its scope stands to the object.
    pub coverage: Coverage,
}

/// One membership on a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Who is in which group.
    pub membership: Membership,
    /// The record that put it there, or last replaced it.
    pub position: Position,
}

/// One role on a path.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleStep {
    /// The role.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// The record that made its version in force.
    pub position: Position,
}

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

/// A path that does not count.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// The path.
    pub path: Path,
    /// What is in its way; at least one.
    pub obstacles: Vec<Obstacle>,
}

/// What keeps a path from counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// A membership on it expired then.
    MembershipExpired(Timestamp),
    /// The grant expired then.
    GrantExpired(Timestamp),
    /// The scope does not cover the object; [`Path::coverage`] says more.
    NotCovered,
    /// The permission is given, but not on objects of this type.
    OtherType,
}

impl Snapshot {
    /// Answers like [`Snapshot::check`] and names every path behind the answer.
    pub fn explain(
        &self,
        org: OrgId,
        question: &Question<'_>,
        now: Timestamp,
    ) -> Result<Explanation, ViewError> {
        self.checker(org, now)?.explain(question)
    }
}

impl Checker<'_> {
    /// Answers like [`Checker::check`] and names every path behind the answer.
    pub fn explain(&mut self, question: &Question<'_>) -> Result<Explanation, ViewError> {
        let resolved = match self.resolve(question) {
            Ok(resolved) => resolved,
            Err(Stop::Because(reason)) => return Ok(Explanation::bare(reason)),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let verdict = self.require_narrowing(&resolved).and_then(|()| self.decide_by_grants(&resolved));
        let reason = match verdict {
            Ok(()) => Reason::Granted,
            Err(Stop::Because(reason)) => reason,
            Err(Stop::Failed(error)) => return Err(error),
        };
        let mut explanation = Explanation::bare(reason);
        let graph = MembershipGraph::above(self, resolved.principal.into())?;
        let candidates = self.candidates(&graph, &resolved)?;
        let mut cut = false;
        for (effect, paths) in
            [(Effect::Allow, &mut explanation.allows), (Effect::Deny, &mut explanation.denies)]
        {
            let counts = |one: &Candidate| one.row.effect == effect && one.obstacles.is_empty();
            let chains = graph.chains(self.now, &candidates, counts, PATHS_MAX);
            cut |= chains.cut;
            for (steps, candidate) in chains.found {
                paths.push(self.path(&steps, candidate)?);
            }
        }
        if explanation.allows.is_empty() {
            cut |= self.add_missing(&mut explanation, &graph, &candidates)?;
        }
        explanation.truncated = cut;
        Ok(explanation)
    }

    /// What nearly allows: first what is about the object at all, then the rest; whether there was more than fits.
    fn add_missing(
        &self,
        explanation: &mut Explanation,
        graph: &MembershipGraph,
        candidates: &[(Grantee, Candidate)],
    ) -> Result<bool, ViewError> {
        let mut cut = false;
        for outside in [false, true] {
            let counts = |one: &Candidate| {
                one.row.effect == Effect::Allow && (one.coverage == Coverage::Outside) == outside
            };
            let room = PATHS_MAX.saturating_sub(explanation.missing.len());
            let chains = graph.chains(Timestamp::from_millis(i64::MIN), candidates, counts, room);
            cut |= chains.cut;
            for (steps, candidate) in chains.found {
                let expired = steps.iter().filter(|step| self.now >= step.row.until);
                let mut obstacles: Vec<_> =
                    expired.map(|step| Obstacle::MembershipExpired(step.row.until)).collect();
                obstacles.extend(&candidate.obstacles);
                explanation.missing.push(Missing { path: self.path(&steps, candidate)?, obstacles });
            }
        }
        Ok(cut)
    }

    /// The grants above somebody that have the permission in them and stand, counting or not.
    pub(crate) fn candidates(
        &mut self,
        graph: &MembershipGraph,
        resolved: &Resolved,
    ) -> Result<Vec<(Grantee, Candidate)>, ViewError> {
        let mut found = Vec::new();
        for grantee in graph.nodes() {
            for row in &self.node(grantee)?.grants {
                if let Some(candidate) = self.candidate(row, resolved)? {
                    found.push((grantee, candidate));
                }
            }
        }
        Ok(found)
    }

    fn candidate(&mut self, row: &GrantRow, resolved: &Resolved) -> Result<Option<Candidate>, ViewError> {
        let Resolved { permission, place, .. } = resolved;
        let has = |block: &Block| block.permissions.has(*permission);
        let fits =
            |block: &Block| has(block) && block.types.intersect(row.types).has(place.located.object_type);
        let blocks = self.blocks(row)?;
        if !blocks.iter().any(has) || !self.grant_stands(row)? {
            return Ok(None);
        }
        let mut obstacles = Vec::new();
        if self.now >= row.until {
            obstacles.push(Obstacle::GrantExpired(row.until));
        }
        let right_type = blocks.iter().any(fits);
        if !right_type {
            obstacles.push(Obstacle::OtherType);
        }
        let coverage = self.coverage(&row.scope, place);
        if matches!(coverage, Coverage::Excluded { .. } | Coverage::Outside) {
            obstacles.push(Obstacle::NotCovered);
        }
        let roles = match row.given {
            Given::Permissions(_) => Vec::new(),
            Given::Role(id) if right_type => self.role_chain(id, &fits)?,
            Given::Role(id) => self.role_chain(id, &has)?,
        };
        Ok(Some(Candidate { row: row.clone(), roles, coverage, obstacles }))
    }

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

    /// A shortest chain of includes from a role to one that itself gives what is wanted.
    fn role_chain(&self, id: RoleId, wanted: &dyn Fn(&Block) -> bool) -> Result<Vec<RoleId>, ViewError> {
        let mut chains = VecDeque::from([vec![id]]);
        let mut seen = BTreeSet::from([id]);
        while let Some(chain) = chains.pop_front() {
            let Some(role) = chain.last().map(|last| self.role(*last)).transpose()?.flatten() else {
                continue;
            };
            if role.blocks.iter().any(wanted) {
                return Ok(chain);
            }
            for included in role.includes {
                if seen.insert(included) {
                    let mut longer = chain.clone();
                    longer.push(included);
                    chains.push_back(longer);
                }
            }
        }
        Ok(Vec::new())
    }

    pub(crate) fn path(&self, steps: &[&Edge], candidate: &Candidate) -> Result<Path, ViewError> {
        let grant: Option<Grant> = self.snapshot.get(self.org, &candidate.row.id)?;
        let via = steps.iter().map(|edge| Step {
            membership: membership(edge.member, edge.group, &edge.row),
            position: edge.row.from,
        });
        Ok(Path {
            via: via.collect(),
            grant: grant.ok_or_else(|| ViewError::bad_row("access", "a grant without its document"))?,
            grant_position: candidate.row.from,
            roles: candidate.roles.iter().map(|id| self.role_step(*id)).collect::<Result<_, _>>()?,
            coverage: candidate.coverage.clone(),
        })
    }

    fn role_step(&self, id: RoleId) -> Result<RoleStep, ViewError> {
        let step = self.snapshot.version(self.org, Kind::Role, &id.bytes(), |version| {
            let role: Role = parse(Table::Things, version.document)?;
            Ok(RoleStep { id, name: role.name, position: version.from })
        })?;
        step.ok_or_else(|| ViewError::bad_row("things", "a role that is used is not there"))
    }
}

impl Explanation {
    fn bare(reason: Reason) -> Self {
        Self { reason, allows: Vec::new(), denies: Vec::new(), missing: Vec::new(), truncated: false }
    }
}
