//! Reports as of every position of random histories: line by line what the fold says, and all together its access.

use std::collections::{BTreeMap, BTreeSet};

use grantbook_domain::{
    catalog::Lineage,
    id::{GrantId, GroupId},
    model::{Effect, Grant},
    principal::{Grantee, Principal},
    record::Recorded,
    state::OrgState,
    time::Timestamp,
};
use grantbook_views::{AccessRow, Population, ReportFilter, ReportLine, Snapshot};
use proptest::prelude::*;

use crate::{
    agree::steps,
    brute,
    world::{World, view_of},
};

proptest! {
    #![proptest_config(crate::draw::cases(8))]

    #[test]
    fn at_every_position_a_report_is_what_the_fold_says(steps in steps(10..40)) {
        let world = World::lived(5, &steps);
        let settled = World::settled(5).records.len() - 1;
        let present = view_of(&world.records, usize::MAX).reader().snapshot().unwrap();
        let mut state = OrgState::default();
        for (at, Recorded { position, record, .. }) in world.records.iter().enumerate() {
            state.apply_record(record);
            if at < settled {
                continue;
            }
            let snapshot = present.as_of(*position);
            for now in brute::instants(&state, record.at) {
                let then = Then { world: &world, state: &state, snapshot: &snapshot, now };
                prop_assert_eq!(snapshot.population(world.org, now).unwrap(), then.population(record.ordinal));
                then.lines();
                then.filtered();
            }
        }
    }
}

struct Then<'a> {
    world: &'a World,
    state: &'a OrgState,
    snapshot: &'a Snapshot,
    now: Timestamp,
}

