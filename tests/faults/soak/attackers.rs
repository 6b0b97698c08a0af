//! The attackers: in each turn one to four organizations do what was drawn for them, all at once.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use grantbook_tests::{
    dice::Dice,
    hostile::{
        callers::{Ask, Attack, Tally, in_turn},
        scenes::{inclusions, long_name},
        sockets::{Deaf, request},
        tenant::Tenant,
    },
};
use serde_json::{Value, json};

use super::arsenal::{Arsenal, DEPTH, size};
use crate::verdict::line;

/// How often sockets that never read are looked after.
const EVERY: Duration = Duration::from_millis(100);
/// The address of sockets that never read.
const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Projects that are renamed at once.
const PROJECTS: usize = 50;
const PAST: &str = "2020-01-01T00:00:00.000Z";

/// What an attacker may do.
#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    act: fn(&Arsenal, &Attack, usize) -> Result<()>,
}

const KINDS: [Kind; 7] = [
    Kind { name: "costly grants", act: grants },
    Kind { name: "explains", act: explains },
    Kind { name: "reports that nobody reads", act: unread_reports },
    Kind { name: "questions at once", act: questions },
    Kind { name: "sockets that never read", act: deaf_sockets },
    Kind { name: "projects with long names", act: projects },
    Kind { name: "batches of roles", act: role_batches },
];

/// Everybody, and what came of each kind of attack.
#[derive(Debug)]
pub(super) struct Attackers {
    arsenals: Vec<Arsenal>,
    done: Mutex<BTreeMap<&'static str, Tally>>,
}

impl Attackers {
    /// Makes what each of them needs.
    pub(super) fn prepare(tenants: Vec<Tenant>) -> Result<Self> {
        let arsenals = tenants.into_iter().map(Arsenal::make).collect::<Result<_>>()?;
        Ok(Self { arsenals, done: Mutex::default() })
    }

    /// One to four attackers, for so long; nobody of them asks any more when it returns.
    pub(super) fn turn(&self, dice: &mut Dice, length: Duration) -> Result<()> {
        let count = 1 + usize::try_from(dice.below(self.arsenals.len() as u128))?;
        let drawn = self.arsenals.iter().take(count).map(|arsenal| {
            let callers = 1 << dice.below(6);
            dice.one_of(&KINDS).map(|kind| (arsenal, *kind, callers)).context("a kind")
        });
        let drawn = drawn.collect::<Result<Vec<_>>>()?;
        let words: Vec<String> =
            drawn.iter().map(|(_, kind, callers)| format!("{} ({callers})", kind.name)).collect();
        line(&format!("{} s: {}", length.as_secs(), words.join(", ")));
        let attacks: Vec<Attack> = drawn.iter().map(|_| Attack::default()).collect();
        thread::scope(|scope| {
            let running: Vec<_> = drawn
                .iter()
                .zip(&attacks)
                .map(|((arsenal, kind, callers), attack)| {
                    scope.spawn(move || (kind.act)(arsenal, attack, *callers).context(kind.name))
                })
                .collect();
            thread::sleep(length);
            attacks.iter().for_each(Attack::stop);
            let ended = running.into_iter().map(|one| one.join().map_err(|_| anyhow!("a panic"))?);
            ended.collect::<Vec<_>>().into_iter().collect::<Result<()>>()
        })?;
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        for ((_, kind, _), attack) in drawn.iter().zip(&attacks) {
            done.entry(kind.name).or_default().add(&attack.tally());
        }
        Ok(())
    }

    /// What came of each kind.
    pub(super) fn print(&self) {
        line("\n| attack | answers | MiB |");
        line("| --- | --- | --- |");
        for (name, tally) in self.done.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            line(&format!("| {name} | {tally} | {} |", tally.bytes >> 20));
        }
    }

    /// An attack that came to nothing shows nothing.
    pub(super) fn require_work(&self) -> Result<()> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(!done.is_empty(), "nobody attacked");
        for (name, tally) in done.iter() {
            ensure!(tally.done() > 0, "{name}: the attackers got nothing done: {tally}");
        }
        Ok(())
    }
}

