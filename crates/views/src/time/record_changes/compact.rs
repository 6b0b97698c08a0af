//! A set of principals in few words.

use std::collections::BTreeSet;

use grantbook_domain::{id::GroupId, principal::Principal};

use crate::time::record_changes::Who;

/// So many are always listed.
const FEW: usize = 32;
/// Most that one list has; more are several.
const LISTED_MAX: usize = 500;
/// Most that are taken out of a group.
const EXCEPT_MAX: usize = 1_000;

/// The members of groups that a set may be told by.
pub(super) type Groups = [(GroupId, BTreeSet<Principal>)];

/// Cuts a set into parts, each with its words. A group is named only if that is far shorter than the list.
pub(super) fn told(mut rest: BTreeSet<Principal>, groups: &Groups) -> Vec<(BTreeSet<Principal>, Who)> {
    let mut parts = Vec::new();
    while rest.len() > FEW {
        let Some((of, members)) = best(&rest, groups) else { break };
        let except: BTreeSet<_> = members.difference(&rest).copied().collect();
        let part: BTreeSet<_> = members.intersection(&rest).copied().collect();
        rest.retain(|one| !part.contains(one));
        parts.push((part, Who::Members { of: *of, except }));
    }
    let mut left: Vec<Principal> = rest.into_iter().collect();
    while !left.is_empty() {
        let more = left.split_off(left.len().min(LISTED_MAX));
        parts.push((left.into_iter().collect(), Who::Listed));
        left = more;
    }
    parts
}

/// The group that says most of the set with the least taken out.
fn best<'g>(rest: &BTreeSet<Principal>, groups: &'g Groups) -> Option<&'g (GroupId, BTreeSet<Principal>)> {
    let worth = |members: &BTreeSet<Principal>| {
        let meant = members.intersection(rest).count();
        let except = members.len() - meant;
        let short = except <= EXCEPT_MAX && except * 4 <= meant && meant > FEW;
        short.then(|| meant - except)
    };
    let worth = groups.iter().filter_map(|group| worth(&group.1).map(|worth| (worth, group)));
    worth.max_by_key(|(worth, group)| (*worth, group.0)).map(|(_, group)| group)
}

#[cfg(test)]
mod tests {
    use grantbook_domain::id::{Id, UserId};

    use super::*;

    fn people(range: std::ops::Range<u128>) -> BTreeSet<Principal> {
        range.map(|id| Principal::User(UserId::from_u128(id))).collect()
    }

    #[test]
    fn a_group_stands_for_its_members_and_lists_for_the_rest() {
        let groups = [(Id::from_u128(1), people(0..1_000)), (Id::from_u128(2), people(0..5_000))];
        let parts = told(people(3..1_010), &groups);
        let whole: BTreeSet<_> = parts.iter().flat_map(|(part, _)| part).copied().collect();
        assert_eq!(whole, people(3..1_010));
        assert_eq!(parts[0], (people(3..1_000), Who::Members { of: groups[0].0, except: people(0..3) }));
        assert_eq!(parts[1], (people(1_000..1_010), Who::Listed));
        assert_eq!(parts.len(), 2);
    }

    #[test]
    fn few_are_listed_and_many_in_several_lists() {
        let groups = [(Id::from_u128(1), people(0..20))];
        assert_eq!(told(people(0..20), &groups), [(people(0..20), Who::Listed)]);
        let sizes: Vec<_> = told(people(0..1_200), &[]).iter().map(|(part, _)| part.len()).collect();
        assert_eq!(sizes, [500, 500, 200]);
    }
}
