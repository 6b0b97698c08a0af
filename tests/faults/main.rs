//! The fault suite: real processes under a load of commands and checks, one fault after another, and a checker that
//! decides from the recorded history whether the promises held.
//!
//! Without `FAULT_ROUNDS` the short form runs, a part of the schedule; `FAULT_ROUNDS=n` goes through the whole of it n times;
//! `FAULTS="part of a name|another"` picks faults. In the soak other organizations ask what is costly instead (`soak/`).

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the cases that it is about")]
#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON gives null, never a panic, and this is test code"
)]

mod checker;
mod files;
mod history;
mod ledger;
mod listeners;
mod load;
mod planted;
mod rolled_back;
mod schedule;
mod soak;
mod stage;
mod verdict;

use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context, Result, anyhow, ensure};

use crate::{
    history::Entry,
    listeners::Listener,
    load::{Grounds, Load},
    schedule::{Fault, SCHEDULE},
    stage::{NODES, Stage},
    verdict::Run,
};

/// Commands that are accepted before the first fault, and after each.
const PROGRESS: usize = 30;

#[test]
fn the_promises_hold_whatever_befalls() -> Result<()> {
    let rounds: Option<usize> = std::env::var("FAULT_ROUNDS").ok().and_then(|text| text.parse().ok());
    let wanted = std::env::var("FAULTS").ok();
    perform(&mut Stage::set(NODES.len())?, |stage, run| befall(stage, run, (rounds, wanted.as_deref())))
}

/// Has everybody work and listen while something is done to the stage, and judges at the end.
fn perform(stage: &mut Stage, act: impl FnOnce(&mut Stage, &mut Run<'_>) -> Result<()>) -> Result<()> {
    let load = Load::new((stage.installation()?, stage.org()?), &stage.first.owner_key);
    stage.bases().iter().for_each(|(name, base)| load.is_at(name, base));
    let grounds = Grounds::make(&load)?;
    let listeners = Listener::all();
    let mut run = Run::new(&load, &listeners)?;
    verdict::head();
    thread::scope(|scope| {
        let listening = Listener::start(&listeners, scope, &load, &stage.nats.urls())?;
        let running = load.start(scope, &grounds, &NODES[..stage.nodes.len()]);
        let acted = act(stage, &mut run);
        load.stop();
        let judged = both(acted, join(running)).and_then(|()| run.judge_at_the_end(stage));
        load.end();
        both(judged, join(listening)).or_else(|error| {
            let kept = std::env::temp_dir().join(format!("grantbook-faults-{}", std::process::id()));
            std::fs::create_dir_all(&kept)?;
            history::write(&load.history.entries(), &kept.join("history.ndjson"))?;
            stage.keep_logs(&kept)?;
            Err(error.context(format!("history and logs are kept in {}", kept.display())))
        })
    })
}

fn join(running: Vec<ScopedJoinHandle<'_, Result<()>>>) -> Result<()> {
    let ended = running.into_iter().map(|one| one.join().map_err(|_| anyhow!("somebody panicked"))?);
    // All have ended before the first error is told.
    ended.collect::<Vec<_>>().into_iter().collect()
}

/// Two outcomes, of which the second may be why the first is not good.
fn both(one: Result<()>, other: Result<()>) -> Result<()> {
    match (one, other) {
        (Err(error), Err(cause)) => Err(error.context(format!("besides: {cause:#}"))),
        (one, other) => one.and(other),
    }
}

fn befall(
    stage: &mut Stage,
    run: &mut Run<'_>,
    (rounds, wanted): (Option<usize>, Option<&str>),
) -> Result<()> {
    run.load.progress(PROGRESS)?;
    run.judge(stage, "nothing")?;
    let is_wanted = |fault: &&Fault| match wanted {
        Some(wanted) => wanted.split('|').any(|part| fault.name.contains(part)),
        None => rounds.is_some() || fault.brief,
    };
    for _ in 0..rounds.unwrap_or(1) {
        for fault in SCHEDULE.iter().filter(is_wanted) {
            let befell = one(stage, run, fault).and_then(|()| run.judge(stage, fault.name));
            befell.with_context(|| fault.name.to_owned())?;
        }
    }
    Ok(())
}

/// One fault: it begins, lasts, is healed, and commands are accepted again.
fn one(stage: &mut Stage, run: &Run<'_>, fault: &Fault) -> Result<()> {
    let load = run.load;
    let begun = load.history.now();
    (fault.begin)(stage).context("it begins")?;
    thread::sleep(fault.lasts);
    if fault.writable {
        load.progress(1).context("meanwhile")?;
    }
    (fault.heal)(stage).context("it is healed")?;
    stage.bases().iter().for_each(|(name, base)| load.is_at(name, base));
    stage.wait_all_ready().context("afterwards")?;
    let (name, ended) = (fault.name.to_owned(), load.history.now());
    load.history.add(Entry::Fault(history::Fault { name, begun, ended }));
    let complaints = stage.complaints();
    ensure!(complaints.is_empty() || fault.harms, "the brokers complain:\n{}", complaints.join("\n"));
    load.progress(PROGRESS).context("afterwards")
}
