//! Callers that ask one thing after another and never stop, and what they were answered.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::wire::{Http, Reply};

/// A caller that is refused for the moment asks again so soon.
const AGAIN: Duration = Duration::from_millis(20);
/// How long a caller waits for an answer until it gives up and asks anew.
const PATIENCE: Duration = Duration::from_mins(2);

/// A request.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What it is called in tables.
    pub name: &'static str,
    /// The method.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// The body, none if empty.
    pub body: String,
}

impl Ask {
    /// A question without a body.
    pub fn get(name: &'static str, path: String) -> Self {
        Self { name, method: "GET", path, body: String::new() }
    }

    /// A request with a JSON body.
    pub fn post(name: &'static str, path: &str, body: &Value) -> Self {
        Self { name, method: "POST", path: path.to_owned(), body: body.to_string() }
    }

    /// Sends it.
    pub fn send(&self, http: &mut Http) -> Result<Reply> {
        let headers: &[(&str, &str)] =
            if self.body.is_empty() { &[] } else { &[("content-type", "application/json")] };
        http.raw(self.method, &self.path, headers, self.body.as_bytes())
    }
}

/// Of some requests the one whose turn it is.
pub fn in_turn(asks: &[Ask]) -> impl Fn(u64) -> Ask + Sync + '_ {
    |number| asks[usize::try_from(number).unwrap_or(0) % asks.len()].clone()
}

/// What a caller was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many answers had each status.
    pub answers: BTreeMap<u16, u64>,
    /// Bytes of all bodies.
    pub bytes: u64,
    /// Requests that were not answered: the connection broke, or nothing came for two minutes.
    pub broken: u64,
}

impl Tally {
    /// Counts what another tally has.
    pub fn add(&mut self, other: &Self) {
        for (status, count) in &other.answers {
            *self.answers.entry(*status).or_default() += count;
        }
        self.bytes += other.bytes;
        self.broken += other.broken;
    }

    /// Answers that are no refusal for the moment (429, 503).
    pub fn done(&self) -> u64 {
        let done = self.answers.iter().filter(|(status, _)| !matches!(status, 429 | 503));
        done.map(|(_, count)| count).sum()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut words: Vec<String> =
            self.answers.iter().map(|(status, count)| format!("{count} x {status}")).collect();
        if self.broken > 0 {
            words.push(format!("{} broken", self.broken));
        }
        f.write_str(&words.join(", "))
    }
}

/// An attack that goes on until it is stopped.
#[derive(Debug, Default)]
pub struct Attack {
    over: AtomicBool,
    tally: Mutex<Tally>,
    number: AtomicU64,
}

impl Attack {
    /// Ends it soon.
    pub fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether it is to end.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// What came of it so far.
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts an answer.
    pub fn answered(&self, status: u16, bytes: u64) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.answers.entry(status).or_default() += 1;
        tally.bytes += bytes;
    }

    /// Counts a request that got no answer.
    pub fn broke(&self) {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).broken += 1;
    }

    /// So many callers with a key, each with a connection of its own; returns when the attack is over. `next` gives the request
    /// of a number; numbers count up over all callers.
    pub fn call(
        &self,
        (base, key): (&str, &str),
        callers: usize,
        next: &(dyn Fn(u64) -> Ask + Sync),
    ) -> Result<()> {
        thread::scope(|scope| {
            let running: Vec<_> =
                (0..callers).map(|_| scope.spawn(move || self.one_caller(base, key, next))).collect();
            let ended = running.into_iter().map(|one| one.join().map_err(|_| anyhow::anyhow!("a panic"))?);
            ended.collect::<Vec<_>>().into_iter().collect()
        })
    }

    fn one_caller(&self, base: &str, key: &str, next: &(dyn Fn(u64) -> Ask + Sync)) -> Result<()> {
        step_back()?;
        let connect = || -> Result<Http> { Ok(Http::connect(base)?.patient_for(PATIENCE)?.as_bearer(key)) };
        let mut open = None;
        while !self.is_over() {
            let ask = next(self.number.fetch_add(1, Ordering::Relaxed));
            let asked = open.take().map_or_else(connect, Ok).and_then(|mut http| {
                let reply = ask.send(&mut http)?;
                Ok((http, reply))
            });
            let refused = if let Ok((http, reply)) = asked {
                self.answered(reply.status, reply.body.len() as u64);
                open = (reply.header("connection") != Some("close")).then_some(http);
                matches!(reply.status, 429 | 503)
            } else {
                self.broke();
                true
            };
            if refused {
                thread::sleep(AGAIN);
            }
        }
        Ok(())
    }
}

/// Gives the calling thread the lowest priority. Attackers run elsewhere: what they compute themselves must not be counted as
/// what the server does for them.
pub fn step_back() -> Result<()> {
    let thread = std::fs::read_link("/proc/thread-self").context("a thread")?;
    let id = thread.file_name().and_then(|name| name.to_str()).context("the id of a thread")?.to_owned();
    let mut renice = Command::new("renice");
    let status = renice.args(["-n", "19", "-p", &id]).stdout(Stdio::null()).status();
    ensure!(status.context("renice, of util-linux")?.success(), "renice failed");
    Ok(())
}
