//! Explanations: the whole graph, and every path in order from any place on, at a cost that follows what is shown.

use std::collections::BTreeSet;

use grantbook_domain::{
    access::check::{Question, Reason, Target},
    command::{Command, GrantCommand},
    event::Event,
    id::{GrantId, GroupId},
    model::{Effect, Gives, Membership},
    principal::{Grantee, Principal},
    scope::Scope,
    state::OrgState,
    time::Timestamp,
};
use grantbook_views::{
    Checker, Explanation, GraphPart, Obstacle, PATHS_COUNTED_MAX, Path, PathPlace, Snapshot, Work,
};
use proptest::{collection::vec, prelude::*};

use crate::{
    brute::{self, Chain},
    world::{World, all_except, view_of},
};

/// An explanation with all its paths.
pub(crate) struct Explained {
    pub(crate) explanation: Explanation,
    pub(crate) allows: Vec<Path>,
    pub(crate) denies: Vec<Path>,
}

impl Explained {
    pub(crate) fn of(checker: &mut Checker<'_>, question: &Question<'_>) -> Self {
        let explanation = checker.explain(question).unwrap();
        let [allows, denies] =
            [Effect::Allow, Effect::Deny].map(|effect| paged(checker, &explanation, effect, 1).concat());
        Self { explanation, allows, denies }
    }

    /// Paths, graph, grants and near misses are those of brute force.
    pub(crate) fn agrees(&self, state: &OrgState, question: &Question<'_>, now: Timestamp) {
        let Self { explanation, allows, denies } = self;
        let reason = brute::answer(state, question, now);
        assert_eq!(explanation.reason, reason, "{question:?}");
        let judged =
            matches!(reason, Reason::Granted | Reason::NoGrant | Reason::DeniedByGrant | Reason::KeyNarrowed);
        for (effect, paths) in [(Effect::Allow, allows), (Effect::Deny, denies)] {
            let expected = if judged { brute::paths(state, question, effect, now) } else { Vec::new() };
            assert_eq!(explanation.total(effect), expected.len() as u64);
            assert_eq!(paths.iter().map(chain).collect::<Vec<_>>(), expected, "{question:?} at {now}");
            assert!(paths.iter().all(|path| is_path(state, path)));
        }
        let deciding: Vec<&Path> = allows.iter().chain(denies).collect();
        assert_eq!(edges(&explanation.graph(|_| false)), edges_of(deciding.iter().map(|path| chain(path))));
        let all = if judged { brute::all_chains(state, question) } else { Vec::new() };
        let whole = explanation.graph(|_| true);
        assert_eq!(edges(&whole), edges_of(all.iter().cloned()));
        assert_eq!(whole.memberships.len(), edges(&whole).len(), "each membership once");
        let mut nodes: Vec<Grantee> = whole.nodes.clone();
        nodes.sort_unstable();
        nodes.dedup();
        assert_eq!((nodes.len(), whole.nodes.is_empty()), (whole.nodes.len(), !judged));
        for one in &whole.memberships {
            let membership = &one.step.membership;
            assert_eq!(state.membership(membership.member, membership.group), Some(membership));
            assert_eq!(one.is_over, now >= Timestamp::end(membership.expires_at));
        }
        self.has_grants_of(&all);
        self.misses(&all);
    }

    fn has_grants_of(&self, all: &[Chain]) {
        let grants = &self.explanation.grants;
        let ids: BTreeSet<GrantId> = grants.iter().map(|one| one.grant.id).collect();
        assert_eq!(ids, all.iter().map(|(_, grant)| *grant).collect());
        assert_eq!(ids.len(), grants.len(), "each grant once");
        let deciding = self.allows.iter().chain(&self.denies).map(|path| path.grant.id).collect();
        let applying: BTreeSet<GrantId> =
            grants.iter().filter(|one| one.applies).map(|one| one.grant.id).collect();
        assert_eq!(applying, deciding);
        let roles: BTreeSet<_> = grants.iter().flat_map(|one| one.roles.iter().copied()).collect();
        assert_eq!(roles, self.explanation.roles.keys().copied().collect());
    }

