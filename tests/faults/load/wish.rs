//! One command as it is wanted: sent with the same request id to one service or the other until its outcome is known.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use grantbook_tests::wire::{Http, Reply};
use serde_json::Value;

use super::{LIMIT, Load};
use crate::history::{Command, Entry, Outcome};

const SERVICES: [&str; 2] = ["c0", "c1"];
/// Who waits longer for an answer does not know the outcome, and asks again.
const PATIENCE: Duration = Duration::from_secs(4);
/// After so many attempts a command is left for a quieter time.
const ATTEMPTS: usize = 6;

/// A command.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Value,
    /// The events that it makes.
    pub(super) makes: Vec<&'static str>,
    /// Whose access it ends.
    pub(super) revokes: Option<String>,
    /// The name that others want, too.
    pub(super) wants_name: Option<String>,
    /// Whether a known outcome was told.
    pub(super) is_known: bool,
}

impl Wish {
    pub(super) fn new(method: &'static str, path: &str, body: Value, makes: &[&'static str]) -> Self {
        let (path, makes) = (path.to_owned(), makes.to_vec());
        Self { method, path, body, makes, revokes: None, wants_name: None, is_known: false }
    }
}

/// Connections that are kept, one a base.
#[derive(Debug, Default)]
pub(super) struct Client {
    open: BTreeMap<String, Http>,
    /// The service that is asked first, if it is not another one for each command.
    stays_at: Option<usize>,
}

impl Client {
    /// One that stays with a service as long as it answers.
    pub(super) fn faithful() -> Self {
        Self { stays_at: Some(0), ..Self::default() }
    }

    /// One request as the holder of the key, on a kept connection; a broken one is forgotten.
    pub(super) fn send(
        &mut self,
        load: &Load,
        name: &str,
        ask: impl FnOnce(&mut Http) -> Result<Reply>,
    ) -> Result<Reply> {
        let base = load.base(name)?;
        let mut http = match self.open.remove(&base) {
            Some(http) => http,
            None => Http::connect(&base)?.patient_for(PATIENCE)?.as_bearer(&load.key),
        };
        let reply = ask(&mut http)?;
        if reply.header("connection") != Some("close") {
            self.open.insert(base, http);
        }
        Ok(reply)
    }
}

impl Load {
    /// Sends a new command until its outcome is known, some times; its answer, if it was accepted.
    pub(super) fn want(&self, client: &mut Client, wish: &Wish) -> Result<Option<Value>> {
        Ok(self.want_at(client, wish)?.map(|(_, answer)| answer))
    }

    /// The same, with the position.
    pub(super) fn want_at(&self, client: &mut Client, wish: &Wish) -> Result<Option<(u64, Value)>> {
        let _writing = self.quiet.read().unwrap_or_else(PoisonError::into_inner);
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let request = format!("w{number}");
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner).insert(request.clone(), wish.clone());
        for attempt in 0..ATTEMPTS {
            let index = client.stays_at.unwrap_or(usize::try_from(number)? + attempt) % SERVICES.len();
            match self.attempt(client, SERVICES[index], &request, wish)? {
                Known::Accepted(position, answer) => return Ok(Some((position, answer))),
                Known::Refused => return Ok(None),
                Known::Nothing => thread::sleep(Duration::from_millis(50 << attempt)),
            }
            client.stays_at = client.stays_at.map(|_| index + 1);
        }
        Ok(None)
    }

    /// Sends commands again until all their outcomes are known: those that are not, or all.
    pub(crate) fn resolve(&self, all: bool) -> Result<usize> {
        let open: Vec<(String, Wish)> = {
            let wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
            let open = wishes.iter().filter(|(_, wish)| all || !wish.is_known);
            open.map(|(request, wish)| (request.clone(), wish.clone())).collect()
        };
        let (mut client, deadline) = (Client::default(), Instant::now() + LIMIT);
        for (number, (request, wish)) in open.iter().enumerate() {
            for attempt in number.. {
                let service = SERVICES[attempt % SERVICES.len()];
                if !matches!(self.attempt(&mut client, service, request, wish)?, Known::Nothing) {
                    break;
                }
                ensure!(Instant::now() < deadline, "what became of {request} cannot be found out");
                thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(open.len())
    }

    fn attempt(&self, client: &mut Client, service: &str, request: &str, wish: &Wish) -> Result<Known> {
        let sent = self.history.now();
        let reply = client.send(self, service, |http| {
            http.send_with(wish.method, &wish.path, &[("idempotency-key", request)], &wish.body)
        });
        let answered = self.history.now();
        let (outcome, known) = match reply {
            Err(error) => (Outcome::Unknown { why: format!("{error:#}") }, Known::Nothing),
            Ok(reply) => self.outcome(&reply)?,
        };
        if !matches!(known, Known::Nothing) {
            let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(wish) = wishes.get_mut(request) {
                wish.is_known = true;
            }
        }
        self.history.add(Entry::Command(Command {
            request: request.to_owned(),
            service: service.to_owned(),
            makes: wish.makes.clone(),
            revokes: wish.revokes.clone(),
            wants_name: wish.wants_name.clone(),
            sent,
            answered,
            outcome,
        }));
        Ok(known)
    }

    fn outcome(&self, reply: &Reply) -> Result<(Outcome, Known)> {
        let (position, answer) = (self.position(reply), reply.json());
        let code = answer["code"].as_str().unwrap_or_default().to_owned();
        Ok(match reply.status {
            200 | 201 => {
                self.acknowledged.fetch_max(position, Ordering::SeqCst);
                let mut told = answer.clone();
                without_secrets(&mut told);
                (
                    Outcome::Acknowledged { position, body: told.to_string() },
                    Known::Accepted(position, answer),
                )
            }
            // Too much at once: the same command may be taken later.
            429 | 503 => (Outcome::Unknown { why: format!("{} {code}", reply.status) }, Known::Nothing),
            status @ 400..500 => (Outcome::Refused { status, code, position }, Known::Refused),
            status => bail!("a command was answered {status}: {answer}"),
        })
    }
}

enum Known {
    Accepted(u64, Value),
    Refused,
    Nothing,
}

/// A secret is given once: what is the same for ever is the rest of an answer.
fn without_secrets(answer: &mut Value) {
    match answer {
        Value::Object(members) => {
            members.remove("secret");
            members.remove("secret_withheld");
            members.values_mut().for_each(without_secrets);
        }
        Value::Array(items) => items.iter_mut().for_each(without_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