/// Grants that the service refuses. It would keep accepted ones in memory, with all their conditions, even after they end.
fn grants(arsenal: &Arsenal, attack: &Attack, callers: usize) -> Result<()> {
    // Callers are drawn from a power of two: both holders come about.
    let holder = &arsenal.holders[callers.ilog2() as usize % arsenal.holders.len()];
    let post = |name, body: &Value| Ask::post(name, "/v1/grants", body);
    let asks =
        [post("expired", &holder.grant(false, Some(PAST))), post("exceeding", &holder.grant(true, None))];
    attack.call((&arsenal.tenant.writes, &holder.key), callers, &in_turn(&asks))
}

fn explains(arsenal: &Arsenal, attack: &Attack, callers: usize) -> Result<()> {
    let ask = |nested: &grantbook_tests::hostile::scenes::Nested| {
        Ask::post("explain", "/v1/explain", &nested.question())
    };
    let asks: Vec<Ask> = arsenal.nested.iter().map(ask).collect();
    attack.call((&arsenal.tenant.reads, &arsenal.keys[0]), 2 * callers, &in_turn(&asks))
}

fn questions(arsenal: &Arsenal, attack: &Attack, callers: usize) -> Result<()> {
    let (token, project) = (&arsenal.crowd.tokens[0], &arsenal.crowd.projects[0]);
    let asks = [
        Ask::get("who-can", format!("/v1/who-can?permission=read&object=project:{project}")),
        Ask::get("access", format!("/v1/access?principal=token:{token}")),
        Ask::get("diff", format!("/v1/diff?from={}", arsenal.crowd.before)),
        Ask::get("timeline", format!("/v1/timeline?principal=token:{token}")),
        Ask::get("report", format!("/v1/report?format=ndjson&principal=token:{token}")),
        Ask::get("list", "/v1/tokens?limit=1000".to_owned()),
    ];
    attack.call((&arsenal.tenant.reads, &arsenal.keys[1]), 2 * callers, &in_turn(&asks))
}

fn unread_reports(arsenal: &Arsenal, attack: &Attack, callers: usize) -> Result<()> {
    let report = |key: &String| request("/v1/report?format=ndjson", Some(key), 4);
    let each = callers.clamp(2, 8);
    deaf(arsenal, attack, arsenal.keys.iter().flat_map(|key| vec![report(key); each]).collect())
}

fn deaf_sockets(arsenal: &Arsenal, attack: &Attack, callers: usize) -> Result<()> {
    deaf(arsenal, attack, vec![request("/openapi.json", None, 20); 3 * callers])
}

fn deaf(arsenal: &Arsenal, attack: &Attack, requests: Vec<Vec<u8>>) -> Result<()> {
    let mut deaf = Deaf::with((SOURCE, &arsenal.tenant.reads), requests)?;
    while !attack.is_over() {
        let (answered, refused) = (deaf.answered, deaf.refused);
        deaf.tend();
        (answered..deaf.answered).for_each(|_| attack.answered(200, 0));
        (refused..deaf.refused).for_each(|_| attack.answered(429, 0));
        thread::sleep(EVERY);
    }
    Ok(())
}

/// Renames projects: each is compared with every selector. Were new ones made, what is remembered of those before would grow.
fn projects(arsenal: &Arsenal, attack: &Attack, callers: usize) -> Result<()> {
    // No name comes twice: another project may have it.
    static NAMES: AtomicU64 = AtomicU64::new(0);
    let tenant = &arsenal.tenant;
    while !attack.is_over() {
        let rename = |id: &String| {
            let number = NAMES.fetch_add(1, Ordering::Relaxed);
            json!({"method": "PATCH", "path": format!("/v1/projects/{id}"), "body": {"name": long_name(number)}})
        };
        let renamed = arsenal.crowd.projects.iter().take(size(PROJECTS).min(2 * callers));
        let commands: Vec<Value> = renamed.map(rename).collect();
        let batch = json!({"commands": commands});
        let answer = tenant.command("POST", "/v1/batch", &batch)?;
        attack.answered(answer.status, answer.body.len() as u64);
    }
    Ok(())
}

fn role_batches(arsenal: &Arsenal, attack: &Attack, callers: usize) -> Result<()> {
    let batch =
        |name, chain, included| Ask::post(name, "/v1/batch", &inclusions(&arsenal.roles, chain, included));
    let asks = [
        batch("in chains", DEPTH, true),
        batch("none", DEPTH, false),
        batch("one chain", arsenal.roles.len(), true),
    ];
    attack.call((&arsenal.tenant.writes, &arsenal.tenant.key), callers.min(4), &in_turn(&asks))
}
