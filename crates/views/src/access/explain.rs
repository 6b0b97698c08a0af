//! Why an answer is what it is: everything above the principal that has to do with it, and the paths through that.

use std::collections::{BTreeMap, HashMap};

use grantbook_domain::{
    access::check::{Question, Reason},
    id::{OrgId, RoleId},
    model::{Effect, Grant, Membership, Role},
    position::Position,
    principal::Grantee,
    time::Timestamp,
};

use crate::{
    access::{
        candidate::{Candidate, Candidates, Coverage, Obstacle},
        check::Resolved,
        checker::{Checker, Stop},
        graph::{Edge, MembershipGraph, Tree},
        paths::{PathPlace, Paths},
    },
    store::{
        entities::membership,
        error::ViewError,
        row_key::Kind,
        snapshot::{Snapshot, parse},
        table::Table,
    },
};

/// An answer with everything that led to it, each membership, grant and role once.
///
/// It holds what is above the principal and has the permission in it, whether it counts or not. What leads to no such grant is
/// left out.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The answer, the same as a check gives.
    pub reason: Reason,
    /// The grants that have the permission in them: by grantee, the principal's first, nearest groups next.
    pub grants: Vec<FoundGrant>,
    /// The roles on the way from a grant to the permission.
    pub roles: BTreeMap<RoleId, RoleStep>,
    graph: MembershipGraph,
    now: Timestamp,
    /// The shortest chains over memberships in force, and over all.
    in_force: Tree,
    any: Tree,
    allows: Paths,
    denies: Paths,
}

/// A grant that has the permission in it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundGrant {
    /// The grant.
    pub grant: Grant,
    /// The record that gave it.
    pub position: Position,
    /// The role named by the grant, and the included roles down to one that itself gives the permission (a shortest such chain); empty for a grant of permissions.
    pub roles: Vec<RoleId>,
    /// How its scope stands to the object.
    pub coverage: Coverage,
    /// What keeps the grant itself from counting.
    pub obstacles: Vec<Obstacle>,
    /// Whether memberships in force lead to its grantee.
    pub is_reached: bool,
    /// Whether it decides: it is reached, and nothing is in its way.
    pub applies: bool,
    /// The index of its grantee in the graph.
    node: usize,
}

/// One membership above the principal.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundMembership {
    /// The membership and its record.
    pub step: Step,
    /// Whether it has expired.
    pub is_over: bool,
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
    /// The roles of [`FoundGrant::roles`].
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

/// A path that does not count.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// The path.
    pub path: Path,
    /// What is in its way; at least one.
    pub obstacles: Vec<Obstacle>,
}

/// The part of the graph of an explanation that leads to certain grants.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphPart {
    /// The principal and the groups, nearest first; empty if the question was not judged by grants.
    pub nodes: Vec<Grantee>,
    /// The memberships between them, by member in the order of the nodes, then by group.
    pub memberships: Vec<FoundMembership>,
}

