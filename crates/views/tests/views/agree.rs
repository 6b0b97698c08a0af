//! After every record the view answers everything like the domain's fold.

use std::collections::BTreeMap;

use grantbook_domain::{
    access::check::Reason,
    catalog::Lineage,
    model::{Grant, Key},
    position::Position,
    principal::{Caller, Grantee, Principal},
    scope::Scope,
    state::OrgState,
    time::Timestamp,
};
use grantbook_views::{
    EffectiveAccess, GrantFilter, ListCursor, Listing, ObjectFilter, Page, Snapshot, ViewError,
};
use proptest::{collection::vec, prelude::*};

use crate::{
    brute::{self, Named},
    questions::explain::Explained,
    world::{Step, World, apply, frames, view_of},
};

pub(crate) fn steps(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    vec(any::<Step>(), count)
}

proptest! {
    #![proptest_config(crate::draw::cases(10))]

    #[test]
    fn after_every_record_the_view_answers_like_the_fold(steps in steps(10..40)) {
        walk(&World::lived(5, &steps), Asked::Checks);
    }

    #[test]
    fn after_every_record_explanations_sets_and_lists_are_those_of_the_fold(steps in steps(10..40)) {
        walk(&World::lived(5, &steps), Asked::Rest);
    }

    #[test]
    fn a_rebuilt_view_has_the_content_of_the_incremental_one(steps in steps(10..60)) {
        let mut world = World::settled(5);
        world.shares_frames = true;
        let world = world.living(&steps);
        let digest = |size| {
            let snapshot = view_of(&world.records, size).reader().snapshot().unwrap();
            snapshot.scrub(|_| true).unwrap();
            snapshot.digest(None).unwrap()
        };
        let one_by_one = digest(1);
        prop_assert_eq!(one_by_one, digest(7));
        prop_assert_eq!(one_by_one, digest(usize::MAX));
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Checks,
    Rest,
}

/// Applies a history frame by frame and asks everything after each.
fn walk(world: &World, asked: Asked) {
    let mut writer = view_of(&World::settled(2).records[..1], 1);
    let stranger = World::settled(2).records[0].clone();
    let mut state = OrgState::default();
    let mut past: Vec<(Position, OrgState)> = Vec::new();
    // The settling itself is the same in every case: ask from its end on.
    let settled = World::settled(5).records.len() - 1;
    for records in frames(&world.records, 1) {
        apply(&mut writer, records);
        for recorded in records {
            state.apply_record(&recorded.record);
        }
        let last = records.last().unwrap();
        let snapshot = writer.reader().snapshot().unwrap();
        assert_eq!(snapshot.position(world.org).unwrap(), last.position);
        assert_eq!(snapshot.position(stranger.org).unwrap(), stranger.position);
        past.push((last.position, state.clone()));
        if usize::try_from(last.record.ordinal).unwrap() <= settled {
            continue;
        }
        let all = All { world, state: &state, snapshot: &snapshot, now: last.record.at };
        match asked {
            Asked::Checks => all.checks(last.record.ordinal),
            Asked::Rest => {
                all.explanations(last.record.ordinal);
                all.access();
                all.documents();
                all.grants_seen();
                all.keys_of_concern();
            }
        }
    }
    if asked == Asked::Rest {
        let snapshot = writer.reader().snapshot().unwrap();
        for (position, state) in &past[settled - 1..] {
            let all = All { world, state, snapshot: &snapshot, now: world.now };
            all.lists(*position);
        }
    }
}

/// Everything there is to ask at one position.
pub(crate) struct All<'a> {
    pub(crate) world: &'a World,
    pub(crate) state: &'a OrgState,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) now: Timestamp,
}

