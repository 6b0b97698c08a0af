//! Paths over a graph of memberships to grants, in order: shortest first, one after the other.
//!
//! There may be exponentially many paths, so only those asked for are looked for. For each node the set of its distances
//! is computed once, from above, in O(memberships x depth / 64): in how many memberships a goal can be reached. Paths of one length
//! follow each other in lexicographic order of their memberships. A membership is entered only if a goal lies at the
//! distance that is left, so no search ends without a path: the next path costs O(its length x memberships of a node),
//! however many paths come before it, and a path alone says where to go on.
//!
//! This is the enumeration of a regular language in radix order by cross-sections (M. Ackerman and J. Shallit, "Efficient
//! Enumeration of Regular Languages", CIAA 2007): a path is a word, a membership a letter.

use grantbook_domain::time::Timestamp;

use crate::access::graph::{Edge, MembershipGraph};

/// As many paths or more are not told apart: the largest whole number that every reader of JSON can hold.
pub const PATHS_COUNTED_MAX: u64 = (1 << 53) - 1;

/// Every path to some grants, over memberships in force.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    now: Timestamp,
    /// The grants of each node that paths lead to, as indexes.
    goals: Vec<Vec<usize>>,
    /// The distances of each node from goals.
    distances: Vec<Distances>,
    /// How many paths there are.
    pub(crate) total: u64,
}

/// One path: memberships from the principal on, and which goal of the last one's group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPlace {
    pub(crate) edges: Vec<usize>,
    goal: usize,
}

/// A set of distances, one bit each.
#[derive(Debug, Clone, Default)]
struct Distances(Vec<u64>);

impl Distances {
    fn has(&self, distance: usize) -> bool {
        self.0.get(distance / 64).is_some_and(|word| word >> (distance % 64) & 1 == 1)
    }

    fn add(&mut self, at: usize, bits: u64) {
        if bits != 0 {
            self.0.resize(self.0.len().max(at + 1), 0);
            self.0.get_mut(at).into_iter().for_each(|word| *word |= bits);
        }
    }

    /// Adds every distance of the other, and one more to each.
    fn add_one_further(&mut self, other: &Self) {
        let mut carried = 0;
        for (at, word) in other.0.iter().enumerate() {
            self.add(at, word << 1 | carried);
            carried = word >> 63;
        }
        self.add(other.0.len(), carried);
    }

    /// The smallest distance from this one on.
    fn next(&self, from: usize) -> Option<usize> {
        (from..self.0.len() * 64).find(|distance| self.has(*distance))
    }
}

impl Paths {
    /// The paths over memberships in force at `now` to the goals, each a node and a grant.
    pub(crate) fn new(
        graph: &MembershipGraph,
        now: Timestamp,
        to: impl IntoIterator<Item = (usize, usize)>,
    ) -> Self {
        let count = graph.nodes().len();
        let mut paths = Self {
            now,
            goals: vec![Vec::new(); count],
            distances: vec![Distances::default(); count],
            total: 0,
        };
        for (node, grant) in to {
            if let Some(goals) = paths.goals.get_mut(node) {
                goals.push(grant);
            }
        }
        let mut totals = vec![0_u64; count];
        for node in graph.upper_first() {
            let goals = paths.goals_at(node).len();
            let mut distances = Distances::default();
            distances.add(0, u64::from(goals > 0));
            let mut total = goals as u64;
            for edge in graph.up(node).filter_map(|index| graph.edge(index)) {
                if now < edge.row.until {
                    paths
                        .distances
                        .get(edge.group)
                        .into_iter()
                        .for_each(|above| distances.add_one_further(above));
                    total = total.saturating_add(totals.get(edge.group).copied().unwrap_or_default());
                }
            }
            if let (Some(slot), Some(sum)) = (paths.distances.get_mut(node), totals.get_mut(node)) {
                (*slot, *sum) = (distances, total);
            }
        }
        paths.total = totals.first().copied().unwrap_or_default().min(PATHS_COUNTED_MAX);
        paths
    }

    /// The path after this one, or the first; and how many memberships were looked at for it.
    pub(crate) fn after(
        &self,
        graph: &MembershipGraph,
        last: Option<&PathPlace>,
    ) -> (Option<PathPlace>, usize) {
        let mut looked = 0;
        let found = self.find_after(graph, last, &mut looked);
        (found, looked)
    }

