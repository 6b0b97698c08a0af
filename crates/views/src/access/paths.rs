//! Chains of memberships from somebody up to the grants that matter for one question.

use std::collections::{BTreeMap, BTreeSet};

use grantbook_domain::{
    id::{GroupId, RoleId},
    principal::Grantee,
    time::Timestamp,
};

use crate::{
    access::{
        checker::Checker,
        explain::{Coverage, Obstacle},
    },
    store::{
        error::ViewError,
        row::{GrantRow, MembershipRow},
    },
};

/// A grant that has the permission in it.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) row: GrantRow,
    pub(crate) roles: Vec<RoleId>,
    pub(crate) coverage: Coverage,
    /// What keeps the grant itself from counting.
    pub(crate) obstacles: Vec<Obstacle>,
}

/// One membership, upwards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) member: Grantee,
    pub(crate) group: GroupId,
    pub(crate) row: MembershipRow,
}

/// Somebody and all groups above, through memberships expired or not.
pub(crate) struct MembershipGraph {
    bottom: Grantee,
    edges: BTreeMap<Grantee, Vec<Edge>>,
}

/// Chains of memberships, each to a candidate.
pub(crate) struct Chains<'w> {
    pub(crate) found: Vec<(Vec<&'w Edge>, &'w Candidate)>,
    pub(crate) cut: bool,
}

impl MembershipGraph {
    pub(crate) fn above(checker: &mut Checker<'_>, bottom: Grantee) -> Result<Self, ViewError> {
        let mut edges = BTreeMap::new();
        let mut open = vec![bottom];
        while let Some(member) = open.pop() {
            if edges.contains_key(&member) {
                continue;
            }
            let mut up = Vec::new();
            for (group, row) in &checker.node(member)?.memberships {
                if checker.node(Grantee::Group(*group))?.lives() {
                    open.push(Grantee::Group(*group));
                    up.push(Edge { member, group: *group, row: *row });
                }
            }
            edges.insert(member, up);
        }
        Ok(Self { bottom, edges })
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = Grantee> {
        self.edges.keys().copied()
    }

    /// Every chain over memberships in force at `now` to a candidate that counts, shortest first, at most `room`.
    pub(crate) fn chains<'w>(
        &'w self,
        now: Timestamp,
        candidates: &'w [(Grantee, Candidate)],
        counts: impl Fn(&Candidate) -> bool,
        room: usize,
    ) -> Chains<'w> {
        let mut goals: BTreeMap<Grantee, Vec<&Candidate>> = BTreeMap::new();
        for (grantee, candidate) in candidates.iter().filter(|(_, candidate)| counts(candidate)) {
            goals.entry(*grantee).or_default().push(candidate);
        }
        let ahead = vec![goals.keys().copied().collect()];
        let chains = Chains { found: Vec::new(), cut: false };
        Search { graph: self, now, goals, ahead, room, chains }.run()
    }
}

/// The search for chains.
struct Search<'w> {
    graph: &'w MembershipGraph,
    now: Timestamp,
    goals: BTreeMap<Grantee, Vec<&'w Candidate>>,
    /// `ahead[n]`: who has a chain of n memberships to a goal. Only they are entered, so that the cost follows the
    /// number of chains found, however much the groups are nested.
    ahead: Vec<BTreeSet<Grantee>>,
    room: usize,
    chains: Chains<'w>,
}

impl<'w> Search<'w> {
    fn run(mut self) -> Chains<'w> {
        // No chain without a repetition is longer than there are nodes.
        for _ in 0..=self.graph.edges.len() {
            self.add_longest();
            let Some(nearer) = self.ahead.last().filter(|nearer| !nearer.is_empty()) else { break };
            let leads =
                |edge: &&Edge| self.now < edge.row.until && nearer.contains(&Grantee::Group(edge.group));
            let next = self.graph.edges.values().flatten().filter(leads).map(|edge| edge.member).collect();
            self.ahead.push(next);
            if self.chains.cut {
                break;
            }
        }
        self.chains
    }

    /// Adds the chains that have exactly as many memberships as `ahead` looks forward.
    fn add_longest(&mut self) {
        let mut open: Vec<Vec<&'w Edge>> = vec![Vec::new()];
        while let Some(chain) = open.pop() {
            let here = chain.last().map_or(self.graph.bottom, |edge| Grantee::Group(edge.group));
            let left = self.ahead.len().saturating_sub(chain.len()).saturating_sub(1);
            if !self.ahead.get(left).is_some_and(|nodes| nodes.contains(&here)) {
                continue;
            }
            if left == 0 {
                for candidate in self.goals.get(&here).into_iter().flatten() {
                    if self.chains.found.len() == self.room {
                        self.chains.cut = true;
                        return;
                    }
                    self.chains.found.push((chain.clone(), candidate));
                }
                continue;
            }
            let up = self.graph.edges.get(&here).into_iter().flatten().rev();
            for edge in up.filter(|edge| self.now < edge.row.until) {
                let mut longer = chain.clone();
                longer.push(edge);
                open.push(longer);
            }
        }
    }
}
