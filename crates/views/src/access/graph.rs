//! A principal and all groups above it, by index, and which of them lead where. Every walk here is linear in memberships.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
};

use grantbook_domain::principal::Grantee;

use crate::{
    access::checker::Checker,
    store::{error::ViewError, row::MembershipRow},
};

/// One membership, upwards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    /// The index of the member.
    pub(crate) member: usize,
    /// The index of the group.
    pub(crate) group: usize,
    pub(crate) row: MembershipRow,
}

/// A principal and all living groups above it, through memberships expired or not.
#[derive(Debug, Clone, Default)]
pub(crate) struct MembershipGraph {
    /// The principal, then the groups, nearest first.
    nodes: Vec<Grantee>,
    /// The memberships of each node, one node after the other, by the group's id.
    edges: Vec<Edge>,
    /// Where the memberships of each node begin, and where the last one's end.
    starts: Vec<usize>,
}

/// The shortest chain of memberships to each node that has one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    /// The nodes that have one, nearest first; of equally near ones, that with the lexicographically first chain.
    pub(crate) order: Vec<usize>,
    /// How many memberships each node's chain has.
    pub(crate) depths: Vec<Option<usize>>,
    /// The last membership of each node's chain; none for the principal.
    last: Vec<Option<usize>>,
}

impl MembershipGraph {
    pub(crate) fn above(checker: &mut Checker<'_>, bottom: Grantee) -> Result<Self, ViewError> {
        let mut indexes = HashMap::from([(bottom, 0)]);
        let mut graph = Self { nodes: vec![bottom], edges: Vec::new(), starts: vec![0] };
        let mut member = 0;
        while let Some(grantee) = graph.nodes.get(member).copied() {
            let node = checker.node(grantee)?;
            checker.spend(node.memberships.len())?;
            for (group, row) in &node.memberships {
                let above = Grantee::Group(*group);
                if !checker.node(above)?.lives() {
                    continue;
                }
                let group = *indexes.entry(above).or_insert_with(|| {
                    graph.nodes.push(above);
                    graph.nodes.len() - 1
                });
                graph.edges.push(Edge { member, group, row: *row });
            }
            graph.starts.push(graph.edges.len());
            member += 1;
        }
        Ok(graph)
    }

    pub(crate) fn nodes(&self) -> &[Grantee] {
        &self.nodes
    }

    pub(crate) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    pub(crate) fn edge(&self, index: usize) -> Option<&Edge> {
        self.edges.get(index)
    }

    /// The memberships of a node, as indexes of edges.
    pub(crate) fn up(&self, node: usize) -> Range<usize> {
        let start = |node: usize| self.starts.get(node).copied().unwrap_or(self.edges.len());
        start(node)..start(node + 1)
    }

    /// The same graph with only the nodes that are kept, and the principal. The order stays.
    pub(crate) fn kept(&self, is_kept: &[bool]) -> Self {
        let is_kept = |node: usize| node == 0 || is_kept.get(node) == Some(&true);
        let mut graph = Self { nodes: Vec::new(), edges: Vec::new(), starts: vec![0] };
        let mut indexes = vec![0; self.nodes.len()];
        for (node, (grantee, index)) in self.nodes.iter().zip(&mut indexes).enumerate() {
            *index = graph.nodes.len();
            if is_kept(node) {
                graph.nodes.push(*grantee);
            }
        }
        let new = |node: usize| indexes.get(node).copied().unwrap_or_default();
        for node in (0..self.nodes.len()).filter(|node| is_kept(*node)) {
            let up = self.edges.get(self.up(node)).into_iter().flatten();
            let up = up.filter(|edge| is_kept(edge.group));
            graph.edges.extend(up.map(|edge| Edge {
                member: new(edge.member),
                group: new(edge.group),
                row: edge.row,
            }));
            graph.starts.push(graph.edges.len());
        }
        graph
    }

    /// The shortest chains over usable memberships, by breadth-first search.
    pub(crate) fn tree(&self, usable: impl Fn(&Edge) -> bool) -> Tree {
        let mut tree = Tree {
            order: Vec::new(),
            depths: vec![None; self.nodes.len()],
            last: vec![None; self.nodes.len()],
        };
        let mut open = VecDeque::new();
        if let Some(depth) = tree.depths.first_mut() {
            *depth = Some(0);
            open.push_back((0, 0));
        }
        while let Some((node, depth)) = open.pop_front() {
            tree.order.push(node);
            for index in self.up(node) {
                let Some(edge) = self.edge(index).filter(|edge| usable(edge)) else { continue };
                let (Some(known), Some(last)) =
                    (tree.depths.get_mut(edge.group), tree.last.get_mut(edge.group))
                else {
                    continue;
                };
                if known.is_none() {
                    (*known, *last) = (Some(depth + 1), Some(index));
                    open.push_back((edge.group, depth + 1));
                }
            }
        }
        tree
    }

    /// The memberships of a node's chain in the tree, from the principal on.
    pub(crate) fn chain(&self, tree: &Tree, node: usize) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut here = node;
        while let Some(index) = tree.last.get(here).copied().flatten() {
            chain.push(index);
            here = self.edge(index).map_or(0, |edge| edge.member);
        }
        chain.reverse();
        chain
    }

    /// Which nodes are goals or have a chain of usable memberships to one.
    pub(crate) fn leading(
        &self,
        goals: impl IntoIterator<Item = usize>,
        usable: impl Fn(&Edge) -> bool,
    ) -> Vec<bool> {
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for edge in self.edges.iter().filter(|edge| usable(edge)) {
            if let Some(members) = below.get_mut(edge.group) {
                members.push(edge.member);
            }
        }
        let mut leads = vec![false; self.nodes.len()];
        let mut open: Vec<usize> = goals.into_iter().collect();
        while let Some(node) = open.pop() {
            if let Some(lead) = leads.get_mut(node).filter(|lead| !**lead) {
                *lead = true;
                open.extend(below.get(node).into_iter().flatten());
            }
        }
        leads
    }

    /// All nodes, each after the groups above it (depth-first, postorder). Groups never form a cycle.
    pub(crate) fn upper_first(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut seen = vec![false; self.nodes.len()];
        let mut open: Vec<(usize, Range<usize>)> = Vec::new();
        if let Some(seen) = seen.first_mut() {
            *seen = true;
            open.push((0, self.up(0)));
        }
        while let Some((node, rest)) = open.last_mut() {
            let Some(edge) = rest.next().map(|index| self.edge(index)) else {
                order.push(*node);
                open.pop();
                continue;
            };
            let Some(group) = edge.map(|edge| edge.group) else { continue };
            if let Some(seen) = seen.get_mut(group).filter(|seen| !**seen) {
                *seen = true;
                open.push((group, self.up(group)));
            }
        }
        order
    }
}
