//! What a record changed of access is the difference of the folds around it, told once and in few words.

use std::collections::BTreeSet;

use grantbook_domain::{
    catalog::Lineage,
    command::{
        Author, Command, Expiry, GroupCommand, MemberCommand, ObjectCommand, ProjectCommand, TokenCommand,
        UserCommand,
    },
    id::{GroupId, UserId},
    model::{Effect, Gives},
    principal::{Grantee, Principal},
    record::Recorded,
    scope::{Atom, ObjectRef, Scope, Selector},
    state::OrgState,
    time::Timestamp,
};
use grantbook_views::{AccessRow, RecordChange, Snapshot, Who};
use proptest::prelude::*;

use crate::{
    agree::steps,
    brute::{self, Named},
    world::{World, all_except, labels, object, view_of},
};

proptest! {
    #![proptest_config(crate::draw::cases(8))]

    #[test]
    fn what_a_record_changed_is_the_difference_of_the_folds(steps in steps(10..40)) {
        History::of(World::lived(7, &steps)).hold(0);
    }
}

/// A history, with the view of all of it.
struct History {
    world: World,
    snapshot: Snapshot,
}

/// A state judged at an instant.
type Judged<'s> = (&'s OrgState, Timestamp);

impl History {
    fn of(world: World) -> Self {
        let snapshot = view_of(&world.records, usize::MAX).reader().snapshot().unwrap();
        Self { world, snapshot }
    }

    /// Holds the changes of every record, but for some of the first, against brute force.
    fn hold(&self, skipped: usize) {
        let mut state = OrgState::default();
        let mut at = Timestamp::from_millis(i64::MIN);
        for (index, recorded) in self.world.records.iter().enumerate() {
            if index < skipped {
                state.apply_record(&recorded.record);
                at = recorded.record.at;
                continue;
            }
            let changes = self.snapshot.changes_of(recorded).unwrap();
            let by_time = changes.iter().filter(|change| change.causes.iter().all(|cause| cause.expiry));
            let now = recorded.record.at;
            self.hold_step((&state, at), (&state, now), by_time.collect(), recorded);
            let old = state.clone();
            state.apply_record(&recorded.record);
            let by_record = changes.iter().filter(|change| change.causes.iter().all(|cause| !cause.expiry));
            self.hold_step((&old, now), (&state, now), by_record.collect(), recorded);
            let sorts = changes.iter().map(|change| change.causes.iter().any(|cause| !cause.expiry));
            assert!(sorts.is_sorted(), "time comes first, and no change has both kinds of causes");
            at = now;
        }
    }

    fn hold_step(
        &self,
        before: Judged<'_>,
        after: Judged<'_>,
        changes: Vec<&RecordChange>,
        recorded: &Recorded,
    ) {
        for change in &changes {
            hold_words(change, before, after);
            assert!(!change.rows.is_empty() && !change.causes.is_empty());
            for cause in &change.causes {
                assert!(if cause.expiry {
                    cause.position < recorded.position
                } else {
                    cause.position == recorded.position
                });
            }
        }
        let org = self.world.org;
        let targets: BTreeSet<Named> =
            brute::targets(before.0, org).into_iter().chain(brute::targets(after.0, org)).collect();
        for principal in brute::principals(&self.world.state) {
            let mine = |gained: bool| {
                let mine = changes
                    .iter()
                    .filter(|change| change.gained == gained && change.principals.contains(&principal));
                mine.flat_map(|change| change.rows.clone()).collect::<Vec<AccessRow>>()
            };
            let (gained, lost) = (mine(true), mine(false));
            for target in &targets {
                for permission in self.world.state.catalog().permissions() {
                    let context =
                        || format!("{principal:?} {permission} {target:?} by {recorded:?}: {changes:?}");
                    let told =
                        (has(after.0, &gained, permission, target), has(before.0, &lost, permission, target));
                    let held = [before, after].map(|side| may(side, principal, permission, target));
                    if let Some(expected) = differs(before.0, after.0, target, (held[0], held[1])) {
                        assert_eq!(told.0, expected, "gained {}", context());
                    }
                    if let Some(expected) = differs(after.0, before.0, target, (held[1], held[0])) {
                        assert_eq!(told.1, expected, "lost {}", context());
                    }
                }
            }
        }
    }
}

