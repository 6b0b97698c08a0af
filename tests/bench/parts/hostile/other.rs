//! The other organization: a few ordinary requests a second, and how long each of them waited.
//!
//! Requests are due at fixed times, whether or not those before them were answered, and their waiting is counted from when they
//! were due. So a stall counts for each request that was due meanwhile.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    hostile::{
        callers::Ask,
        tenant::{Tenant, id, post},
    },
    wire::{Http, Reply},
};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::report::{histogram, note};

/// Between two requests that are due.
const EVERY: Duration = Duration::from_millis(60);
/// Most requests that wait at once.
const WAITING: usize = 32;
/// A request that was refused is sent again after this time; it goes on waiting.
const AGAIN: Duration = Duration::from_millis(50);
/// A request that is not answered well within this time is counted as lost, with this time.
const LIMIT: Duration = Duration::from_secs(20);
/// Service tokens in the organization's list.
const TOKENS: usize = 20;

/// What the other organization asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Check,
    List,
    Write,
    Health,
    Export,
}

/// What an organization does on a quiet day.
pub(super) const MIX: &[Kind] = &[Kind::Check, Kind::List, Kind::Write, Kind::Health];

/// How it reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connections {
    Kept,
    /// A new one for each request.
    New,
}

/// The organization.
#[derive(Debug)]
pub(super) struct Other {
    tenant: Tenant,
    check: String,
    /// The position of its last write.
    written: Mutex<String>,
    counter: Mutex<u64>,
}

/// How its requests fared.
#[derive(Debug)]
pub(super) struct Waited {
    /// From when a request was due until it was answered well.
    pub(super) times: Histogram<u64>,
    /// Requests that were refused at first (429, 503, or no answer at all), by why.
    pub(super) refused: BTreeMap<String, u64>,
    /// Requests that were never answered well.
    pub(super) lost: u64,
}

impl Other {
    /// Makes what it asks about.
    pub(super) fn make(tenant: &Tenant) -> Result<Self> {
        let project = id(&tenant.make("/v1/projects", &json!({"name": "p"}))?)?;
        let tokens: Vec<Value> =
            (0..TOKENS).map(|number| post("/v1/tokens", json!({"name": format!("t{number}")}))).collect();
        let tokens = tenant.batch_ids(&tokens)?;
        let token = tokens.first().context("a token")?;
        let on = json!({"object": {"type": "project", "id": project}});
        let grant = json!({"to": {"type": "token", "id": token}, "permissions": ["read"], "on": on});
        tenant.make("/v1/grants", &grant)?;
        let check = json!({"principal": {"type": "token", "id": token}, "permission": "read",
            "object": {"type": "project", "id": project}});
        let written = Mutex::new(tenant.position()?);
        Ok(Self { tenant: tenant.clone(), check: check.to_string(), written, counter: Mutex::new(0) })
    }

