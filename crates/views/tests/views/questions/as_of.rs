//! As of every earlier position, the view of a whole history answers like the fold of what had happened by then.

use grantbook_domain::{
    command::{Author, Command, Expiry, MemberCommand},
    position::Position,
    principal::Grantee,
    record::{Record, Recorded},
    state::OrgState,
    time::Timestamp,
};
use grantbook_views::Moment;
use proptest::prelude::*;

use crate::{
    agree::{All, steps},
    world::{Step, World, view_of},
};

proptest! {
    #![proptest_config(crate::draw::cases(10))]

    #[test]
    fn checks_as_of_every_position_are_those_of_the_fold(steps in steps(10..40)) {
        look_back(&steps, |all, record| all.checks(record.ordinal));
    }

    #[test]
    fn explanations_sets_documents_and_lists_as_of_every_position_are_those_of_the_fold(steps in steps(10..40)) {
        look_back(&steps, |all, record| {
            all.explanations(record.ordinal);
            all.access();
            all.documents();
            all.grants_seen();
            // Beyond the snapshot's own position there is nothing to list.
            all.lists(Position::from_u64(u64::MAX));
        });
    }
}

/// Asks as of every position of a history, once it has all happened.
fn look_back(steps: &[Step], ask: impl Fn(&All<'_>, &Record)) {
    let mut world = World::settled(5);
    world.shares_frames = true;
    let settled = world.records.len() - 1;
    let world = world.living(steps);
    let last = view_of(&world.records, usize::MAX).reader().snapshot().unwrap();
    let mut state = OrgState::default();
    for Recorded { position, record, .. } in &world.records {
        state.apply_record(record);
        if usize::try_from(record.ordinal).unwrap() <= settled {
            continue;
        }
        let snapshot = last.as_of(*position);
        assert_eq!(snapshot.position(world.org).unwrap(), *position);
        memberships(&world, &state, &snapshot);
        ask(&All { world: &world, state: &state, snapshot: &snapshot, now: record.at }, record);
    }
}

fn memberships(world: &World, state: &OrgState, snapshot: &grantbook_views::Snapshot) {
    for group in world.state.groups().map(|group| group.id) {
        for member in world.state.tokens().map(|token| Grantee::Token(token.id)) {
            let found = snapshot.membership(world.org, member, group).unwrap();
            assert_eq!(found.as_ref(), state.membership(member, group));
        }
    }
}

#[test]
fn a_moment_is_found_by_position_and_by_time() {
    let mut world = World::settled(5);
    let at = |world: &mut World, millis: i64| {
        world.now = Timestamp::from_millis(millis);
        world.create_group(&format!("g{}", world.records.len()));
        (world.position(), world.now)
    };
    // Three records, two of them at the same instant.
    let (first, early) = at(&mut world, 2_000_000);
    let (second, _) = at(&mut world, 2_000_000);
    let (third, late) = at(&mut world, 2_000_500);
    let snapshot = view_of(&world.records, 1).reader().snapshot().unwrap();
    let after = |position| snapshot.moment_after(world.org, position).unwrap();
    let at = |at| snapshot.moment_at(world.org, at).unwrap();
    assert_eq!(after(first), Moment { position: first, at: early });
    assert_eq!(after(Position::from_u64(third.get() - 1)), Moment { position: second, at: early });
    assert_eq!(after(Position::from_u64(u64::MAX)), Moment { position: third, at: late });
    assert_eq!(after(Position::from_u64(1)).position, Position::START);
    assert_eq!(at(early), Moment { position: second, at: early });
    assert_eq!(at(late.plus_millis(-1)), Moment { position: second, at: late.plus_millis(-1) });
    assert_eq!(at(late), Moment { position: third, at: late });
    assert_eq!(at(late.plus_millis(9)), Moment { position: third, at: late.plus_millis(9) });
    assert_eq!(at(Timestamp::from_millis(0)).position, Position::START);
    // Where something else stands, and what came later, is not seen from an earlier position.
    let then = snapshot.as_of(second);
    assert_eq!(then.moment_at(world.org, late).unwrap().position, second);
    assert_eq!(then.moment_after(world.org, third).unwrap().position, second);
    assert_eq!(then.as_of(third).position(world.org).unwrap(), second, "the past has no future");
    assert_eq!(then.record(world.org, third).unwrap(), None);
}

#[test]
fn before_the_beginning_there_is_nothing() {
    let world = World::settled(5);
    let snapshot = view_of(&world.records, 1).reader().snapshot().unwrap().as_of(Position::START);
    let all = All { world: &world, state: &OrgState::default(), snapshot: &snapshot, now: world.now };
    all.checks(1);
    all.lists(Position::from_u64(u64::MAX));
    assert_eq!(snapshot.position(world.org).unwrap(), Position::START);
    assert!(
        snapshot.organization(world.org).unwrap().is_none() && snapshot.organizations().unwrap().is_empty()
    );
}

#[test]
fn a_restless_past_is_known_at_every_turn() {
    let mut world = World::settled(5);
    let (group, token) = (world.group("low"), world.create_token("restless", None));
    let member = Grantee::Token(token);
    let mut places = Vec::new();
    for _ in 0..500 {
        world.must(Command::Member(MemberCommand::Add { group, member, expires_at: Expiry::Never }));
        places.push((world.position(), true));
        assert!(world.try_as(Author::Operator, Command::Member(MemberCommand::Remove { group, member })));
        places.push((world.position(), false));
    }
    let snapshot = view_of(&world.records, usize::MAX).reader().snapshot().unwrap();
    for (position, is_in) in places {
        let found = snapshot.as_of(position).membership(world.org, member, group).unwrap();
        assert_eq!(found.is_some(), is_in, "{position}");
    }
    assert!(snapshot.as_of(world.position()).membership(world.org, member, group).unwrap().is_none());
}
