//! What was gained and lost is the difference of what was held, and the steps of a timeline add up.

use std::{collections::BTreeSet, rc::Rc};

use grantbook_domain::{
    access::check::Target,
    catalog::Lineage,
    command::{Command, Expiry, MemberCommand},
    position::Position,
    principal::{Grantee, Principal},
    record::Recorded,
    scope::ObjectRef,
    state::OrgState,
    time::Timestamp,
};
use grantbook_views::{
    AccessChange, AccessRow, AccessStep, Comparison, Moment, ReportFilter, Snapshot, Timeline, TimelinePart,
};
use proptest::prelude::*;

use crate::{
    agree::steps,
    brute::{self, Named},
    world::{Step, World, view_of},
};

proptest! {
    #![proptest_config(crate::draw::cases(6))]

    #[test]
    fn what_changed_between_two_moments_is_the_difference_of_the_folds(steps in steps(10..40)) {
        let past = Past::of(&steps);
        past.compare(&past.moments[0], &past.moments[past.settled]);
        let lived = &past.moments[past.settled..];
        for (index, from) in lived.iter().enumerate().step_by(4) {
            for to in lived[index..].iter().step_by(5) {
                past.compare(from, to);
            }
        }
    }

}

proptest! {
    #![proptest_config(crate::draw::cases(20))]

    #[test]
    fn the_steps_of_a_timeline_add_up_and_miss_nothing(steps in steps(10..40)) {
        let past = Past::of(&steps);
        for principal in brute::principals(&past.world.state) {
            past.follow(principal);
        }
    }
}

/// A history with the state after each of its records.
struct Past {
    world: World,
    snapshot: Snapshot,
    moments: Vec<(Moment, OrgState)>,
    /// How many records every history begins with.
    settled: usize,
}

/// What somebody holds, one by one: a permission on something.
type Held = BTreeSet<(String, Named)>;

impl Past {
    fn of(steps: &[Step]) -> Self {
        let settled = World::settled(5).records.len();
        let world = World::lived(5, steps);
        let snapshot = view_of(&world.records, usize::MAX).reader().snapshot().unwrap();
        let before = Moment { position: Position::START, at: Timestamp::from_millis(i64::MIN) };
        let mut moments = vec![(before, OrgState::default())];
        let mut state = OrgState::default();
        for Recorded { position, record, .. } in &world.records {
            state.apply_record(record);
            moments.push((Moment { position: *position, at: record.at }, state.clone()));
        }
        Self { world, snapshot, moments, settled }
    }

    fn compare(&self, (from, old): &(Moment, OrgState), (to, new): &(Moment, OrgState)) {
        let org = self.world.org;
        let (then, now) = (self.snapshot.as_of(from.position), self.snapshot.as_of(to.position));
        let sides = ((&then, from.at), (&now, to.at));
        let mut all = Comparison::between(org, sides.0, sides.1, None).unwrap();
        let project = new.projects().chain(old.projects()).next().map(|project| project.id);
        let mut within = Comparison::between(org, sides.0, sides.1, project).unwrap();
        for principal in brute::principals(&self.world.state) {
            let change = all.of(principal).unwrap();
            let cut = within.of(principal).unwrap();
            for target in brute::targets(new, org).into_iter().chain(brute::targets(old, org)) {
                for permission in new.catalog().permissions() {
                    let held = |state: &OrgState, at| may(state, principal, permission, target.target(), at);
                    let (before, after) = (held(old, from.at), held(new, to.at));
                    let told = |rows: &[AccessRow], state| has(state, rows, permission, &target);
                    let context =
                        || format!("{principal:?} {permission} {target:?} {from:?} {to:?} {change:?}");
                    let (gained, lost) = (told(&change.gained, new), told(&change.lost, old));
                    if let Some(expected) = differs(old, new, &target, (before, after)) {
                        assert_eq!(gained, expected, "gained {}", context());
                    }
                    if let Some(expected) = differs(new, old, &target, (after, before)) {
                        assert_eq!(lost, expected, "lost {}", context());
                    }
                    let home =
                        |state: &OrgState| state.locate(target.target()).ok().and_then(|at| at.project);
                    let ours = |state| project.is_some() && home(state) == project;
                    assert_eq!(told(&cut.gained, new), gained && ours(new), "within {}", context());
                    assert_eq!(told(&cut.lost, old), lost && ours(old), "within {}", context());
                }
            }
        }
    }