    /// Asks for so long, and then until `enough`; how that went.
    pub(super) fn ask(
        &self,
        kinds: &[Kind],
        connections: Connections,
        (least, enough): (Duration, &(dyn Fn() -> bool + Sync)),
    ) -> Result<Waited> {
        let began = Instant::now();
        let waited = Mutex::new(Waited { times: histogram(), refused: BTreeMap::new(), lost: 0 });
        let due = Mutex::new(0_u32);
        thread::scope(|scope| {
            let one = || -> Result<()> {
                let mut open = None;
                loop {
                    let number = next(&due);
                    let at = began + EVERY * number;
                    if at.duration_since(began) >= least && enough() {
                        return Ok(());
                    }
                    thread::sleep(at.saturating_duration_since(Instant::now()));
                    let kind = kinds.get(number as usize % kinds.len()).context("a kind")?;
                    if connections == Connections::New {
                        open = None;
                    }
                    self.one(*kind, &mut open, (at, &waited))?;
                }
            };
            let running: Vec<_> = (0..WAITING).map(|_| scope.spawn(one)).collect();
            let ended = running.into_iter().map(|one| one.join().map_err(|_| anyhow::anyhow!("a panic"))?);
            ended.collect::<Vec<_>>().into_iter().collect::<Result<()>>()
        })?;
        Ok(waited.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn one(
        &self,
        kind: Kind,
        open: &mut Option<Http>,
        (at, waited): (Instant, &Mutex<Waited>),
    ) -> Result<()> {
        let ask = self.request(kind);
        let mut first = None;
        let is_answered = loop {
            let why = match self.send(kind, &ask, open) {
                Ok(reply) if matches!(reply.status, 200 | 201) => break true,
                Ok(reply) if matches!(reply.status, 429 | 503) => {
                    format!("{} {}", reply.status, reply.text("/code"))
                }
                Ok(reply) => anyhow::bail!("{kind:?} was answered {}: {}", reply.status, reply.json()),
                Err(_) => "no answer".to_owned(),
            };
            *open = None;
            first.get_or_insert(why);
            if at.elapsed() > LIMIT {
                break false;
            }
            thread::sleep(AGAIN);
        };
        let mut waited = waited.lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut waited.times, at.elapsed());
        waited.lost += u64::from(!is_answered);
        if let Some(why) = first {
            *waited.refused.entry(why).or_default() += 1;
        }
        Ok(())
    }

    fn request(&self, kind: Kind) -> Ask {
        match kind {
            Kind::Check => {
                Ask { name: "check", method: "POST", path: "/v1/check".to_owned(), body: self.check.clone() }
            }
            Kind::List => Ask::get("list", "/v1/tokens".to_owned()),
            Kind::Write => {
                let mut counter = self.counter.lock().unwrap_or_else(PoisonError::into_inner);
                *counter += 1;
                Ask::post("write", "/v1/groups", &json!({"name": format!("g{counter}")}))
            }
            Kind::Health => Ask::get("health", "/healthz".to_owned()),
            Kind::Export => Ask::get("export", "/v1/audit".to_owned()),
        }
    }

    /// Sends a request; a question demands to see the organization's last write.
    fn send(&self, kind: Kind, ask: &Ask, open: &mut Option<Http>) -> Result<Reply> {
        let mut http = match open.take() {
            Some(http) => http,
            None => Http::connect(&self.tenant.reads)?.patient_for(LIMIT)?.as_bearer(&self.tenant.key),
        };
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut headers = vec![("grantbook-at-least", written.as_str())];
        match kind {
            Kind::Write | Kind::Health => headers.clear(),
            Kind::Export => headers.push(("accept", "application/x-ndjson")),
            Kind::Check | Kind::List => {}
        }
        if !ask.body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        let reply = http.raw(ask.method, &ask.path, &headers, ask.body.as_bytes())?;
        if kind == Kind::Write && reply.status == 201 {
            let position = reply.header("grantbook-position").context("a write has a position")?;
            position.clone_into(&mut self.written.lock().unwrap_or_else(PoisonError::into_inner));
        }
        if reply.header("connection") != Some("close") {
            *open = Some(http);
        }
        Ok(reply)
    }
}

impl Waited {
    /// Median and tails, in readable units.
    pub(super) fn quantiles(&self) -> String {
        let each = [0.5, 0.9, 0.99].map(|part| crate::report::quantile(&self.times, part));
        each.join(" / ")
    }

    /// How many requests there were, and what became of those that were not answered at once.
    pub(super) fn count(&self) -> Result<String> {
        ensure!(!self.times.is_empty(), "the other organization asked nothing");
        let mut words = vec![self.times.len().to_string()];
        words.extend(self.refused.iter().map(|(why, count)| format!("{count} first {why}")));
        if self.lost > 0 {
            words.push(format!("{} lost", self.lost));
        }
        Ok(words.join(", "))
    }
}

fn next(due: &Mutex<u32>) -> u32 {
    let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
    *due += 1;
    *due - 1
}
