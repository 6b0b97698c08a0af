//! What is to be drawn of an explanation: its ways as rows, and the groups before them as a tree.

use grantbook_api::{
    nouns::grants::{Effect, Grant},
    questions::explain::{Explanation, NearMiss, ObstacleCode, Path, PathRole, RecordRef, Via},
};

use crate::questions::why::{
    actor_words, named, role_words,
    svg::{NARROW, WIDE, draw::Look, wrapped},
};

/// A way from the principal to a scope.
pub(super) struct Row<'a> {
    via: &'a [Via],
    /// Which of the memberships are over.
    over: Vec<usize>,
    pub(super) look: Look,
    pub(super) grant: Vec<String>,
    pub(super) scope: Vec<String>,
    /// Whether the grant itself is over.
    grant_over: bool,
    pub(super) other_type: bool,
    pub(super) not_covered: bool,
}

/// The ways of an explanation, the deciding ones first; and how many more there are.
pub(super) fn rows(explanation: &Explanation, most: usize) -> (Vec<Row<'_>>, usize) {
    let near = explanation.missing.as_ref().map_or(&[][..], |missing| &missing.near);
    let denies = explanation.denied_by.iter().map(|path| way(path, Look::DENY));
    let allows = explanation.paths.iter().map(|path| way(path, Look::ALLOW));
    let mut rows: Vec<Row<'_>> = denies.chain(allows).chain(near.iter().map(miss)).collect();
    let left_out = rows.len().saturating_sub(most);
    rows.truncate(most);
    (rows, left_out)
}

fn way(path: &Path, look: Look) -> Row<'_> {
    let scope = [wrapped(&path.matched.scope, WIDE, 2), wrapped(&path.matched.why, WIDE, 2)].concat();
    Row {
        via: &path.via,
        over: Vec::new(),
        look,
        grant: grant_lines(&path.grant, path.role.as_ref(), &path.records),
        scope,
        grant_over: false,
        other_type: false,
        not_covered: false,
    }
}

fn miss(near: &NearMiss) -> Row<'_> {
    let has = |code: ObstacleCode| near.obstacles.iter().any(|obstacle| obstacle.code == code);
    let over = near.obstacles.iter().filter(|obstacle| obstacle.code == ObstacleCode::MembershipExpired);
    let over = over.filter_map(|obstacle| obstacle.about.strip_prefix("/via/")?.parse().ok()).collect();
    let why = near.obstacles.first().map_or(&near.why, |obstacle| &obstacle.detail);
    Row {
        via: &near.via,
        over,
        look: Look::NEAR,
        grant: grant_lines(&near.grant, near.role.as_ref(), &near.records),
        scope: [wrapped(&near.scope, WIDE, 2), wrapped(&format!("but {why}"), WIDE, 3)].concat(),
        grant_over: has(ObstacleCode::GrantExpired),
        other_type: has(ObstacleCode::ObjectType),
        not_covered: has(ObstacleCode::Excluded) || has(ObstacleCode::NotCovered),
    }
}

fn grant_lines(grant: &Grant, role: Option<&PathRole>, records: &[RecordRef]) -> Vec<String> {
    let effect = match grant.effect {
        Effect::Allow => "ALLOW",
        Effect::Deny => "DENY",
    };
    let gives = match (role, &grant.permissions) {
        (Some(role), _) => role_words(role),
        (None, Some(permissions)) => permissions.join(", "),
        (None, None) => grant.role.clone().unwrap_or_default(),
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
    pub(super) fn of(explanation: &Explanation, rows: &[Row<'_>]) -> Self {
        let lines = match (&explanation.principal, &explanation.key) {
            (Some(one), _) => vec![one.kind.to_string(), one.name.clone().unwrap_or_else(|| one.id.clone())],
            (None, Some(key)) => vec!["key".to_owned(), key.id.clone()],
            (None, None) => vec!["the principal".to_owned()],
        };
        let mut root = Node::new(String::new(), lines, false);
        for (index, row) in rows.iter().enumerate() {
            let look = Look { crossed: row.grant_over, ..row.look };
            root.insert(row.via, &row.over, 0, Leaf { row: index, place: 0, look });
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

    /// Takes a grant in, behind the memberships from `step` on.
    fn insert(&mut self, via: &[Via], over: &[usize], step: usize, leaf: Leaf) {
        let Some((first, rest)) = via.split_first() else { return self.leaves.push(leaf) };
        if let Some(child) = self.children.iter_mut().find(|child| child.id == first.group.id) {
            return child.insert(rest, over, step + 1, leaf);
        }
        let mut child = Self::behind(first, over.contains(&step));
        child.insert(rest, over, step + 1, leaf);
        self.children.push(child);
    }

    fn behind(via: &Via, is_over: bool) -> Self {
        let mut lines = vec!["group".to_owned()];
        lines.extend(wrapped(named(&via.group), NARROW, 2));
        let word = if is_over { "expired" } else { "until" };
        let until = via.expires_at.as_ref().map(|at| format!("{word} {}", at.get(..10).unwrap_or(at)));
        lines.extend(until);
        Self::new(via.group.id.clone(), lines, is_over)
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
