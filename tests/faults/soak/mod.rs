//! The soak: the load of the fault suite, while up to four other organizations ask whatever is costly, drawn from a seed. The
//! checker decides as after faults, and the memory of the processes must be flat.
//!
//! Without `SOAK_MINUTES` a short form runs, in which memory is printed but not judged. `SOAK_SEED` repeats a mixture.

mod arsenal;
mod attackers;
mod figures;
mod memory;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{dice::Dice, hostile::tenant::Tenant};

use self::{attackers::Attackers, figures::Figures, memory::Memory};
use crate::{
    perform,
    stage::{SERVICES, Stage},
    verdict::{Run, line},
};

/// Organizations that attack.
const ATTACKERS: usize = 4;
/// Read nodes.
const NODES: usize = 2;
/// How long the short form takes.
const SHORT: Duration = Duration::from_secs(20);
/// How long the load is alone at first.
const ALONE: Duration = Duration::from_secs(20);
/// How long a mixture lasts, in seconds: from, and how many more at most.
const TURN: (u64, u128) = (3, 6);
/// How long attacks go on between two verdicts.
const BETWEEN_VERDICTS: Duration = Duration::from_mins(2);

#[test]
fn the_promises_hold_whatever_others_ask() -> Result<()> {
    let minutes: Option<u64> = std::env::var("SOAK_MINUTES").ok().map(|text| text.parse()).transpose()?;
    let seed: Option<u64> = std::env::var("SOAK_SEED")
        .ok()
        .filter(|text| !text.is_empty())
        .map(|text| text.parse())
        .transpose()?;
    let length = minutes.map_or(SHORT, Duration::from_mins);
    let seed = seed.unwrap_or_else(|| if minutes.is_some() { u64::from(std::process::id()) } else { 1 });
    line(&format!("seed {seed}, {} s of attacks", length.as_secs()));
    let mut stage = Stage::set(NODES)?;
    let bases = stage.bases();
    let base = |name: &str| -> Result<&String> {
        let found = bases.iter().find(|(known, _)| *known == name);
        Ok(&found.with_context(|| format!("there is a process {name}"))?.1)
    };
    let urls = stage.nats.url();
    let create = |number: usize| -> Result<Tenant> {
        let tenant = Tenant::create(&format!("attacker-{number}"), ["--nats", &urls])?;
        // They attack different processes.
        Ok(tenant.at(base(SERVICES[number % SERVICES.len()])?, base(["r0", "r1"][number / 2 % 2])?))
    };
    let tenants = (0..ATTACKERS).map(create).collect::<Result<Vec<_>>>()?;
    let attackers = Attackers::prepare(tenants).context("what the attackers need")?;
    perform(&mut stage, |stage, run| {
        run.load.progress(crate::PROGRESS)?;
        let is_short = minutes.is_none();
        soak(stage, run, &attackers, (length, &mut Dice::new(seed), is_short))
    })
}

/// Alone for a while, then one mixture after another, with a verdict now and then.
fn soak(
    stage: &Stage,
    run: &mut Run<'_>,
    attackers: &Attackers,
    (length, dice, is_short): (Duration, &mut Dice, bool),
) -> Result<()> {
    let mut figures = Figures::default();
    thread::sleep(if is_short { SHORT / 4 } else { ALONE });
    figures.take("alone", &run.load.history);
    run.judge(stage, "nothing")?;
    let memory = Memory::watch(stage.processes());
    let began = Instant::now();
    while began.elapsed() < length {
        figures.skip(&run.load.history);
        let part = Instant::now();
        while part.elapsed() < BETWEEN_VERDICTS && began.elapsed() < length {
            let turn = Duration::from_secs(TURN.0 + u64::try_from(dice.below(TURN.1))?);
            attackers.turn(dice, turn.min(length))?;
        }
        let minutes = format!("up to minute {:.1}", began.elapsed().as_secs_f64() / 60.0);
        figures.take(&minutes, &run.load.history);
        run.judge(stage, &minutes)?;
    }
    let samples = memory.end();
    attackers.print();
    figures.print();
    let grown = samples.judge();
    attackers.require_work()?;
    ensure!(is_short || grown.is_empty(), "memory is not flat: {}", grown.join(", "));
    Ok(())
}