impl All<'_> {
    pub(crate) fn checks(&self, ordinal: u64) {
        let (permissions, targets) =
            (brute::permissions(self.state), brute::targets(self.state, self.world.org));
        for (index, now) in brute::instants(self.state, self.now).into_iter().enumerate() {
            // At the record's instant everything; later, where only expiries differ, two permissions in turn.
            let turn = usize::try_from(ordinal).unwrap() + index;
            let some = [permissions[turn % permissions.len()].clone(), permissions[1].clone()];
            let permissions: &[String] = if index == 0 { &permissions } else { &some };
            let mut checker = self.snapshot.checker(self.world.org, now).unwrap();
            for question in brute::questions(self.state, permissions, &targets) {
                let expected = brute::answer(self.state, &question, now);
                assert_eq!(checker.check(&question).unwrap(), expected, "{question:?} at {now}");
            }
        }
    }

    fn keys_of_concern(&self) {
        let mut checker = self.snapshot.checker(self.world.org, self.now).unwrap();
        for principal in brute::principals(self.state) {
            let expected = self.state.keys_of_concern(principal, self.now);
            assert_eq!(checker.keys_of_concern(principal).unwrap(), expected, "{principal:?}");
        }
    }

    pub(crate) fn explanations(&self, ordinal: u64) {
        let (permissions, targets) =
            (brute::permissions(self.state), brute::targets(self.state, self.world.org));
        let every = 23;
        let skip = usize::try_from(ordinal).unwrap() % every;
        for now in brute::instants(self.state, self.now) {
            let mut checker = self.snapshot.checker(self.world.org, now).unwrap();
            for question in
                brute::questions(self.state, &permissions, &targets).into_iter().skip(skip).step_by(every)
            {
                let explained = Explained::of(&mut checker, &question);
                explained.agrees(self.state, &question, now);
            }
        }
    }

    pub(crate) fn access(&self) {
        for now in brute::instants(self.state, self.now) {
            for principal in brute::principals(self.state) {
                let access = self.snapshot.access(self.world.org, principal, now).unwrap();
                let active = self.state.active_principal(principal, now);
                assert_eq!(access.reason, active.err().unwrap_or(Reason::Granted));
                assert_eq!(access, self.state.access(principal, now), "the fold surveys the same");
                for target in brute::targets(self.state, self.world.org) {
                    self.access_to(&access, principal, &target, now);
                }
            }
        }
    }

    fn access_to(&self, access: &EffectiveAccess, principal: Principal, target: &Named, now: Timestamp) {
        let Ok(located) = self.state.locate(target.target()) else { return };
        let catalog = self.state.catalog();
        let in_project =
            matches!(catalog.lineage(located.object_type), Lineage::Project | Lineage::InProject);
        for permission in catalog.all_permissions() {
            let expected = self.state.decide_by_grants(principal, permission, &located, now).is_ok();
            let name = catalog.permission_name(permission);
            let type_name = catalog.type_name(located.object_type);
            let found = brute::holds(&access.rows, (name, type_name), &located, in_project);
            assert_eq!(found, expected, "{principal:?} {name} {target:?} {access:?}");
        }
    }

    pub(crate) fn documents(&self) {
        let org = self.world.org;
        self.state
            .users()
            .for_each(|one| assert_eq!(self.snapshot.get(org, &one.id).unwrap().as_ref(), Some(one)));
        self.state
            .tokens()
            .for_each(|one| assert_eq!(self.snapshot.get(org, &one.id).unwrap().as_ref(), Some(one)));
        self.state
            .keys()
            .for_each(|one| assert_eq!(self.snapshot.get(org, &one.id).unwrap().as_ref(), Some(one)));
        self.state
            .groups()
            .for_each(|one| assert_eq!(self.snapshot.get(org, &one.id).unwrap().as_ref(), Some(one)));
        self.state
            .roles()
            .for_each(|one| assert_eq!(self.snapshot.get(org, &one.id).unwrap().as_ref(), Some(one)));
        self.state
            .projects()
            .for_each(|one| assert_eq!(self.snapshot.get(org, &one.id).unwrap().as_ref(), Some(one)));
        self.state
            .grants()
            .for_each(|one| assert_eq!(self.snapshot.get(org, &one.id).unwrap().as_ref(), Some(one)));
        self.state
            .objects()
            .for_each(|one| assert_eq!(self.snapshot.get(org, &one.object).unwrap().as_ref(), Some(one)));
        assert_eq!(self.snapshot.catalog(org).unwrap().as_ref(), self.state.catalog());
        for key in self.state.keys() {
            let expected = self.state.active_key(key.id, self.now).map(|_| key.principal);
            let expected = expected
                .and_then(|principal| self.state.active_principal(principal, self.now).map(|_| principal));
            let found = self.snapshot.authenticate(key.id, &key.hash, self.now).unwrap();
            assert_eq!(found.map(|found| found.caller.principal), expected);
        }
    }

    pub(crate) fn grants_seen(&self) {
        let callers = self.state.keys().filter(|key| self.state.active_key(key.id, self.now).is_ok());
        let callers = callers.map(|key| Caller { principal: key.principal, key: Some(key.id) });
        for caller in callers.collect::<Vec<_>>() {
            let holdings = self.state.holdings(caller, self.now);
            for grant in self.state.grants() {
                let expected = self.state.on_ground(|ground| holdings.sees_grant(ground, grant));
                let found = self.snapshot.may_read_grant(self.world.org, caller, grant, self.now).unwrap();
                assert_eq!(found, expected, "{caller:?} {grant:?}");
            }
        }
    }

    /// Every list, page by page, as of a position that may lie far back.
    pub(crate) fn lists(&self, at: Position) {
        let (org, snapshot, state) = (self.world.org, self.snapshot, self.state);
        let users = state.users().filter(|one| one.ended_at.is_none());
        assert_eq!(
            paged(at, |listing| snapshot.users(org, listing)),
            sorted(users, |one| (one.created_at, one.id))
        );
        let tokens = state.tokens().filter(|one| one.ended_at.is_none());
        assert_eq!(
            paged(at, |listing| snapshot.tokens(org, listing)),
            sorted(tokens, |one| (one.created_at, one.id))
        );
        let groups = state.groups().filter(|one| one.ended_at.is_none());
        assert_eq!(
            paged(at, |listing| snapshot.groups(org, listing)),
            sorted(groups, |one| (one.created_at, one.id))
        );
        let roles = state.roles().filter(|one| one.ended_at.is_none());
        assert_eq!(
            paged(at, |listing| snapshot.roles(org, listing)),
            sorted(roles, |one| (one.created_at, one.id))
        );
        let projects = || state.projects().filter(|one| one.ended_at.is_none());
        assert_eq!(
            paged(at, |listing| snapshot.projects(org, listing)),
            sorted(projects(), |one| (one.created_at, one.id))
        );
        for name in ["prod-a", "prod-b", "stage-a", "dev", "nobody"] {
            let named = projects().filter(|one| one.name == name);
            let found =
                paged(at, |listing| snapshot.projects(org, &Listing { name: Some(name), ..*listing }));
            assert_eq!(found, sorted(named, |one| (one.created_at, one.id)), "{name} at {at}");
        }
        for object_type in ["dataset", "team", "note"] {
            let every = ObjectFilter::of_type(object_type);
            let named = ["name 0", "name 1", "nobody"].map(|name| ObjectFilter { name: Some(name), ..every });
            let projects = state.projects().map(|one| ObjectFilter { project: Some(one.id), ..every });
            let both = state.projects().map(|one| ObjectFilter { project: Some(one.id), ..named[0] });
            for filter in std::iter::once(every).chain(named).chain(projects).chain(both) {
                let living = state.objects().filter(|one| {
                    one.object.object_type == object_type
                        && one.ended_at.is_none()
                        && one.object.project.is_none_or(|id| state.living_project(id).is_some())
                        && filter.project.is_none_or(|id| one.object.project == Some(id))
                        && filter.name.is_none_or(|name| one.name.as_deref() == Some(name))
                });
                let found = paged(at, |listing| snapshot.objects(org, &filter, listing));
                assert_eq!(found, sorted(living, |one| (one.created_at, one.object.clone())), "{filter:?}");
            }
        }
        self.lists_of_relations(at);
    }

    fn lists_of_relations(&self, at: Position) {
        let (org, snapshot, state) = (self.world.org, self.snapshot, self.state);
        let lives = |grantee: Grantee| match grantee {
            Grantee::User(id) => state.user(id).is_some_and(|one| one.ended_at.is_none()),
            Grantee::Token(id) => state.token(id).is_some_and(|one| one.ended_at.is_none()),
            Grantee::Group(id) => state.group(id).is_some_and(|one| one.ended_at.is_none()),
        };
        for principal in brute::principals(state) {
            let living = |key: &&Key| key.ended_at.is_none() && lives(key.principal.into());
            let found = paged(at, |listing| snapshot.keys_of(org, principal, listing));
            assert_eq!(
                found,
                sorted(state.keys_of(principal).filter(living), |one| (one.created_at, one.id))
            );
        }
        for group in state.groups() {
            let living =
                state.members_of(group.id).filter(|one| lives(one.member) && group.ended_at.is_none());
            let found = paged(at, |listing| snapshot.members_of(org, group.id, listing));
            let id = |grantee: Grantee| match grantee {
                Grantee::User(id) => id.bytes(),
                Grantee::Token(id) => id.bytes(),
                Grantee::Group(id) => id.bytes(),
            };
            assert_eq!(found, sorted(living, |one| (one.created_at, id(one.member))), "at {at}");
        }
        let stands = |grant: &Grant| {
            let on = match &grant.on {
                Scope::Object(_) => {
                    state.grant_in_force(&Grant { expires_at: None, ..grant.clone() }, self.now)
                }
                Scope::Organization | Scope::Projects(_) => true,
            };
            grant.ended_at.is_none() && lives(grant.to) && on
        };
        let grants = |takes: &dyn Fn(&Grant) -> bool| {
            sorted(state.grants().filter(|one| stands(one) && takes(one)), |one| (one.created_at, one.id))
        };
        let found = |filter: GrantFilter| paged(at, |listing| snapshot.grants(org, &filter, listing));
        assert_eq!(found(GrantFilter::default()), grants(&|_| true), "at {at}");
        for role in state.roles().map(|role| role.id) {
            let of_role = |grant: &Grant| grant.gives == grantbook_domain::model::Gives::Role(role);
            assert_eq!(found(GrantFilter { role: Some(role), ..GrantFilter::default() }), grants(&of_role));
        }
        for to in state.groups().map(|group| Grantee::Group(group.id)) {
            assert_eq!(
                found(GrantFilter { to: Some(to), ..GrantFilter::default() }),
                grants(&|grant| grant.to == to)
            );
        }
    }
}

/// All pages of a list, two items each.
fn paged<T>(at: Position, list: impl Fn(&Listing<'_>) -> Result<Page<T>, ViewError>) -> Vec<T> {
    let mut items = Vec::new();
    let mut after: Option<ListCursor> = None;
    loop {
        let page = list(&Listing { at, after: after.as_ref(), name: None, limit: 2 }).unwrap();
        assert!(page.items.len() <= 2);
        if let Some(next) = &page.next {
            assert_eq!(page.items.len(), 2);
            assert_eq!(&page.items[1].cursor, next);
        }
        items.extend(page.items.into_iter().map(|listed| listed.thing));
        match page.next {
            Some(next) => after = Some(next),
            None => return items,
        }
    }
}

fn sorted<'a, T: Clone + 'a, K: Ord>(things: impl Iterator<Item = &'a T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let by_key: BTreeMap<K, T> = things.map(|thing| (key(thing), thing.clone())).collect();
    by_key.into_values().collect()
}