impl Snapshot {
    /// Answers like [`Snapshot::check`] and names everything behind the answer.
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
    /// Answers like [`Checker::check`] and names everything behind the answer: linear in what is above the principal.
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
        let above = MembershipGraph::above(self, resolved.principal.into())?;
        let found = self.candidates(&above, &resolved)?;
        let leads = above.leading(found.iter().map(|(node, _)| *node), |_| true);
        let candidates = found.into_iter().map(|(_, candidate)| candidate).collect();
        self.described(reason, above.kept(&leads), candidates)
    }

    /// The grants above somebody that have the permission in them and stand, each with the index of its grantee.
    fn candidates(
        &mut self,
        above: &MembershipGraph,
        resolved: &Resolved,
    ) -> Result<Vec<(usize, Candidate)>, ViewError> {
        let mut candidates = Candidates::new(self, resolved);
        let mut found = Vec::new();
        for (node, grantee) in above.nodes().iter().enumerate() {
            found.extend(candidates.to(*grantee)?.into_iter().map(|candidate| (node, candidate)));
        }
        Ok(found)
    }

    fn described(
        &self,
        reason: Reason,
        graph: MembershipGraph,
        candidates: Vec<Candidate>,
    ) -> Result<Explanation, ViewError> {
        let now = self.now;
        // The walks below look at each membership four times, and sixteen words of its distances cost no more than a row.
        self.spend(graph.edges().len() * (4 + graph.nodes().len() / 512))?;
        let (in_force, any) = (graph.tree(|edge| now < edge.row.until), graph.tree(|_| true));
        let nodes: HashMap<Grantee, usize> = graph.nodes().iter().copied().zip(0..).collect();
        let (mut grants, mut roles) = (Vec::with_capacity(candidates.len()), BTreeMap::new());
        for candidate in candidates {
            for id in candidate.roles.iter() {
                if !roles.contains_key(id) {
                    roles.insert(*id, self.role_step(*id)?);
                }
            }
            let grant = self.grant_of(&candidate)?;
            let node = nodes.get(&grant.to).copied().unwrap_or_default();
            let is_reached = in_force.depths.get(node).copied().flatten().is_some();
            grants.push(FoundGrant {
                grant,
                position: candidate.row.from,
                roles: candidate.roles.to_vec(),
                coverage: candidate.coverage,
                is_reached,
                applies: is_reached && candidate.obstacles.is_empty(),
                obstacles: candidate.obstacles,
                node,
            });
        }
        let paths = |effect| {
            let counts = |(_, one): &(usize, &FoundGrant)| one.applies && one.grant.effect == effect;
            let goals = grants.iter().enumerate().filter(counts).map(|(index, one)| (one.node, index));
            Paths::new(&graph, now, goals)
        };
        let (allows, denies) = (paths(Effect::Allow), paths(Effect::Deny));
        Ok(Explanation { reason, grants, roles, graph, now, in_force, any, allows, denies })
    }

    /// The path after this one on which a grant of this effect counts, or the first: shortest first, then by the ids of
    /// the groups on it, then of the grant. What it costs does not depend on how many come before.
    pub fn path_after(
        &self,
        explanation: &Explanation,
        effect: Effect,
        last: Option<&PathPlace>,
    ) -> Result<Option<PathPlace>, ViewError> {
        let (found, looked) = explanation.paths(effect).after(&explanation.graph, last);
        self.spend(looked)?;
        Ok(found)
    }

    /// A single path to a candidate, without an explanation around it.
    pub(crate) fn single_path(
        &self,
        graph: &MembershipGraph,
        chain: &[usize],
        candidate: Candidate,
    ) -> Result<Path, ViewError> {
        Ok(Path {
            via: steps(graph, chain),
            grant: self.grant_of(&candidate)?,
            grant_position: candidate.row.from,
            roles: candidate.roles.iter().map(|id| self.role_step(*id)).collect::<Result<_, _>>()?,
            coverage: candidate.coverage,
        })
    }

    fn grant_of(&self, candidate: &Candidate) -> Result<Grant, ViewError> {
        let grant: Option<Grant> = self.snapshot.get(self.org, &candidate.row.id)?;
        grant.ok_or_else(|| ViewError::bad_row("access", "a grant without its document"))
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
    /// An answer that no grant has to do with.
    pub fn bare(reason: Reason) -> Self {
        let (graph, now) = (MembershipGraph::default(), Timestamp::EPOCH);
        Self {
            reason,
            grants: Vec::new(),
            roles: BTreeMap::new(),
            allows: Paths::new(&graph, now, []),
            denies: Paths::new(&graph, now, []),
            graph,
            now,
            in_force: Tree::default(),
            any: Tree::default(),
        }
    }

    const fn paths(&self, effect: Effect) -> &Paths {
        match effect {
            Effect::Allow => &self.allows,
            Effect::Deny => &self.denies,
        }
    }

    /// On how many paths a grant of this effect counts, also when a deny or the key's narrowing overrules them; at most
    /// [`PATHS_COUNTED_MAX`](crate::PATHS_COUNTED_MAX).
    pub const fn total(&self, effect: Effect) -> u64 {
        self.paths(effect).total
    }

    /// The path at a place of this explanation.
    pub fn path(&self, effect: Effect, place: &PathPlace) -> Result<Path, ViewError> {
        let grant = self.paths(effect).grant(&self.graph, place);
        let found = grant.and_then(|index| self.grants.get(index)).ok_or_else(elsewhere)?;
        self.path_to(found, &place.edges)
    }

    fn path_to(&self, found: &FoundGrant, chain: &[usize]) -> Result<Path, ViewError> {
        let roles = found.roles.iter().map(|id| self.roles.get(id).cloned());
        Ok(Path {
            via: steps(&self.graph, chain),
            grant: found.grant.clone(),
            grant_position: found.position,
            roles: roles.collect::<Option<_>>().ok_or_else(elsewhere)?,
            coverage: found.coverage.clone(),
        })
    }

    /// A place in bytes: a few where there are few choices, at most two for each membership with fewer than 16,384 beside it.
    pub fn encode_place(&self, effect: Effect, place: &PathPlace) -> Vec<u8> {
        self.paths(effect).encode(&self.graph, place)
    }

    /// The place that [`Explanation::encode_place`] wrote for an equal explanation; none if it is no place of this one.
    pub fn decode_place(&self, effect: Effect, bytes: &[u8]) -> Option<PathPlace> {
        self.paths(effect).decode(&self.graph, bytes)
    }

    /// If nothing allows: the allow grants, as indexes of [`Explanation::grants`]. Those that lack only the scope come first,
    /// then those for other types, then what has expired; among them what is about the object at all, and the nearest.
    pub fn near(&self) -> Vec<usize> {
        if self.allows.total > 0 {
            return Vec::new();
        }
        let is_allow = |(_, one): &(usize, &FoundGrant)| one.grant.effect == Effect::Allow;
        let mut near: Vec<_> = self.grants.iter().enumerate().filter(is_allow).collect();
        near.sort_by_cached_key(|(index, one)| {
            let lack = match one.obstacles.first().filter(|_| one.is_reached) {
                Some(Obstacle::NotCovered) => 0,
                Some(Obstacle::OtherType) => 1,
                Some(Obstacle::GrantExpired(_) | Obstacle::MembershipExpired(_)) | None => 2,
            };
            let depth = self.tree_to(one).depths.get(one.node).copied().flatten();
            (lack, one.coverage == Coverage::Outside, depth, *index)
        });
        near.into_iter().map(|(index, _)| index).collect()
    }

    /// A shortest path to a grant that does not count, over memberships in force if there is one, and all that is in its way.
    pub fn nearest(&self, grant: usize) -> Result<Missing, ViewError> {
        let found = self.grants.get(grant).ok_or_else(elsewhere)?;
        let path = self.path_to(found, &self.graph.chain(self.tree_to(found), found.node))?;
        let ends = path.via.iter().filter_map(|step| step.membership.expires_at);
        let expired = ends.filter(|until| self.now >= *until).map(Obstacle::MembershipExpired);
        let obstacles = expired.chain(found.obstacles.iter().copied()).collect();
        Ok(Missing { path, obstacles })
    }

    /// The chains on which a grant is reached.
    const fn tree_to(&self, found: &FoundGrant) -> &Tree {
        if found.is_reached { &self.in_force } else { &self.any }
    }

    /// The graph of all paths, each membership once: memberships in force that lead to grants that apply, and all that
    /// lead to the grants that `is_shown` names by index.
    pub fn graph(&self, is_shown: impl Fn(usize) -> bool) -> GraphPart {
        let is_in_force = |edge: &Edge| self.now < edge.row.until;
        let applying = self.grants.iter().filter(|one| one.applies).map(|one| one.node);
        let deciding = self.graph.leading(applying, is_in_force);
        let shown = self.grants.iter().enumerate().filter(|(index, _)| is_shown(*index));
        let shown = self.graph.leading(shown.map(|(_, one)| one.node), |_| true);
        let has = |nodes: &[bool], node: usize| nodes.get(node) == Some(&true);
        let is_part = |edge: &Edge| {
            let is_reached = self.in_force.depths.get(edge.member).copied().flatten().is_some();
            has(&shown, edge.group) || (is_in_force(edge) && is_reached && has(&deciding, edge.group))
        };
        let mut is_kept = vec![false; self.graph.nodes().len()];
        let mut memberships = Vec::new();
        for edge in self.graph.edges().iter().filter(|edge| is_part(edge)) {
            is_kept.get_mut(edge.group).into_iter().for_each(|kept| *kept = true);
            memberships.extend(
                step(&self.graph, edge).map(|step| FoundMembership { step, is_over: !is_in_force(edge) }),
            );
        }
        is_kept.first_mut().into_iter().for_each(|kept| *kept = true);
        let nodes = self.graph.nodes().iter().zip(is_kept).filter(|(_, is_kept)| *is_kept);
        GraphPart { nodes: nodes.map(|(node, _)| *node).collect(), memberships }
    }
}

/// The error of a place or index that is not of this explanation.
fn elsewhere() -> ViewError {
    ViewError::bad_row("access", "no part of this explanation")
}

fn steps(graph: &MembershipGraph, chain: &[usize]) -> Vec<Step> {
    chain.iter().filter_map(|index| step(graph, graph.edge(*index)?)).collect()
}

fn step(graph: &MembershipGraph, edge: &Edge) -> Option<Step> {
    let (member, group) = (graph.nodes().get(edge.member)?, graph.nodes().get(edge.group)?);
    let Grantee::Group(group) = group else { return None };
    Some(Step { membership: membership(*member, *group, &edge.row), position: edge.row.from })
}