/// The few words say exactly who it is.
fn hold_words(change: &RecordChange, before: Judged<'_>, after: Judged<'_>) {
    assert!(!change.principals.is_empty());
    let Who::Members { of, except } = &change.who else { return };
    let (state, at) = if change.gained { after } else { before };
    let reached: BTreeSet<Principal> =
        brute::principals(state).into_iter().filter(|one| reaches(state, (*one).into(), *of, at)).collect();
    let meant: BTreeSet<Principal> = reached.difference(except).copied().collect();
    assert_eq!(meant, *change.principals, "{of:?} but {except:?}");
    assert!(except.is_subset(&reached));
}

fn reaches(state: &OrgState, from: Grantee, group: GroupId, at: Timestamp) -> bool {
    if let Some(principal) = from.principal()
        && state.active_principal(principal, at).is_err()
    {
        return false;
    }
    state.memberships_of(from).any(|one| {
        let lives = state.group(one.group).is_some_and(|group| group.ended_at.is_none());
        let in_force = lives && at < Timestamp::end(one.expires_at);
        in_force && (one.group == group || reaches(state, Grantee::Group(one.group), group, at))
    })
}

/// Whether something is held at one side and not at the other; none where rows say nothing of it: what lies in no
/// project, or is registered, and is there at one side only.
fn differs(there: &OrgState, here: &OrgState, target: &Named, (before, after): (bool, bool)) -> Option<bool> {
    let located = here.locate(target.target()).ok()?;
    let lineage = here.catalog().lineage(located.object_type);
    let by_project = lineage == Lineage::Project || target.object.id == "free";
    let comparable = by_project || there.locate(target.target()).is_ok();
    comparable.then_some(after && !before)
}