impl Then<'_> {
    fn report(&self, filter: &ReportFilter) -> Vec<(Principal, ReportLine)> {
        let mut report = self.snapshot.report(self.world.org, self.now, filter.clone()).unwrap();
        let all = self.snapshot.principals(self.world.org, None, 10_000).unwrap();
        all.into_iter()
            .flat_map(|who| report.of(who).unwrap().into_iter().map(move |line| (who, line)))
            .collect()
    }

    /// Every line by itself, none missing, and all together what may be done.
    fn lines(&self) {
        let lines = self.report(&ReportFilter::default());
        let mut by_principal: BTreeMap<Principal, Vec<&ReportLine>> = BTreeMap::new();
        for (who, line) in &lines {
            by_principal.entry(*who).or_default().push(line);
        }
        for who in brute::principals(self.state) {
            let lines = by_principal.remove(&who).unwrap_or_default();
            let found: Vec<_> = lines.iter().map(|line| (line.grant, line.gift.rows.clone())).collect();
            let expected = self.expected(who);
            assert_eq!(found.len(), expected.len(), "{who:?} has each grant once");
            assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), expected, "{who:?} at {}", self.now);
            for line in &lines {
                self.way(who, line);
            }
            self.add_up(who, &lines);
        }
        assert!(by_principal.is_empty(), "nobody is made up: {by_principal:?}");
    }

    /// Allow grants that reach somebody, with what each gives beside all denies.
    fn expected(&self, who: Principal) -> BTreeMap<GrantId, Vec<AccessRow>> {
        let reaching = self.state.grants_reaching(who, self.now).unwrap_or_default();
        let (allows, denies): (Vec<&Grant>, Vec<&Grant>) =
            reaching.into_iter().partition(|grant| grant.effect == Effect::Allow);
        let gives = |grant| self.state.survey(&[vec![grant], denies.clone()].concat());
        allows
            .into_iter()
            .map(|grant| (grant.id, gives(grant)))
            .filter(|(_, rows)| !rows.is_empty())
            .collect()
    }

    /// The memberships are there, lead to the grantee, and there is no shorter way; its end is the first of theirs.
    fn way(&self, who: Principal, line: &ReportLine) {
        let grant = self.state.grant(line.grant).unwrap();
        assert_eq!(line.to, grant.to);
        let mut at = Grantee::from(who);
        let mut ends = vec![Timestamp::end(grant.expires_at)];
        if let Principal::Token(id) = who {
            ends.push(Timestamp::end(self.state.token(id).unwrap().expires_at));
        }
        for step in line.via() {
            assert_eq!(step.membership.member, at);
            assert_eq!(self.state.membership(at, step.membership.group), Some(&step.membership));
            ends.push(Timestamp::end(step.membership.expires_at));
            at = Grantee::Group(step.membership.group);
        }
        assert_eq!(at, grant.to);
        assert_eq!(line.via().count(), self.distance(who.into(), at).unwrap());
        assert_eq!(line.until.unwrap_or(Timestamp::FOREVER), ends.into_iter().min().unwrap());
        assert!(self.now < line.until.unwrap_or(Timestamp::FOREVER));
    }

    fn distance(&self, from: Grantee, to: Grantee) -> Option<usize> {
        let (mut reached, mut steps) = (BTreeSet::from([from]), 0);
        while !reached.contains(&to) {
            let before = reached.len();
            let above = reached.iter().flat_map(|one| self.state.memberships_of(*one));
            let above = above.filter(|one| {
                self.now < Timestamp::end(one.expires_at)
                    && self.state.group(one.group).is_some_and(|group| group.ended_at.is_none())
            });
            let above: Vec<_> = above.map(|one| Grantee::Group(one.group)).collect();
            reached.extend(above);
            steps += 1;
            if reached.len() == before {
                return None;
            }
        }
        Some(steps)
    }

    /// Something is allowed iff a line gives it.
    fn add_up(&self, who: Principal, lines: &[&ReportLine]) {
        let catalog = self.state.catalog();
        for target in brute::targets(self.state, self.world.org) {
            let Ok(located) = self.state.locate(target.target()) else { continue };
            let in_project =
                matches!(catalog.lineage(located.object_type), Lineage::Project | Lineage::InProject);
            let type_name = catalog.type_name(located.object_type);
            for permission in catalog.all_permissions() {
                let name = catalog.permission_name(permission);
                let given = |line: &&ReportLine| {
                    brute::holds(&line.gift.rows, (name, type_name), &located, in_project)
                };
                let expected = self.state.active_principal(who, self.now).is_ok()
                    && self.state.decide_by_grants(who, permission, &located, self.now).is_ok();
                assert_eq!(lines.iter().any(given), expected, "{who:?} {name} {target:?} at {}", self.now);
            }
        }
    }

    /// Filters leave the lines that they say, and of these the parts that they say.
    fn filtered(&self) {
        let all = self.report(&ReportFilter::default());
        let by_permission = ReportFilter { permission: Some("update".to_owned()), ..ReportFilter::default() };
        let expected = cut(&all, |row| row.permission == "update");
        assert_eq!(parts(&self.report(&by_permission)), expected);
        for project in self.state.projects().filter(|one| one.ended_at.is_none()) {
            let filter = ReportFilter { project: Some(project.id), ..ReportFilter::default() };
            let here = |row: &AccessRow| {
                let catalog = self.state.catalog();
                let kinds = row.types.iter().map(|name| catalog.lineage(catalog.object_type(name).unwrap()));
                let general = row.projects.has(project.id)
                    && kinds.into_iter().any(|kind| matches!(kind, Lineage::Project | Lineage::InProject));
                general || row.objects.iter().any(|one| self.home(one) == Some(project.id))
            };
            assert_eq!(parts(&self.report(&filter)), cut(&all, here), "{}", project.name);
        }
        for group in self.state.groups().map(|group| group.id) {
            self.through(group, &all);
        }
    }

    fn home(&self, object: &grantbook_domain::scope::ObjectRef) -> Option<grantbook_domain::id::ProjectId> {
        let target = grantbook_domain::access::check::Target {
            object_type: &object.object_type,
            id: &object.id,
            project: None,
        };
        self.state.locate(target).ok()?.project
    }

    fn through(&self, group: GroupId, all: &[(Principal, ReportLine)]) {
        let filter = ReportFilter { group: Some(group), ..ReportFilter::default() };
        let found = self.report(&filter);
        for (_, line) in &found {
            assert!(line.via().any(|step| step.membership.group == group));
        }
        let by_group = |who: Principal, to: Grantee| {
            self.distance(who.into(), Grantee::Group(group)).is_some()
                && self.distance(Grantee::Group(group), to).is_some()
        };
        let expected: BTreeSet<_> = all
            .iter()
            .filter(|(who, line)| by_group(*who, line.to))
            .map(|(who, line)| (*who, line.grant))
            .collect();
        assert_eq!(found.len(), expected.len());
        assert_eq!(found.iter().map(|(who, line)| (*who, line.grant)).collect::<BTreeSet<_>>(), expected);
    }

    fn population(&self, records: u64) -> Population {
        let state = self.state;
        let over = |at: Option<Timestamp>| self.now >= Timestamp::end(at);
        let (users, users_ended): (Vec<_>, Vec<_>) = state.users().partition(|one| one.ended_at.is_none());
        let (tokens_ended, tokens): (Vec<_>, Vec<_>) =
            state.tokens().partition(|one| one.ended_at.is_some() || over(one.expires_at));
        let (grants_ended, grants): (Vec<_>, Vec<_>) =
            state.grants().partition(|one| one.ended_at.is_some() || over(one.expires_at));
        let count = |length: usize| u64::try_from(length).unwrap();
        Population {
            users: count(users.len()),
            users_ended: count(users_ended.len()),
            tokens: count(tokens.len()),
            tokens_ended: count(tokens_ended.len()),
            groups: count(state.groups().filter(|one| one.ended_at.is_none()).count()),
            projects: count(state.projects().filter(|one| one.ended_at.is_none()).count()),
            grants: count(grants.len()),
            grants_ended: count(grants_ended.len()),
            records,
        }
    }
}

type Parts = BTreeMap<(Principal, GrantId), Vec<AccessRow>>;

fn parts(lines: &[(Principal, ReportLine)]) -> Parts {
    lines.iter().map(|(who, line)| ((*who, line.grant), line.gift.rows.clone())).collect()
}

/// The parts of the lines that meet a condition; lines of which nothing is left are not there.
fn cut(lines: &[(Principal, ReportLine)], keep: impl Fn(&AccessRow) -> bool) -> Parts {
    let mut parts = parts(lines);
    for rows in parts.values_mut() {
        rows.retain(&keep);
    }
    parts.retain(|_, rows| !rows.is_empty());
    parts
}
