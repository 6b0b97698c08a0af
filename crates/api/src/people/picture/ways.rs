//! What is to be drawn of an explanation's graph: its grants as rows, and the groups before them as a tree.
//!
//! A group is drawn where it is nearest to the principal, over memberships in force if there are any. Other memberships in it are
//! rows that name it again, so that every membership is drawn once and no line crosses a box.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::{
    nouns::grants::Effect,
    people::{
        explanation::{actor_words, role_words},
        picture::{NARROW, WIDE, draw::Look, wrapped},
    },
    questions::explain::{
        Explanation, GraphEdge, GraphEdgeType, GraphGrant, GraphNode, ObstacleCode, PathRole, RecordRef,
    },
};

/// A grant, or another membership in a group that is drawn elsewhere.
pub(super) struct Row<'a> {
    /// The memberships that lead to its grantee, or member.
    via: Vec<&'a GraphEdge>,
    pub(super) look: Look,
    pub(super) grant: Vec<String>,
    /// Empty if it is no grant.
    pub(super) scope: Vec<String>,
    /// Whether the line to it is crossed out: the grant itself is over, or the membership.
    is_over: bool,
    pub(super) other_type: bool,
    pub(super) not_covered: bool,
}

/// The graph, with a place for each group.
pub(super) struct Drawn<'a> {
    explanation: &'a Explanation,
    nodes: HashMap<&'a str, &'a GraphNode>,
    /// The memberships of each node.
    up: HashMap<&'a str, Vec<&'a GraphEdge>>,
    /// The membership by which each group is drawn; none for the principal.
    by: HashMap<&'a str, Option<&'a GraphEdge>>,
    /// The principal and the groups, nearest first.
    order: Vec<&'a str>,
    /// What the paths of the page tell of grants: the role with what it includes, and the records.
    told: HashMap<&'a str, (Option<&'a PathRole>, &'a [RecordRef])>,
}

impl<'a> Drawn<'a> {
    pub(super) fn new(explanation: &'a Explanation) -> Self {
        let mut drawn = Self {
            explanation,
            nodes: explanation.graph.nodes.iter().map(|node| (node.id.as_str(), node)).collect(),
            up: HashMap::new(),
            by: HashMap::new(),
            order: Vec::new(),
            told: HashMap::new(),
        };
        for edge in &explanation.graph.edges {
            if edge.kind == GraphEdgeType::Membership {
                drawn.up.entry(&edge.from).or_default().push(edge);
            }
        }
        let paths = explanation.paths.iter().chain(&explanation.denied_by);
        let told = paths.map(|path| (&path.grant, path.role.as_ref(), path.records.as_slice()));
        let near = explanation.missing.iter().flat_map(|missing| &missing.near);
        let told = told.chain(near.map(|near| (&near.grant, near.role.as_ref(), near.records.as_slice())));
        drawn.told = told.map(|(grant, role, records)| (grant.id.as_str(), (role, records))).collect();
        if let Some(principal) = explanation.graph.nodes.first() {
            drawn.by.insert(&principal.id, None);
            drawn.order.push(&principal.id);
        }
        // First what is reached over memberships in force, then the rest.
        for expired_too in [false, true] {
            drawn.discover(expired_too);
        }
        drawn
    }

    fn discover(&mut self, expired_too: bool) {
        let mut open: VecDeque<&str> = self.order.iter().copied().collect();
        while let Some(member) = open.pop_front() {
            for edge in self.up.get(member).into_iter().flatten().filter(|edge| expired_too || !edge.expired)
            {
                if !self.by.contains_key(edge.to.as_str()) {
                    self.by.insert(&edge.to, Some(edge));
                    self.order.push(&edge.to);
                    open.push_back(&edge.to);
                }
            }
        }
    }