    /// Applies the steps, and holds the sum against the fold at every moment, also just before each record.
    fn follow(&self, principal: Principal) {
        let org = self.world.org;
        let (first, last) = (self.moments[0].0, self.moments[self.moments.len() - 1].0);
        let end = Moment { at: last.at.plus_millis(20_000), ..last };
        let whole = self.snapshot.timeline(org, principal, &TimelinePart::whole(first, end)).unwrap();
        assert_eq!(whole.next, None);
        let steps = whole.steps;
        for part in parts(first, end) {
            let pages = paged(part, |part| self.snapshot.timeline(org, principal, part).unwrap());
            assert_eq!(pages, steps, "{part:?}");
        }
        let mut steps = steps.into_iter().peekable();
        let mut held = Held::new();
        for (index, (moment, state)) in self.moments.iter().enumerate() {
            let next = self.moments.get(index + 1).map(|(next, _)| *next);
            let until = next.map_or(end.at, |next| next.at.plus_millis(-1));
            let around = brute::instants(state, moment.at).into_iter().chain([until]);
            let mut instants: Vec<_> = around.filter(|at| moment.at < *at && *at <= until).collect();
            instants.push(moment.at);
            instants.sort();
            for at in instants {
                let here = Moment { position: moment.position, at };
                while let Some(step) =
                    steps.next_if(|step| (step.moment.position, step.moment.at) <= (here.position, at))
                {
                    let (who, change) = &step.changes[0];
                    assert_eq!((*who, step.changes.len()), (principal, 1));
                    assert!(!step.causes.is_empty() && !change.is_empty());
                    assert!(step.by_time || step.causes == [step.moment.position]);
                    assert!(step.causes.iter().all(|cause| *cause <= step.moment.position));
                    held.retain(|(permission, target)| !has(state, &change.lost, permission, target));
                    for (permission, target) in self.everything(state) {
                        if has(state, &change.gained, &permission, &target) {
                            held.insert((permission, target));
                        }
                    }
                }
                let expected: Held = self
                    .everything(state)
                    .into_iter()
                    .filter(|(permission, target)| may(state, principal, permission, target.target(), at))
                    .collect();
                let living: Held = held
                    .iter()
                    .filter(|(_, target)| state.locate(target.target()).is_ok())
                    .cloned()
                    .collect();
                let record = self.snapshot.record(org, moment.position).unwrap();
                assert_eq!(living, expected, "{principal:?} at {here:?} after {record:?}");
                held = living;
            }
        }
        assert!(steps.next().is_none(), "no step is beyond the end");
    }

    /// Every permission on every project, and on something of each type in it.
    fn everything(&self, state: &OrgState) -> Vec<(String, Named)> {
        let mut found = Vec::new();
        for permission in state.catalog().permissions() {
            for target in brute::targets(state, self.world.org) {
                let free = target.object.object_type == "project" || target.object.id == "free";
                if free && state.locate(target.target()).is_ok() {
                    found.push((permission.clone(), target));
                }
            }
        }
        found
    }
}

/// Whether something is held at one side and not at the other; none where the sides say nothing of it: what lies in no
/// project, or is registered, and is there at one side only.
fn differs(there: &OrgState, here: &OrgState, target: &Named, (before, after): (bool, bool)) -> Option<bool> {
    let located = here.locate(target.target()).ok()?;
    let lineage = here.catalog().lineage(located.object_type);
    if lineage == Lineage::InProject && target.project.is_none() {
        // Which object that is may differ between the two.
        return None;
    }
    let by_project = lineage == Lineage::Project || target.object.id == "free";
    let comparable = by_project || there.locate(target.target()).is_ok();
    comparable.then_some(after && !before)
}

fn may(state: &OrgState, principal: Principal, permission: &str, target: Target<'_>, at: Timestamp) -> bool {
    let Ok(located) = state.locate(target) else { return false };
    let Some(permission) = state.catalog().permission(permission) else { return false };
    state.active_principal(principal, at).is_ok()
        && state.decide_by_grants(principal, permission, &located, at).is_ok()
}

/// Whether rows have an object that is there.
fn has(state: &OrgState, rows: &[AccessRow], permission: &str, target: &Named) -> bool {
    let Ok(located) = state.locate(target.target()) else { return false };
    let lineage = state.catalog().lineage(located.object_type);
    let in_project = matches!(lineage, Lineage::Project | Lineage::InProject);
    let ObjectRef { object_type, .. } = &located.object;
    rows.iter().any(|row| {
        let general = match located.project.filter(|_| in_project) {
            Some(project) => row.projects.has(project),
            None => row.organization,
        };
        row.permission == permission
            && row.types.contains(object_type)
            && (row.objects.contains(&located.object) || (general && !row.except.contains(&located.object)))
    })
}

proptest! {
    #![proptest_config(crate::draw::cases(10))]

    #[test]
    fn a_projects_timeline_has_what_changed_for_everybody_at_every_moment(steps in steps(10..40)) {
        let past = Past::of(&steps);
        let turns = past.turns();
        for project in past.world.state.projects().map(|project| project.id) {
            past.follow_project(project, &turns);
        }
    }
}