    /// What nearly allows is one shortest path to each allow grant.
    fn misses(&self, all: &[Chain]) {
        let near = self.explanation.near();
        if !self.allows.is_empty() {
            return assert!(near.is_empty());
        }
        let allow = self.explanation.grants.iter().filter(|one| one.grant.effect == Effect::Allow);
        assert_eq!(near.len(), allow.count());
        for index in near {
            let miss = self.explanation.nearest(index).unwrap();
            assert!(!miss.obstacles.is_empty());
            assert!(all.contains(&chain(&miss.path)));
            let found = &self.explanation.grants[index];
            let is_over = miss.obstacles.iter().any(|one| matches!(one, Obstacle::MembershipExpired(_)));
            assert_eq!(is_over, !found.is_reached, "over memberships in force if there are any");
            let lengths =
                all.iter().filter(|(_, grant)| *grant == found.grant.id).map(|(groups, _)| groups.len());
            let shortest = lengths.min().unwrap();
            assert!(found.is_reached || miss.path.via.len() == shortest);
        }
    }
}

/// All paths of one effect, in pages of a size; each page goes on from the bytes of a place.
fn paged(
    checker: &mut Checker<'_>,
    explanation: &Explanation,
    effect: Effect,
    size: usize,
) -> Vec<Vec<Path>> {
    let mut pages = Vec::new();
    let mut begin: Option<Vec<u8>> = None;
    loop {
        let mut last: Option<PathPlace> =
            begin.as_ref().map(|bytes| explanation.decode_place(effect, bytes).unwrap());
        let mut page = Vec::new();
        while page.len() < size {
            let Some(next) = checker.path_after(explanation, effect, last.as_ref()).unwrap() else {
                pages.push(page);
                return pages;
            };
            page.push(explanation.path(effect, &next).unwrap());
            last = Some(next);
        }
        pages.push(page);
        begin = last.map(|place| explanation.encode_place(effect, &place));
    }
}

fn chain(path: &Path) -> Chain {
    (path.via.iter().map(|step| step.membership.group).collect(), path.grant.id)
}

/// The memberships of a part of the graph, as member and group.
fn edges(part: &GraphPart) -> BTreeSet<(Grantee, GroupId)> {
    let pair =
        |one: &grantbook_views::FoundMembership| (one.step.membership.member, one.step.membership.group);
    let found: BTreeSet<(Grantee, GroupId)> = part.memberships.iter().map(pair).collect();
    for (member, group) in &found {
        assert!(part.nodes.contains(member) && part.nodes.contains(&Grantee::Group(*group)));
    }
    // The principal's memberships have the principal as their member, whatever the chains begin with.
    let Some(principal) = part.nodes.first() else { return found };
    found
        .into_iter()
        .map(|(member, group)| (if member == *principal { NOBODY } else { member }, group))
        .collect()
}

/// Stands for the principal that chains begin at.
const NOBODY: Grantee = Grantee::Group(GroupId::from_u128(0));

fn edges_of(chains: impl Iterator<Item = Chain>) -> BTreeSet<(Grantee, GroupId)> {
    let mut found = BTreeSet::new();
    for (groups, _) in chains {
        let mut member = NOBODY;
        for group in groups {
            found.insert((member, group));
            member = Grantee::Group(group);
        }
    }
    found
}

fn is_path(state: &OrgState, path: &Path) -> bool {
    let is_known = path.via.iter().all(|step| {
        state.membership(step.membership.member, step.membership.group) == Some(&step.membership)
    });
    let is_chained =
        path.via.windows(2).all(|two| Grantee::Group(two[0].membership.group) == two[1].membership.member);
    let ends = path.via.last().is_none_or(|step| Grantee::Group(step.membership.group) == path.grant.to);
    is_known && is_chained && ends && state.grant(path.grant.id) == Some(&path.grant)
}

/// A little organization: which memberships of an upper triangle there are and how they end, and which grants.
#[derive(Debug, Clone)]
struct Shape {
    edges: Vec<u8>,
    grants: Vec<(u8, u8, u8, u8)>,
}

const GROUPS: u8 = 6;

fn shapes() -> impl Strategy<Value = Shape> {
    let grants = vec((0..=GROUPS, 0_u8..5, 0_u8..3, 0_u8..4), 1..9);
    (vec(0_u8..5, usize::from(GROUPS * (GROUPS + 1) / 2)), grants)
        .prop_map(|(edges, grants)| Shape { edges, grants })
}