    /// The memberships by which a node is drawn, the principal's first.
    fn via(&self, node: &str) -> Vec<&'a GraphEdge> {
        let mut via = Vec::new();
        let mut here = node;
        while let Some(edge) = self.by.get(here).copied().flatten() {
            via.push(edge);
            here = &edge.from;
        }
        via.reverse();
        via
    }

    /// The rows, and how many grants are left out: what decides first, denies before allows, near before far.
    pub(super) fn rows(&self, most: usize) -> (Vec<Row<'a>>, usize) {
        let mut grants: Vec<(usize, usize, &GraphEdge, &GraphNode, &GraphGrant)> = Vec::new();
        let places: HashMap<&str, usize> = self.order.iter().copied().zip(0..).collect();
        let edges = self.explanation.graph.edges.iter().filter(|edge| edge.kind == GraphEdgeType::Grant);
        for edge in edges {
            let place = places.get(edge.from.as_str()).copied();
            let node = self.nodes.get(edge.to.as_str()).copied();
            let Some((place, node, grant)) =
                place.zip(node).and_then(|(place, node)| Some((place, node, node.grant.as_ref()?)))
            else {
                continue;
            };
            let rank = match (grant.applies, grant.effect) {
                (true, Effect::Deny) => 0,
                (true, Effect::Allow) => 1,
                (false, _) => 2,
            };
            grants.push((rank, place, edge, node, grant));
        }
        grants.sort_by_key(|(rank, place, ..)| (*rank, *place));
        let left_out = grants.len().saturating_sub(most);
        grants.truncate(most);
        let mut shown: HashSet<&str> = HashSet::new();
        let mut rows = Vec::new();
        for (_, _, edge, node, grant) in grants {
            let via = self.via(&edge.from);
            shown.extend(via.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]));
            rows.push(self.grant(via, node, grant));
        }
        let edges = self.order.iter().filter_map(|node| self.up.get(node)).flatten();
        let is_again = |edge: &&&GraphEdge| {
            self.by.get(edge.to.as_str()).copied().flatten().is_some_and(|by| !std::ptr::eq(by, **edge))
        };
        let is_shown =
            |edge: &&&GraphEdge| shown.contains(edge.from.as_str()) && shown.contains(edge.to.as_str());
        let room = most.saturating_sub(rows.len());
        rows.extend(edges.filter(is_again).filter(is_shown).take(room).map(|edge| self.again(edge)));
        (rows, left_out)
    }

    fn grant(&self, via: Vec<&'a GraphEdge>, node: &GraphNode, grant: &GraphGrant) -> Row<'a> {
        let has = |code: ObstacleCode| grant.obstacles.contains(&code);
        let look = match (grant.applies, grant.effect) {
            (true, Effect::Allow) => Look::ALLOW,
            (true, Effect::Deny) => Look::DENY,
            (false, _) => Look::NEAR,
        };
        let why = match self.obstacle(&via, grant) {
            Some(obstacle) => wrapped(&format!("but {obstacle}"), WIDE, 3),
            None => wrapped(&grant.why, WIDE, 2),
        };
        Row {
            look,
            grant: self.grant_lines(node, grant),
            scope: [wrapped(&grant.scope, WIDE, 2), why].concat(),
            is_over: has(ObstacleCode::GrantExpired),
            other_type: has(ObstacleCode::ObjectType),
            not_covered: has(ObstacleCode::Excluded) || has(ObstacleCode::NotCovered),
            via,
        }
    }

    /// The first thing that keeps a grant from applying, in words.
    fn obstacle(&self, via: &[&GraphEdge], grant: &GraphGrant) -> Option<String> {
        Some(match grant.obstacles.first()? {
            ObstacleCode::MembershipExpired => {
                let over = via.iter().find(|edge| edge.expired)?;
                let at = over.expires_at.as_deref().unwrap_or_default();
                format!("the membership in group {} expired at {at}", self.name(&over.to))
            }
            ObstacleCode::GrantExpired => {
                format!("the grant expired at {}", grant.expires_at.as_deref().unwrap_or_default())
            }
            ObstacleCode::ObjectType => {
                format!("it gives {} on other object types", self.explanation.permission)
            }
            ObstacleCode::Excluded | ObstacleCode::NotCovered => grant.why.clone(),
        })
    }

    fn again(&self, edge: &'a GraphEdge) -> Row<'a> {
        let mut grant = vec!["group".to_owned()];
        grant.extend(wrapped(self.name(&edge.to), WIDE, 1));
        grant.extend(until(edge));
        grant.push("(drawn once, elsewhere)".to_owned());
        Row {
            via: self.via(&edge.from),
            look: Look::PLAIN,
            grant,
            scope: Vec::new(),
            is_over: edge.expired,
            other_type: false,
            not_covered: false,
        }
    }

    /// The name of a node, or its id.
    fn name(&self, id: &'a str) -> &'a str {
        self.nodes.get(id).and_then(|node| node.name.as_deref()).unwrap_or(id)
    }

    fn grant_lines(&self, node: &GraphNode, grant: &GraphGrant) -> Vec<String> {
        let effect = match grant.effect {
            Effect::Allow => "ALLOW",
            Effect::Deny => "DENY",
        };
        let (role, records) = self.told.get(node.id.as_str()).copied().unwrap_or_default();
        let edges = &self.explanation.graph.edges;
        let edge = edges.iter().find(|one| one.kind == GraphEdgeType::Role && one.from == node.id);
        let gives = match (role, edge) {
            (Some(role), _) => role_words(role),
            (None, Some(edge)) => self.name(&edge.to).to_owned(),
            (None, None) => self.explanation.permission.clone(),
        };
        let only = grant.object_type.as_ref().map(|name| format!(" on {name} only")).unwrap_or_default();
        let mut lines = wrapped(&format!("{effect} {gives}{only}"), WIDE, 2);
        if let Some(record) = records.iter().find(|record| record.about == "/grant") {
            lines.extend(wrapped(&format!("by {}", actor_words(&record.actor)), WIDE, 1));
            lines.push(record.at.clone());
            let reason = record.reason.as_ref().map(|reason| format!("\"{reason}\""));
            lines.extend(reason.map(|reason| wrapped(&reason, WIDE, 1)).unwrap_or_default());
        }
        lines
    }
}

/// When a membership ends or ended.
fn until(edge: &GraphEdge) -> Option<String> {
    let word = if edge.expired { "expired" } else { "until" };
    edge.expires_at.as_ref().map(|at| format!("{word} {}", at.get(..10).unwrap_or(at)))
}

/// The principal and the groups that lead to grants.
pub(super) struct Tree {
    pub(super) root: Node,
    /// The place of each row, from above.
    places: Vec<usize>,
}

/// The principal, or a group on the way.
pub(super) struct Node {
    id: String,
    pub(super) lines: Vec<String>,
    /// Whether the membership that leads here is over.
    pub(super) is_over: bool,
    pub(super) children: Vec<Node>,
    pub(super) leaves: Vec<Leaf>,
    /// The first and the last row that follow.
    pub(super) first: usize,
    pub(super) last: usize,
}

/// A grant to a node.
pub(super) struct Leaf {
    row: usize,
    pub(super) place: usize,
    pub(super) look: Look,
}

impl Tree {
    pub(super) fn of(drawn: &Drawn<'_>, rows: &[Row<'_>]) -> Self {
        let explanation = drawn.explanation;
        let lines = match (&explanation.principal, &explanation.key) {
            (Some(one), _) => vec![one.kind.to_string(), one.name.clone().unwrap_or_else(|| one.id.clone())],
            (None, Some(key)) => vec!["key".to_owned(), key.id.clone()],
            (None, None) => vec!["the principal".to_owned()],
        };
        let mut root = Node::new(String::new(), lines, false);
        for (index, row) in rows.iter().enumerate() {
            let look = Look { crossed: row.is_over, ..row.look };
            root.insert(drawn, &row.via, Leaf { row: index, place: 0, look });
        }
        let mut places = vec![0; rows.len()];
        root.settle(0, &mut places);
        Self { root, places }
    }

    pub(super) fn place(&self, row: usize) -> usize {
        self.places.get(row).copied().unwrap_or_default()
    }

    /// How many columns it takes.
    pub(super) fn depth(&self) -> usize {
        self.root.depth()
    }
}

impl Node {
    fn new(id: String, lines: Vec<String>, is_over: bool) -> Self {
        Self { id, lines, is_over, children: Vec::new(), leaves: Vec::new(), first: 0, last: 0 }
    }

    /// Takes a row in, behind these memberships.
    fn insert(&mut self, drawn: &Drawn<'_>, via: &[&GraphEdge], leaf: Leaf) {
        let Some((first, rest)) = via.split_first() else { return self.leaves.push(leaf) };
        let known = self.children.iter().position(|child| child.id == first.to);
        let place = known.unwrap_or_else(|| {
            let mut lines = vec!["group".to_owned()];
            let name = drawn.nodes.get(first.to.as_str()).and_then(|node| node.name.as_deref());
            lines.extend(wrapped(name.unwrap_or(&first.to), NARROW, 2));
            lines.extend(until(first));
            self.children.push(Self::new(first.to.clone(), lines, first.expired));
            self.children.len() - 1
        });
        if let Some(child) = self.children.get_mut(place) {
            child.insert(drawn, rest, leaf);
        }
    }

    /// Gives every grant below a row, from `next` on; answers the one after the last.
    fn settle(&mut self, mut next: usize, places: &mut [usize]) -> usize {
        self.first = next;
        for leaf in &mut self.leaves {
            leaf.place = next;
            if let Some(place) = places.get_mut(leaf.row) {
                *place = next;
            }
            next += 1;
        }
        for child in &mut self.children {
            next = child.settle(next, places);
        }
        self.last = next.saturating_sub(1).max(self.first);
        next
    }

    fn depth(&self) -> usize {
        1 + self.children.iter().map(Self::depth).max().unwrap_or(0)
    }
}