impl Past {
    /// Every moment at which anything may have changed: after each record, and when a time passes.
    fn turns(&self) -> Vec<Moment> {
        let mut expiries = BTreeSet::new();
        for (_, state) in &self.moments {
            expiries.extend(state.tokens().filter_map(|token| token.expires_at));
            expiries.extend(state.grants().filter_map(|grant| grant.expires_at));
            let groups = state.groups().flat_map(|group| state.members_of(group.id));
            expiries.extend(groups.filter_map(|membership| membership.expires_at));
        }
        let mut turns: Vec<Moment> = self.moments.iter().map(|(moment, _)| *moment).collect();
        for at in expiries {
            let place = turns.iter().rposition(|turn| turn.at < at).unwrap();
            let position = turns[place].position;
            turns.insert(place + 1, Moment { position, at });
        }
        turns
    }

    fn follow_project(&self, project: grantbook_domain::id::ProjectId, turns: &[Moment]) {
        let org = self.world.org;
        let mut expected = Vec::new();
        for pair in turns.windows(2) {
            let (then, now) = (self.snapshot.as_of(pair[0].position), self.snapshot.as_of(pair[1].position));
            let sides = ((&then, pair[0].at), (&now, pair[1].at));
            let mut comparison = Comparison::between(org, sides.0, sides.1, Some(project)).unwrap();
            let mut changes = Vec::new();
            for principal in self.snapshot.principals(org, None, usize::MAX).unwrap() {
                let change = comparison.of(principal).unwrap();
                if !change.is_empty() {
                    changes.push((principal, change));
                }
            }
            if !changes.is_empty() {
                changes.sort_by_key(|(principal, _)| *principal);
                expected.push((pair[1], changes));
            }
        }
        let span = (turns[0], turns[turns.len() - 1]);
        for part in parts(span.0, span.1) {
            let mut found = Vec::new();
            for step in paged(part, |part| self.snapshot.project_timeline(org, project, part).unwrap()) {
                assert!(
                    !step.causes.is_empty() && step.causes.iter().all(|cause| *cause <= step.moment.position)
                );
                assert!(step.by_time || step.causes == [step.moment.position]);
                found.push((step.moment, step.changes));
            }
            assert_eq!(found, expected, "{project} {part:?}");
        }
    }
}

/// The work is that of a class of principals, however many there are.
#[test]
fn who_is_in_the_same_groups_is_worked_out_once() {
    let mut world = World::settled(5);
    let before = world.records.last().unwrap().position;
    let group = world.group("low");
    for number in 0..40 {
        let name = format!("t{number}");
        world.create_token(&name, None);
        let member = Grantee::Token(world.token(&name));
        world.must(Command::Member(MemberCommand::Add { group, member, expires_at: Expiry::Never }));
    }
    let snapshot = view_of(&world.records, usize::MAX).reader().snapshot().unwrap();
    let then = snapshot.as_of(before);
    let mut comparison =
        Comparison::between(world.org, (&then, world.now), (&snapshot, world.now), None).unwrap();
    let mut report = snapshot.report(world.org, world.now, ReportFilter::default()).unwrap();
    let (mut gained, mut lines) = (0, 0);
    for principal in snapshot.principals(world.org, None, usize::MAX).unwrap() {
        gained += usize::from(!comparison.of(principal).unwrap().gained.is_empty());
        lines += report.of(principal).unwrap().len();
    }
    // The owner, bob, app, job, bot; and those who joined.
    let tally = comparison.tally();
    assert_eq!((gained, tally.principals, tally.classes), (40, 45, 6));
    assert!(lines > 40 * 2 && report.worked_out() == 5, "{lines} {}", report.worked_out());
    assert!(tally.work < 45 * 2 * 400, "{tally:?}");
}

/// Bounds of pages: some steps, or a change, or a principal looked at.
fn parts(from: Moment, to: Moment) -> [TimelinePart; 4] {
    let whole = TimelinePart::whole(from, to);
    let by_steps = TimelinePart { steps: 3, ..whole };
    let by_bytes = TimelinePart { bytes: 200, ..whole };
    let by_work = TimelinePart { work: 1, ..whole };
    [whole, by_steps, by_bytes, by_work]
}

/// All pages together: a step that is cut goes on with the first of the next page.
fn paged(mut part: TimelinePart, fetch: impl Fn(&TimelinePart) -> Timeline) -> Vec<AccessStep> {
    let mut steps: Vec<AccessStep> = Vec::new();
    loop {
        let page = fetch(&part);
        assert!(page.steps.len() <= part.steps);
        let length = |change: &(Principal, Rc<AccessChange>)| change.1.bytes();
        let mut lengths = page.steps.iter().flat_map(|step| &step.changes).map(length);
        let all: usize = lengths.by_ref().sum();
        let last = page.steps.last().and_then(|step| step.changes.last()).map_or(0, length);
        assert!(all - last < part.bytes, "a page ends with the change that fills it");
        for step in page.steps {
            match steps.last_mut().filter(|last| last.moment == step.moment && last.by_time == step.by_time) {
                Some(last) => last.changes.extend(step.changes),
                None => steps.push(step),
            }
        }
        let Some(next) = page.next else { return steps };
        assert!(
            (next.moment.position, next.moment.at, next.after)
                > (part.from.position, part.from.at, part.after)
        );
        (part.from, part.after) = (next.moment, next.after);
    }
}