fn may((state, at): Judged<'_>, principal: Principal, permission: &str, target: &Named) -> bool {
    let Ok(located) = state.locate(target.target()) else { return false };
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

/// A group of many, of whom some have something of it another way.
fn crowd() -> (World, GroupId) {
    let mut world = World::settled(9);
    let group = world.create_group("crowd");
    let members: Vec<UserId> = (0..60)
        .map(|number| {
            let id = UserId::from_u128(world.id());
            let email = format!("user-{number}@example.com");
            world.must(Command::User(UserCommand::Create { id, email, name: None, external_id: None }));
            let member = Grantee::User(id);
            world.must(Command::Member(MemberCommand::Add { group, member, expires_at: Expiry::Never }));
            id
        })
        .collect();
    let read = |world: &mut World, who: UserId, on| {
        let read = Gives::Permissions(vec!["read".to_owned()]);
        world.allow(Grantee::User(who), read, on)
    };
    // Three who can read everything, and one who can update something else.
    for who in &members[..3] {
        read(&mut world, *who, Scope::Organization);
    }
    let update = Gives::Permissions(vec!["update".to_owned()]);
    world.allow(Grantee::User(members[5]), update, Scope::Organization);
    (world, group)
}

#[test]
fn a_grant_to_many_is_told_in_few_words() {
    let (mut world, group) = crowd();
    let read = Gives::Permissions(vec!["read".to_owned()]);
    world.allow(Grantee::Group(group), read, all_except(&[("env", "production")]));
    let history = History::of(world);
    let changes = history.snapshot.changes_of(history.world.records.last().unwrap()).unwrap();
    let [change] = &changes[..] else { panic!("one change: {changes:?}") };
    assert_eq!((change.gained, change.principals.len()), (true, 57));
    let Who::Members { of, except } = &change.who else { panic!("a group: {:?}", change.who) };
    assert_eq!((*of, except.len()), (group, 3));
    history.hold(history.world.records.len() - 2);
}

#[test]
fn the_end_of_a_group_takes_from_its_members_what_they_have_no_other_way() {
    let (mut world, group) = crowd();
    let read = Gives::Permissions(vec!["read".to_owned()]);
    world.allow(Grantee::Group(group), read, Scope::Organization);
    world.must(Command::Group(GroupCommand::Delete { id: group }));
    let history = History::of(world);
    let changes = history.snapshot.changes_of(history.world.records.last().unwrap()).unwrap();
    let [change] = &changes[..] else { panic!("one change: {changes:?}") };
    assert_eq!((change.gained, change.principals.len()), (false, 57));
    history.hold(history.world.records.len() - 2);
}

#[test]
fn an_expiry_shows_with_the_next_record_and_names_the_one_that_set_it() {
    let mut world = World::settled(9);
    let (low, app) = (world.group("low"), world.token("app"));
    let until = Some(world.now.plus_millis(100));
    world.must(Command::Member(MemberCommand::Add {
        group: low,
        member: Grantee::Token(app),
        expires_at: until.into(),
    }));
    let set_by = world.position();
    world.now = world.now.plus_millis(100);
    assert!(world.try_as(
        Author::Operator,
        Command::Group(GroupCommand::Create {
            id: GroupId::from_u128(77),
            name: "other".to_owned(),
            description: None
        }),
    ));
    let history = History::of(world);
    let changes = history.snapshot.changes_of(history.world.records.last().unwrap()).unwrap();
    assert!(!changes.is_empty());
    for change in &changes {
        assert!(!change.gained);
        assert_eq!(*change.principals, BTreeSet::from([Principal::Token(app)]));
        let causes: Vec<_> = change.causes.iter().map(|cause| (cause.expiry, cause.position)).collect();
        assert_eq!(causes, [(true, set_by)]);
    }
    history.hold(0);
}

/// Found by planting: the property asks only whether causes are earlier records.
#[test]
fn a_time_that_was_replaced_is_no_cause() {
    let mut world = World::settled(9);
    let (group, member) = (world.group("low"), Grantee::Token(world.token("app")));
    let mut until = |millis| {
        let expires_at = Some(world.now.plus_millis(millis));
        world.must(Command::Member(MemberCommand::Add { group, member, expires_at: expires_at.into() }));
        world.position()
    };
    let (_replaced, set_by) = (until(100), until(200));
    world.now = world.now.plus_millis(300);
    let id = GroupId::from_u128(77);
    assert!(world.try_as(
        Author::Operator,
        Command::Group(GroupCommand::Create { id, name: "other".to_owned(), description: None }),
    ));
    let history = History::of(world);
    let changes = history.snapshot.changes_of(history.world.records.last().unwrap()).unwrap();
    assert!(!changes.is_empty());
    for change in &changes {
        let causes: Vec<_> = change.causes.iter().map(|cause| (cause.expiry, cause.position)).collect();
        assert_eq!(causes, [(true, set_by)]);
    }
    history.hold(0);
}

/// Everybody in a crowd has something of his own elsewhere: what happens to one project asks nobody about the others.
#[test]
fn a_project_is_gained_by_all_who_reach_it_whatever_they_have_elsewhere() {
    let (mut world, group) = crowd();
    let read = || Gives::Permissions(vec!["read".to_owned()]);
    world.allow(Grantee::Group(group), read(), all_except(&[("env", "production")]));
    let members: Vec<_> = world.state.members_of(group).map(|one| one.member).collect();
    let own = world.create_project("own", &[("env", "production")]);
    for member in &members[10..20] {
        world.allow(*member, read(), Scope::Object(object("project", own)));
    }
    world.grant(members[30], read(), Scope::Organization, Effect::Deny);
    let before = world.records.len();
    let shared = world.create_project("shared", &[]);
    world.must(Command::Project(ProjectCommand::Update { id: own, name: None, labels: Some(labels(&[])) }));
    world.must(Command::Project(ProjectCommand::Delete { id: shared }));
    let history = History::of(world);
    for recorded in &history.world.records[before..] {
        let changes = history.snapshot.changes_of(recorded).unwrap();
        assert!(changes.len() <= 8, "{} for {recorded:?}", changes.len());
    }
    history.hold(before);
}

/// Found by planting: where objects are at one side only the property says nothing.
#[test]
fn whoever_was_given_something_on_an_object_loses_it_with_its_project_and_with_itself() {
    let mut world = World::settled(9);
    let project = world.create_project("short", &[("env", "short")]);
    let thing = |id: &str| object("dataset", id);
    let who = Grantee::Token(world.create_token("bare", None));
    for id in ["one", "two"] {
        world.must(Command::Object(ObjectCommand::Register {
            object: thing(id).within(Some(project)),
            name: None,
        }));
        let read = Gives::Permissions(vec!["read".to_owned()]);
        world.allow(who, read, Scope::Object(thing(id)));
    }
    let before = world.records.len();
    world.must(Command::Object(ObjectCommand::Remove { object: thing("one") }));
    world.must(Command::Project(ProjectCommand::Delete { id: project }));
    let history = History::of(world);
    for (recorded, id) in history.world.records[before..].iter().zip(["one", "two"]) {
        let changes = history.snapshot.changes_of(recorded).unwrap();
        let mine = changes.iter().filter(|change| !change.gained && change.principals.len() == 1);
        let rows: Vec<_> = mine.flat_map(|change| &change.rows).collect();
        let lost = BTreeSet::from([thing(id).within(Some(project))]);
        assert!(rows.iter().any(|row| row.objects == lost), "{id}: {changes:?}");
    }
    history.hold(before);
}

/// Found by planting: each account has something by one way only, and a cut of that way went unseen.
#[test]
fn whoever_is_reached_by_one_way_only_is_told() {
    let mut world = World::settled(9);
    let short = world.create_project("short", &[("env", "short")]);
    let named = world.create_project("named", &[]);
    let held = world.create_group("held");
    let until = world.now.plus_millis(1000);
    let selected = Selector {
        include: vec![Atom::Label(labels(&[("env", "short")]))].into(),
        exclude: Vec::new().into(),
    };
    let ways = [
        ("by its labels", None, Scope::Projects(selected)),
        ("by its id", None, Scope::Object(object("project", named))),
        ("on a group", None, Scope::Object(object("group", held))),
        ("for a while", Some(until), Scope::Organization),
    ];
    let mut holders = Vec::new();
    for (name, expires_at, on) in ways {
        let who = world.create_token(name, expires_at);
        world.allow(Grantee::Token(who), Gives::Permissions(vec!["read".to_owned()]), on);
        holders.push(who);
    }
    let before = world.records.len();
    world.must(Command::Project(ProjectCommand::Update { id: short, name: None, labels: Some(labels(&[])) }));
    world.must(Command::Project(ProjectCommand::Delete { id: named }));
    world.must(Command::Group(GroupCommand::Delete { id: held }));
    world.now = until.plus_millis(1);
    world.must(Command::Project(ProjectCommand::Update {
        id: short,
        name: Some("late".to_owned()),
        labels: None,
    }));
    let (id, name, expires_at) = (holders[3], None, Some(None));
    world.must(Command::Token(TokenCommand::Update {
        id,
        name,
        description: None,
        external_id: None,
        expires_at,
    }));
    let history = History::of(world);
    let expected = [(0, false), (1, false), (2, false), (3, false), (3, true)];
    for (recorded, (who, gained)) in history.world.records[before..].iter().zip(expected) {
        let changes = history.snapshot.changes_of(recorded).unwrap();
        let principal = Principal::Token(holders[who]);
        let told =
            changes.iter().any(|change| change.gained == gained && change.principals.contains(&principal));
        assert!(told, "{principal:?} {gained}: {changes:?} by {recorded:?}");
    }
    history.hold(before);
}
