//! Work units: they count what is looked at, end what costs too much, and stop what nobody waits for.

use grantbook_domain::{
    command::{Command, RoleCommand},
    id::RoleId,
    time::Timestamp,
};
use grantbook_views::{Listing, Snapshot, ViewError, Work};

use crate::world::{World, view_of};

const PROJECTS: u64 = 40;

/// A view of an organization with many projects, and how it is asked for all of them.
fn given() -> (World, Snapshot) {
    let mut world = World::settled(7);
    for number in 0..PROJECTS {
        world.create_project(&format!("project {number}"), &[("env", "prod")]);
    }
    let snapshot = view_of(&world.records, usize::MAX).reader().snapshot().unwrap();
    (world, snapshot)
}

fn listed(world: &World, snapshot: &Snapshot) -> Result<usize, ViewError> {
    let listing = Listing { at: world.position(), after: None, name: None, limit: 1_000 };
    snapshot.projects(world.org, &listing).map(|page| page.items.len())
}

#[test]
fn units_are_the_rows_looked_at_and_the_same_each_time() {
    let (world, snapshot) = given();
    let spent = || {
        let work = Work::limited(Work::LIMIT);
        let count = listed(&world, &snapshot.metered(&work)).unwrap();
        (count as u64, work.spent())
    };
    let (count, units) = spent();
    assert!(count >= PROJECTS && units >= 2 * count, "an entry and a document each: {units} of {count}");
    assert_eq!(spent(), (count, units));
}

#[test]
fn a_question_that_fits_its_limit_exactly_is_answered_and_one_unit_less_is_too_costly() {
    let (world, snapshot) = given();
    let free = Work::unlimited();
    let count = listed(&world, &snapshot.metered(&free)).unwrap();
    assert_eq!(listed(&world, &snapshot).unwrap(), count, "units change no answer");
    let fits = snapshot.metered(&Work::limited(free.spent()));
    assert_eq!(listed(&world, &fits).unwrap(), count);
    let short = snapshot.metered(&Work::limited(free.spent() - 1));
    assert!(matches!(listed(&world, &short), Err(ViewError::TooCostly { .. })));
}

#[test]
fn a_question_that_was_cancelled_looks_at_no_further_row() {
    let (world, snapshot) = given();
    let work = Work::unlimited();
    let metered = snapshot.metered(&work);
    listed(&world, &metered).unwrap();
    work.cancel();
    let before = work.spent();
    assert!(matches!(listed(&world, &metered), Err(ViewError::Interrupted)));
    assert!(matches!(
        metered.as_of(world.position()).population(world.org, Timestamp::from_millis(0)),
        Err(ViewError::Interrupted)
    ));
    assert_eq!(work.spent(), before + 2, "one refused look each");
    assert!(listed(&world, &snapshot).is_ok(), "others go on");
}

/// A world in which a batch lets each of so many roles include the next one, and another takes that back, so many times.
fn role_batches(roles: usize, times: usize) -> World {
    let mut world = World::settled(8);
    let names: Vec<String> = (0..roles).map(|number| format!("role {number}")).collect();
    for name in &names {
        world.create_role(name, &[("read", None)], &[]);
    }
    let ids: Vec<RoleId> = names.iter().map(|name| world.role(name)).collect();
    let update = |id, includes| {
        let includes = Some(includes);
        Command::Role(RoleCommand::Update { id, name: None, permissions: None, includes })
    };
    for _ in 0..times {
        let pairs = ids.iter().zip(ids.iter().skip(1));
        world.must(Command::Batch(pairs.map(|(older, newer)| update(*older, vec![*newer])).collect()));
        world.must(Command::Batch(ids.iter().map(|id| update(*id, Vec::new())).collect()));
    }
    world
}

/// What it costs to say what the last record changed of access.
fn units_of_last_record(world: &World) -> u64 {
    let snapshot = view_of(&world.records, usize::MAX).reader().snapshot().unwrap();
    let work = Work::unlimited();
    snapshot.metered(&work).changes_of(world.records.last().unwrap()).unwrap();
    work.spent()
}

#[test]
fn the_changes_of_a_batch_of_roles_cost_what_the_batch_is_long_however_often_it_came() {
    let [short, long] = [20, 60].map(|roles| units_of_last_record(&role_batches(roles, 1)));
    assert!(long < 4 * short, "three times the roles: {short} and {long} units");
    let often = units_of_last_record(&role_batches(20, 10));
    assert!(often < 2 * short, "ten times the records: {short} and {often} units");
}