impl Shape {
    fn world(&self) -> (World, Principal) {
        let mut world = World::settled(5);
        let token = Principal::Token(world.create_token("shaped", None));
        let groups: Vec<GroupId> =
            (0..GROUPS).map(|index| world.create_group(&format!("shape {index}"))).collect();
        let mut members = vec![Grantee::from(token)];
        members.extend(groups.iter().map(|group| Grantee::Group(*group)));
        let mut edges = self.edges.iter();
        for (above, group) in groups.iter().enumerate() {
            for member in &members[..=above] {
                let end = match edges.next().unwrap() {
                    0 | 1 => continue,
                    2 => Some(world.now.plus_millis(1)),
                    _ => None,
                };
                world.nested(*member, *group, end);
            }
        }
        let (lead, writer) = (world.role("lead"), world.role("writer"));
        for (to, gives, on, ends) in &self.grants {
            let gives = match gives {
                0 => Gives::Role(lead),
                1 => Gives::Role(writer),
                _ => Gives::Permissions(vec!["update".to_owned()]),
            };
            let (on, effect) = match on {
                0 => (all_except(&[("env", "production")]), Effect::Allow),
                1 => (Scope::Organization, Effect::Allow),
                _ => (Scope::Organization, Effect::Deny),
            };
            let until = (*ends == 0).then(|| world.now.plus_millis(1));
            let (id, to) = (GrantId::from_u128(world.id()), members[usize::from(*to)]);
            let (object_type, reason) = (None, None);
            world.must(Command::Grant(GrantCommand::Create {
                id,
                to,
                gives,
                on,
                effect,
                object_type,
                expires_at: until,
                reason,
            }));
        }
        (world, token)
    }
}

impl World {
    /// Makes somebody a member without asking for limits.
    fn nested(&mut self, member: Grantee, group: GroupId, expires_at: Option<Timestamp>) {
        let membership = Membership { group, member, expires_at, created_at: self.now, ended_at: None };
        self.found_recorded(vec![Event::MemberAdded { membership }]);
    }

    /// A token in a chain of groups, each with a grant.
    fn chained(length: usize) -> (Self, Principal) {
        let mut world = Self::settled(5);
        let token = Principal::Token(world.create_token("deep", None));
        let mut member = Grantee::from(token);
        for index in 0..length {
            let group = world.create_group(&format!("link {index}"));
            world.nested(member, group, None);
            member = Grantee::Group(group);
            world.allow(member, Gives::Permissions(vec!["update".to_owned()]), Scope::Organization);
        }
        (world, token)
    }

    /// A token in each of some groups, each of which is in all later ones; the last has the grant.
    fn dense(count: usize) -> (Self, Principal) {
        let mut world = Self::settled(5);
        let token = Principal::Token(world.create_token("dense", None));
        let mut below = vec![Grantee::from(token)];
        for index in 0..count {
            let group = world.create_group(&format!("nest {index}"));
            for member in &below {
                world.nested(*member, group, None);
            }
            below.push(Grantee::Group(group));
        }
        let last = *below.last().unwrap();
        world.allow(last, Gives::Permissions(vec!["update".to_owned()]), Scope::Organization);
        (world, token)
    }

    fn view(&self) -> Snapshot {
        view_of(&self.records, usize::MAX).reader().snapshot().unwrap()
    }
}

fn ask(principal: Principal, project: &str) -> Question<'_> {
    let object = Target { object_type: "project", id: project, project: None };
    Question { principal: Some(principal), key: None, permission: "update", object }
}

proptest! {
    #![proptest_config(crate::draw::cases(60))]

    #[test]
    fn graph_and_paths_are_those_of_brute_force(shape in shapes()) {
        let (world, token) = shape.world();
        let snapshot = world.view();
        for project in ["dev", "prod-a"] {
            let project = world.project(project).to_string();
            let question = ask(token, &project);
            for now in [world.now, world.now.plus_millis(1)] {
                let mut checker = snapshot.checker(world.org, now).unwrap();
                Explained::of(&mut checker, &question).agrees(&world.state, &question, now);
            }
        }
    }

    #[test]
    fn pages_of_any_size_give_the_same_paths(shape in shapes(), size in 2_usize..7) {
        let (world, token) = shape.world();
        let snapshot = world.view();
        let project = world.project("dev").to_string();
        let mut checker = snapshot.checker(world.org, world.now).unwrap();
        let explanation = checker.explain(&ask(token, &project)).unwrap();
        for effect in [Effect::Allow, Effect::Deny] {
            let all = paged(&mut checker, &explanation, effect, usize::MAX).concat();
            let pages = paged(&mut checker, &explanation, effect, size);
            prop_assert!(pages.iter().rev().skip(1).all(|page| page.len() == size));
            prop_assert_eq!(pages.concat(), all);
        }
    }

    /// Whatever is read, it is a place or it is none.
    #[test]
    fn a_place_is_read_from_its_own_bytes_only(shape in shapes(), bytes in vec(0_u8..4, 0..9)) {
        let (world, token) = shape.world();
        let snapshot = world.view();
        let project = world.project("dev").to_string();
        let mut checker = snapshot.checker(world.org, world.now).unwrap();
        let explanation = checker.explain(&ask(token, &project)).unwrap();
        for effect in [Effect::Allow, Effect::Deny] {
            if let Some(place) = explanation.decode_place(effect, &bytes) {
                prop_assert!(explanation.path(effect, &place).is_ok());
                prop_assert_eq!(explanation.encode_place(effect, &place), bytes.clone());
            }
        }
    }
}

