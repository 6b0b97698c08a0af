//! Nobody gives what he does not hold: on random histories, whatever anybody gains by an accepted command, at any later
//! instant, on any object existing or possible, the actor had then, or he held `delegate` there.

mod access_diff;
mod draw;
mod forgotten;
mod judge;
mod possible;
mod setting;

use std::collections::BTreeMap;

use grantbook_domain::{command::Command, principal::Principal, refusal::Refusal};
use proptest::{
    collection::vec,
    prelude::any,
    strategy::{Strategy, ValueTree},
    test_runner::{Config, TestCaseError, TestRunner},
};

use self::{
    draw::Bytes,
    judge::{Gains, Step, caller_of},
    setting::World,
};
use crate::given::by;

/// Histories to try when `PROPTEST_CASES` does not say.
const CASES: u32 = 800;

/// What happened over some histories.
#[derive(Debug, Default)]
struct JobStats {
    accepted: BTreeMap<&'static str, u64>,
    /// Of these, by others than the owner.
    by_others: u64,
    refused: BTreeMap<&'static str, u64>,
    gains: Gains,
    /// Histories played until the first that failed; shrinking plays more.
    played: u64,
    failed: bool,
}

fn histories() -> impl Strategy<Value = (Vec<Bytes>, Vec<Bytes>)> {
    (vec(any::<Bytes>(), 4..10), vec(any::<Bytes>(), 12))
}

/// Plays a history and judges every accepted command.
fn play(settling: &[Bytes], history: &[Bytes], tally: &mut JobStats) -> Result<(), String> {
    let mut world = World::settled();
    for bytes in settling {
        let command = world.draw_settling(*bytes);
        let owner = by(Principal::User(world.org.owner));
        if let Ok(events) = world.org.act(owner, command) {
            world.remember(&events);
        }
    }
    for bytes in history {
        let (author, command) = world.draw(*bytes);
        let before = world.org.state.clone();
        match world.org.act(author, command.clone()) {
            Err(refusal) => *tally.refused.entry(refusal.code()).or_default() += 1,
            Ok(events) => {
                let Some(caller) = caller_of(author) else { continue };
                let (after, at) = (&world.org.state, world.org.now);
                let step = Step { before: &before, after, caller, command: &command, events: &events, at };
                let gains = step.judge()?;
                tally.gains.held += gains.held;
                tally.gains.delegated += gains.delegated;
                tally.gains.by_key += gains.by_key;
                if !events.is_empty() {
                    *tally.accepted.entry(crate::rules::rights_table::name(&command)).or_default() += 1;
                    tally.by_others += u64::from(caller.principal != Principal::User(world.org.owner));
                }
                world.remember(&events);
            }
        }
        world.org.pass(i64::from(bytes[9] % 4) * 100);
    }
    Ok(())
}

#[test]
fn whatever_is_gained_the_actor_had() {
    let config = Config { max_shrink_iters: 2000, ..crate::given::cases(CASES) };
    let tally = std::cell::RefCell::new(JobStats::default());
    let outcome = TestRunner::new(config).run(&histories(), |(settling, history)| {
        let tally = &mut *tally.borrow_mut();
        tally.played += u64::from(!tally.failed);
        let played = play(&settling, &history, tally);
        tally.failed |= played.is_err();
        played.map_err(TestCaseError::fail)
    });
    let tally = tally.into_inner();
    println!("{tally:?}");
    if let Err(failure) = outcome {
        panic!("history {}: {failure}", tally.played);
    }
}

/// The property is worth nothing if hardly anything is accepted, gained or refused.
#[test]
fn the_histories_are_strong_enough() {
    let mut runner = TestRunner::deterministic();
    let mut tally = JobStats::default();
    for _ in 0..60 {
        let (settling, history) = histories().new_tree(&mut runner).expect("a history").current();
        play(&settling, &history, &mut tally).expect("nothing is gained that the actor had not");
    }
    let accepted: u64 = tally.accepted.values().sum();
    assert!(accepted >= 180 && tally.by_others >= 100, "too little is accepted: {tally:?}");
    for kind in ["AddMember", "CreateGrant", "UpdateRole", "UpdateProject", "IssueKey"] {
        assert!(tally.accepted.get(kind).is_some_and(|count| *count >= 10), "too few {kind}: {tally:?}");
    }
    for code in ["not_held", "needs_delegate"] {
        assert!(tally.refused.get(code).is_some_and(|count| *count >= 30), "too few {code}: {tally:?}");
    }
    let Gains { held, delegated, by_key } = tally.gains;
    assert!(held >= 2000 && delegated >= 5 && by_key >= 20_000, "too little is gained: {tally:?}");
}

/// So what holds for single commands holds for batches.
#[test]
fn a_batch_is_its_commands_one_after_the_other() {
    let mut runner = TestRunner::deterministic();
    let mut accepted = 0;
    for _ in 0..300 {
        let bytes = vec(any::<Bytes>(), 1..4).new_tree(&mut runner).expect("bytes").current();
        let mut world = World::settled();
        let author = world.draw(bytes[0]).0;
        let commands: Vec<_> = bytes.iter().map(|bytes| world.draw(*bytes).1).collect();
        let together = world.org.decide(author, Command::Batch(commands.clone()));
        let mut events = Vec::new();
        let mut singly = Ok(());
        for (index, command) in commands.into_iter().enumerate() {
            match world.org.act(author, command) {
                Ok(made) => events.extend(made),
                Err(refusal) => {
                    singly = Err(Refusal::InBatch { index, refusal: Box::new(refusal) });
                    break;
                }
            }
        }
        assert_eq!(together, singly.map(|()| events));
        accepted += u32::from(together.is_ok());
    }
    assert!(accepted > 30, "only {accepted} batches were accepted");
}
