//! One row: the other organization alone, then beside an attack, and what the attacker got done meanwhile.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use grantbook_tests::{
    hostile::callers::{Ask, Attack},
    wire::Http,
};

use super::{
    other::{Connections, Kind, MIX, Other, Waited},
    stage::size,
};
use crate::report::{row, table};

/// An attacker that has not got done by then what its row demands is not measured.
const LIMIT: Duration = Duration::from_secs(40);
/// Most that another organization's ninth decile may grow.
const RATIO_MAX: f64 = 2.0;

/// What a row is about.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// Its number in docs/performance.md.
    pub(super) number: u8,
    /// The attack, in words.
    pub(super) attack: &'a str,
    /// What one request of the attack costs alone, in words.
    pub(super) alone: String,
    /// How many answers make it an attack.
    pub(super) enough: usize,
    /// What the other organization asks.
    pub(super) kinds: &'a [Kind],
    /// How.
    pub(super) connections: Connections,
    /// Whether docs/limits.md promises anything about it.
    pub(super) is_promised: bool,
}

/// The head of the table.
pub(super) fn head() {
    table(
        "Costly requests of one organization, beside another that asks every 60 ms",
        &[
            "row",
            "attack",
            "one alone",
            "answers to the attacker",
            "MiB",
            "other: requests",
            "alone p50 / p90 / p99",
            "beside it p50 / p90 / p99",
            "p90 (target 2)",
        ],
    );
}

impl<'a> Row<'a> {
    /// One in which the other organization does what it does on a quiet day.
    pub(super) fn new(number: u8, attack: &'a str, alone: String, enough: usize) -> Self {
        Self { number, attack, alone, enough, kinds: MIX, connections: Connections::Kept, is_promised: true }
    }

    /// Measures, and prints the row: or refuses, if the attacker got less done than the row demands.
    pub(super) fn measure(
        &self,
        other: &Other,
        act: impl FnOnce(&Attack) -> Result<()> + Send,
    ) -> Result<()> {
        let seconds = |long| Duration::from_secs(size(long, 1) as u64);
        let alone = other.ask(self.kinds, self.connections, (seconds(8), &|| true))?;
        let (attack, began) = (Attack::default(), Instant::now());
        let enough = size(self.enough, 1) as u64;
        let has_done = || attack.tally().done() >= enough || attack.is_over() || began.elapsed() > LIMIT;
        let beside = thread::scope(|scope| -> Result<Waited> {
            let attacking = scope.spawn(|| {
                let acted = act(&attack);
                attack.stop();
                acted
            });
            let beside = other.ask(self.kinds, self.connections, (seconds(8), &has_done));
            attack.stop();
            attacking.join().map_err(|_| anyhow!("a panic"))?.context("the attack")?;
            beside
        })?;
        let tally = attack.tally();
        ensure!(
            tally.done() >= enough,
            "not measured: the attacker was to have {enough} answers, and got {tally}, in {:?}",
            began.elapsed()
        );
        let p90 = |waited: &Waited| waited.times.value_at_quantile(0.9).max(1);
        let ratio = crate::report::float(p90(&beside).into()) / crate::report::float(p90(&alone).into());
        row(&[
            self.number.to_string(),
            self.attack.to_owned(),
            self.alone.clone(),
            format!("{tally} in {:.0} s", began.elapsed().as_secs_f64()),
            (tally.bytes >> 20).to_string(),
            beside.count()?,
            alone.quantiles(),
            beside.quantiles(),
            format!(
                "{ratio:.1}, {}",
                if self.is_promised { met(ratio <= RATIO_MAX) } else { "not promised" }
            ),
        ]);
        Ok(())
    }
}

/// Whether a target is met, in a word.
fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

/// What one of these requests takes while nobody else asks, and what it answers; beside the seconds that it may take.
pub(super) fn alone(base: &str, key: &str, asks: &[Ask], limit: f64) -> Result<String> {
    let mut words = Vec::new();
    let mut worst: f64 = 0.0;
    for ask in asks {
        let mut http = Http::connect(base)?.as_bearer(key);
        let started = Instant::now();
        let reply = ask.send(&mut http).with_context(|| ask.name)?;
        let took = started.elapsed().as_secs_f64();
        worst = worst.max(took);
        words.push(format!("{} {} in {took:.3} s, {} B", ask.name, reply.status, reply.body.len()));
    }
    Ok(format!("{}; target {limit} s: {}", words.join("; "), met(worst <= limit)))
}
