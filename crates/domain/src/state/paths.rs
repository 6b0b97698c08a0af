//! Longest paths and closures among groups and among roles, for limits of depth and for what a change costs to follow.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    id::{GroupId, RoleId},
    limits::WorkCounter,
    principal::Grantee,
    state::OrgState,
};

/// The number of edges on the longest path from a node. Each edge is followed once (depth-first search with memory); a
/// cycle, which only a journal of other rules can hold, is cut where it closes.
fn longest_path<T: Ord + Copy>(from: T, next: impl Fn(T) -> Vec<T>, work: &WorkCounter) -> usize {
    let mut heights = BTreeMap::new();
    measure(&mut heights, from, next, work);
    heights.get(&from).copied().unwrap_or_default()
}

/// Finds the longest path from each node that can be reached from this one, but for those that are known.
fn measure<T: Ord + Copy>(
    heights: &mut BTreeMap<T, usize>,
    from: T,
    next: impl Fn(T) -> Vec<T>,
    work: &WorkCounter,
) {
    if heights.contains_key(&from) {
        return;
    }
    let mut entered = BTreeSet::from([from]);
    let mut path = vec![(from, next(from), 0_usize)];
    while let Some((node, ahead, height)) = path.last_mut() {
        work.spend(1);
        if let Some(neighbour) = ahead.pop() {
            if let Some(known) = heights.get(&neighbour) {
                *height = (*height).max(known.saturating_add(1));
            } else if entered.insert(neighbour) {
                path.push((neighbour, next(neighbour), 0));
            }
        } else {
            let (node, height) = (*node, *height);
            heights.insert(node, height);
            path.pop();
            if let Some((_, _, below)) = path.last_mut() {
                *below = (*below).max(height.saturating_add(1));
            }
        }
    }
}

/// A node and everything that can be reached from it.
fn closure<T: Ord + Copy>(from: T, next: impl Fn(T) -> Vec<T>, work: &WorkCounter) -> BTreeSet<T> {
    let (mut found, mut open) = (BTreeSet::from([from]), vec![from]);
    while let Some(node) = open.pop() {
        let ahead = next(node);
        work.spend(ahead.len().saturating_add(1));
        open.extend(ahead.into_iter().filter(|neighbour| found.insert(*neighbour)));
    }
    found
}

/// Groups in groups; memberships whose time has passed count, as they may be renewed.
impl OrgState {
    fn groups_above(&self, group: GroupId) -> Vec<GroupId> {
        let from = (group, GroupId::from_u128(0));
        let up = self.nestings.range(from..).take_while(|(inner, _)| *inner == group);
        up.map(|(_, outer)| *outer).collect()
    }

    fn groups_below(&self, group: GroupId) -> Vec<GroupId> {
        let members = self.members_of(group).filter_map(|membership| match membership.member {
            Grantee::Group(inner) => Some(inner),
            Grantee::User(_) | Grantee::Token(_) => None,
        });
        members.filter(|inner| self.nestings.contains(&(*inner, group))).collect()
    }

    /// The memberships on the longest path that would lead through this one.
    pub(crate) fn group_depth_through(&self, inner: GroupId, outer: GroupId, work: &WorkCounter) -> usize {
        let above = longest_path(outer, |group| self.groups_above(group), work);
        let below = longest_path(inner, |group| self.groups_below(group), work);
        above.saturating_add(below).saturating_add(1)
    }

    /// The group and every living group above it.
    pub(crate) fn with_groups_above(&self, group: GroupId, work: &WorkCounter) -> BTreeSet<GroupId> {
        closure(group, |group| self.groups_above(group), work)
    }

    /// The group and every living group below it.
    pub(crate) fn with_groups_below(&self, group: GroupId, work: &WorkCounter) -> BTreeSet<GroupId> {
        closure(group, |group| self.groups_below(group), work)
    }

    /// The memberships on the longest path among groups.
    pub(crate) fn group_depth(&self) -> usize {
        depth(&self.nestings, |group| self.groups_above(group))
    }
}

/// Roles in roles.
impl OrgState {
    fn roles_including(&self, role: RoleId) -> Vec<RoleId> {
        let from = (role, RoleId::from_u128(0));
        let up = self.included_by.range(from..).take_while(|(included, _)| *included == role);
        up.map(|(_, including)| *including).collect()
    }

    fn roles_included(&self, role: RoleId) -> Vec<RoleId> {
        self.living_role(role).map(|role| role.includes.clone()).unwrap_or_default()
    }

    /// Whether a living role includes this one.
    pub(crate) fn is_included(&self, role: RoleId) -> bool {
        !self.roles_including(role).is_empty()
    }

    /// The role and every living role that includes it, directly or not.
    pub(crate) fn with_roles_including(&self, role: RoleId, work: &WorkCounter) -> BTreeSet<RoleId> {
        closure(role, |role| self.roles_including(role), work)
    }

    /// The inclusions on the longest path that would lead from this role through one of those that it is to include.
    pub(crate) fn role_depth_through(
        &self,
        including: RoleId,
        included: &[RoleId],
        work: &WorkCounter,
    ) -> usize {
        let above = longest_path(including, |role| self.roles_including(role), work);
        let down = |role| if role == including { included.to_vec() } else { self.roles_included(role) };
        above.saturating_add(longest_path(including, down, work))
    }

    /// The inclusions on the longest path among roles.
    pub(crate) fn role_depth(&self) -> usize {
        depth(&self.included_by, |role| self.roles_including(role))
    }
}

/// The longest of all paths. Each edge is followed once.
fn depth<T: Ord + Copy>(edges: &imbl::OrdSet<(T, T)>, next: impl Fn(T) -> Vec<T>) -> usize {
    let (mut heights, work) = (BTreeMap::new(), WorkCounter::unlimited());
    for (lower, _) in edges {
        measure(&mut heights, *lower, &next, &work);
    }
    heights.into_values().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(edges: &[(u32, u32)]) -> impl Fn(u32) -> Vec<u32> + '_ {
        |node| edges.iter().filter(|(from, _)| *from == node).map(|(_, to)| *to).collect()
    }

    #[test]
    fn the_longest_path_is_found_whatever_comes_first() {
        let work = WorkCounter::unlimited();
        for (edges, expected) in [
            (&[][..], 0),
            (&[(1, 2), (2, 3), (1, 3)], 2),
            (&[(1, 3), (1, 2), (2, 3), (3, 4)], 3),
            (&[(1, 2), (2, 1)], 1),
            (&[(1, 1)], 0),
        ] {
            assert_eq!(longest_path(1, next(edges), &work), expected, "{edges:?}");
        }
    }

    /// In a ladder of 64 pairs there are 2^64 paths.
    #[test]
    fn many_paths_cost_no_more_than_their_edges() {
        let ladder: Vec<_> =
            (0..64).flat_map(|n| [(2 * n, 2 * n + 1), (2 * n, 2 * n + 2), (2 * n + 1, 2 * n + 2)]).collect();
        let work = WorkCounter::unlimited();
        assert_eq!(longest_path(0, next(&ladder), &work), 128);
        assert!(work.spent() <= 4 * 3 * 64, "{}", work.spent());
        assert_eq!(closure(0, next(&ladder), &work).len(), 129);
    }
}