/// What an explanation and its first paths cost, in work units.
fn cost(world: &World, token: Principal, paths: usize) -> (u64, u64, Explanation) {
    let work = Work::limited(Work::LIMIT);
    let snapshot = world.view().metered(&work);
    let project = world.project("dev").to_string();
    let mut checker = snapshot.checker(world.org, world.now).unwrap();
    let explanation = checker.explain(&ask(token, &project)).unwrap();
    let whole = work.spent();
    let mut last = None;
    for _ in 0..paths {
        last = Some(checker.path_after(&explanation, Effect::Allow, last.as_ref()).unwrap().unwrap());
    }
    (whole, work.spent() - whole, explanation)
}

#[test]
fn a_chain_of_groups_with_a_grant_each_costs_what_is_in_it() {
    let [short, long] = [200, 400].map(|length| {
        let (world, token) = World::chained(length);
        let (whole, page, explanation) = cost(&world, token, 20);
        assert_eq!(explanation.total(Effect::Allow), length as u64);
        assert_eq!(explanation.grants.len(), length);
        assert_eq!(explanation.graph(|_| true).memberships.len(), length);
        (whole, page)
    });
    assert!(short.0 > 200 && long.0 <= 2 * short.0 && long.0 <= 400 * 12, "{short:?} {long:?}");
    assert!(long.1 == short.1 && long.1 <= 20 * 20 * 2, "{short:?} {long:?}");
}

#[test]
fn a_dense_nest_costs_no_more_than_its_memberships() {
    const COUNT: u64 = 64;
    let (world, token) = World::dense(64);
    let memberships = COUNT * (COUNT + 1) / 2;
    let (whole, page, explanation) = cost(&world, token, 1000);
    assert_eq!(explanation.total(Effect::Allow), PATHS_COUNTED_MAX, "2^63 paths are not counted");
    assert_eq!(explanation.graph(|_| true).memberships.len() as u64, memberships);
    assert!(whole <= 8 * memberships, "{whole}");
    assert!(page <= 1000 * 3 * COUNT, "{page}");
}

/// The cost of a page does not grow with the number of paths before it.
#[test]
fn a_place_among_exponentially_many_paths_is_gone_on_from_at_once() {
    let (world, token) = World::dense(64);
    let work = Work::limited(Work::LIMIT);
    let snapshot = world.view().metered(&work);
    let project = world.project("dev").to_string();
    let mut checker = snapshot.checker(world.org, world.now).unwrap();
    let explanation = checker.explain(&ask(token, &project)).unwrap();
    // The middle length, wherever there is a choice the second one: more than 2^32 paths are shorter.
    let bytes: Vec<u8> = [32].into_iter().chain([1; 31]).collect();
    let mut last = explanation.decode_place(Effect::Allow, &bytes).unwrap();
    let before = work.spent();
    for _ in 0..100 {
        last = checker.path_after(&explanation, Effect::Allow, Some(&last)).unwrap().unwrap();
        assert_eq!(explanation.path(Effect::Allow, &last).unwrap().via.len(), 32);
        let bytes = explanation.encode_place(Effect::Allow, &last);
        assert!(bytes.len() <= 33, "{bytes:?}");
        assert_eq!(explanation.decode_place(Effect::Allow, &bytes), Some(last.clone()));
    }
    let looked = work.spent() - before;
    assert!(looked <= 100 * 32 * 64, "{looked}");
}

#[test]
fn the_place_of_a_path_through_400_groups_is_short() {
    let (world, token) = World::chained(400);
    let (_, _, explanation) = cost(&world, token, 0);
    let snapshot = world.view();
    let checker = snapshot.checker(world.org, world.now).unwrap();
    let mut last = None;
    while let Some(next) = checker.path_after(&explanation, Effect::Allow, last.as_ref()).unwrap() {
        last = Some(next);
    }
    let last = last.unwrap();
    assert_eq!(explanation.path(Effect::Allow, &last).unwrap().via.len(), 400);
    let bytes = explanation.encode_place(Effect::Allow, &last);
    assert!(bytes.len() <= 2, "there is no choice on a chain: {bytes:?}");
    assert_eq!(explanation.decode_place(Effect::Allow, &bytes), Some(last));
}