    fn find_after(
        &self,
        graph: &MembershipGraph,
        last: Option<&PathPlace>,
        looked: &mut usize,
    ) -> Option<PathPlace> {
        let Some(last) = last else { return self.first_from(graph, 0, looked) };
        let length = last.edges.len();
        if last.goal + 1 < self.goals_at(end(graph, &last.edges)).len() {
            return Some(PathPlace { edges: last.edges.clone(), goal: last.goal + 1 });
        }
        let mut edges = last.edges.clone();
        while let Some(index) = edges.pop() {
            let left = length - edges.len();
            let node = graph.edge(index).map_or(0, |edge| edge.member);
            if let Some(next) = self.choice(graph, (node, left), index + 1, looked) {
                edges.push(next);
                return self.completed(graph, edges, length, looked);
            }
        }
        self.first_from(graph, length + 1, looked)
    }

    /// The first path of this length or the next one that there is.
    fn first_from(&self, graph: &MembershipGraph, length: usize, looked: &mut usize) -> Option<PathPlace> {
        let length = self.distances.first()?.next(length)?;
        self.completed(graph, Vec::with_capacity(length), length, looked)
    }

    /// The first path of this length that begins like this.
    fn completed(
        &self,
        graph: &MembershipGraph,
        mut edges: Vec<usize>,
        length: usize,
        looked: &mut usize,
    ) -> Option<PathPlace> {
        while edges.len() < length {
            let node = end(graph, &edges);
            edges.push(self.choice(graph, (node, length - edges.len()), 0, looked)?);
        }
        Some(PathPlace { edges, goal: 0 })
    }

    /// The first membership of a node, from an index on, behind which a goal lies `left` memberships from the node.
    fn choice(
        &self,
        graph: &MembershipGraph,
        (node, left): (usize, usize),
        from: usize,
        looked: &mut usize,
    ) -> Option<usize> {
        let up = graph.up(node);
        (up.start.max(from)..up.end).find(|index| {
            *looked += 1;
            graph.edge(*index).is_some_and(|edge| self.leads(edge, left))
        })
    }

    fn leads(&self, edge: &Edge, left: usize) -> bool {
        let beyond = left.checked_sub(1).zip(self.distances.get(edge.group));
        self.now < edge.row.until && beyond.is_some_and(|(left, distances)| distances.has(left))
    }

    fn goals_at(&self, node: usize) -> &[usize] {
        self.goals.get(node).map_or(&[], Vec::as_slice)
    }

    /// The grant that a path leads to.
    pub(crate) fn grant(&self, graph: &MembershipGraph, place: &PathPlace) -> Option<usize> {
        self.goals_at(end(graph, &place.edges)).get(place.goal).copied()
    }

    /// A place in few bytes: its length, then which one was chosen wherever there was a choice.
    pub(crate) fn encode(&self, graph: &MembershipGraph, place: &PathPlace) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, place.edges.len());
        let mut node = 0;
        for (at, index) in place.edges.iter().enumerate() {
            let choices = self.choices(graph, node, place.edges.len() - at);
            if choices.len() > 1 {
                put_varint(&mut bytes, choices.iter().position(|choice| choice == index).unwrap_or_default());
            }
            node = graph.edge(*index).map_or(0, |edge| edge.group);
        }
        if self.goals_at(node).len() > 1 {
            put_varint(&mut bytes, place.goal);
        }
        bytes
    }

    /// Reads what [`Paths::encode`] wrote for the same paths; none if it is no path of these.
    pub(crate) fn decode(&self, graph: &MembershipGraph, mut bytes: &[u8]) -> Option<PathPlace> {
        let length = take_varint(&mut bytes)?;
        self.distances.first().filter(|distances| distances.has(length))?;
        let (mut edges, mut node) = (Vec::with_capacity(length), 0);
        while edges.len() < length {
            let choices = self.choices(graph, node, length - edges.len());
            let chosen = if choices.len() > 1 { take_varint(&mut bytes)? } else { 0 };
            let index = choices.get(chosen).copied()?;
            node = graph.edge(index)?.group;
            edges.push(index);
        }
        let count = self.goals_at(node).len();
        let goal = if count > 1 { take_varint(&mut bytes)? } else { 0 };
        (goal < count && bytes.is_empty()).then_some(PathPlace { edges, goal })
    }

    fn choices(&self, graph: &MembershipGraph, node: usize, left: usize) -> Vec<usize> {
        let leads = |index: &usize| graph.edge(*index).is_some_and(|edge| self.leads(edge, left));
        graph.up(node).filter(leads).collect()
    }
}

/// The node that a chain ends at.
fn end(graph: &MembershipGraph, edges: &[usize]) -> usize {
    edges.last().and_then(|index| graph.edge(*index)).map_or(0, |edge| edge.group)
}

/// LEB128: seven bits a byte, the lowest first.
fn put_varint(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or_default());
}

fn take_varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..usize::BITS - 7).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
