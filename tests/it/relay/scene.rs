//! A command service under load, relays, brokers; and what the derived streams must hold in the end.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use grantbook_domain::position::Position;
use grantbook_journal::{
    Item, Journal as _, frame,
    hash::Hash,
    jetstream::{JetStreamJournal, NatsOptions},
};
use grantbook_server::wire::position;
use grantbook_tests::{
    binary, frames,
    nats::{
        Nats,
        streams::{Streams, Told},
    },
    server::Server,
    wire::Http,
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(20);
const WRITERS: usize = 3;

/// Everything that runs.
pub(super) struct Scene {
    pub(super) nats: Nats,
    pub(super) command: Server,
    pub(super) relays: Vec<Server>,
    pub(super) streams: Streams,
}

/// What an event's message must be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected {
    subject: String,
    id: String,
    place: String,
    frame: String,
}

/// Asks until the answer is as it should be.
pub(super) fn until<T: std::fmt::Debug>(
    ask: impl Fn() -> Result<T>,
    is_good: impl Fn(&T) -> bool,
) -> Result<T> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let last = ask();
        match last {
            Ok(answer) if is_good(&answer) => return Ok(answer),
            last if Instant::now() > deadline => bail!("it does not come to that: {last:?}"),
            _ => thread::sleep(PAUSE),
        }
    }
}

impl Scene {
    /// A new installation with a command service and so many relays.
    pub(super) fn start(nats: Nats, relays: usize) -> Result<Self> {
        let first = Server::init_over(&nats.url())?;
        let command = first.another("command")?;
        let relays = (0..relays).map(|_| relay(&first)).collect::<Result<_>>()?;
        let streams = Streams::of(&nats)?;
        Ok(Self { nats, command, relays, streams })
    }

    /// Lets writers write while something happens.
    pub(super) fn under_load(
        &mut self,
        happen: impl FnOnce(&mut Self, &Load<'_>) -> Result<()>,
    ) -> Result<()> {
        let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (base, key) = (self.command.base().to_owned(), self.command.owner_key.clone());
        let load = Load { stop: &stop, count: &count, base: &base, key: &key };
        thread::scope(|scope| -> Result<()> {
            let writers: Vec<_> =
                (0..WRITERS).map(|writer| scope.spawn(move || load.write(writer))).collect();
            let happened = happen(self, &load);
            stop.store(true, Ordering::Relaxed);
            for writer in writers {
                writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??;
            }
            happened
        })
    }

    /// The messages of the events stream, once it holds every event of the journal; each once and in order.
    pub(super) fn settled(&self) -> Result<Vec<Told>> {
        let expected = self.expected()?;
        self.streams.wait_for("GRANTBOOK_EVENTS", expected.len() as u64)?;
        let told = self.streams.all("GRANTBOOK_EVENTS")?;
        for (message, expected) in told.iter().zip(&expected) {
            let is = Expected {
                subject: message.subject.clone(),
                id: message.header("ce-id").to_owned(),
                place: message.header("grantbook-place").to_owned(),
                frame: message.header("grantbook-frame").to_owned(),
            };
            ensure!(is == *expected, "message {} is {is:?}, not {expected:?}", message.sequence);
            let guard = (message.sequence - 1).to_string();
            ensure!(message.header("nats-expected-last-sequence") == guard, "{message:?}");
        }
        ensure!(told.len() == expected.len(), "{} messages for {} events", told.len(), expected.len());
        Ok(told)
    }

    /// What the journal, read from outside, says that the events stream must hold.
    pub(super) fn expected(&self) -> Result<Vec<Expected>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(async {
            let journal = JetStreamJournal::open(&NatsOptions::new(self.nats.urls())).await?;
            let installation = journal.identity().installation;
            let mut expected = Vec::new();
            for stored in frames::all(&journal).await?.into_iter().filter_map(Item::into_frame) {
                let records = frame::decode(&stored.bytes)?.records;
                for (record, index) in records.iter().zip(0_u64..) {
                    let at = Position::of(stored.sequence, index);
                    let id = position::encode(installation, at);
                    for (event, part) in record.events.iter().zip(0_u32..) {
                        expected.push(Expected {
                            subject: format!("grantbook.events.{}.{}", stored.org, event.kind().name()),
                            id: format!("{id}/{part}"),
                            place: format!("{}.{index}.{part}", stored.sequence),
                            frame: Hash::of(&stored.bytes).to_string(),
                        });
                    }
                }
            }
            Ok(expected)
        })
    }

    /// What a relay says of itself.
    pub(super) fn ready_of(&self, relay: usize) -> Result<Value> {
        Ok(self.relays[relay].http()?.send("GET", "/readyz", &Value::Null)?.json())
    }

    pub(super) fn state_of(&self, relay: usize, stream: &str) -> Result<String> {
        let ready = self.ready_of(relay)?;
        let lines = ready["relay"].as_array().context("lines")?;
        let line = lines.iter().find(|line| line["stream"] == stream).context("a line")?;
        Ok(line["state"].as_str().unwrap_or_default().to_owned())
    }

    pub(super) fn active_of(&self, relay: usize, stream: &str) -> Result<bool> {
        Ok(self.state_of(relay, stream)? == "active")
    }

    /// Which relay publishes.
    pub(super) fn active(&self, stream: &str) -> Result<Option<usize>> {
        for relay in 0..self.relays.len() {
            if self.active_of(relay, stream)? {
                return Ok(Some(relay));
            }
        }
        Ok(None)
    }

    /// What the doctor says.
    pub(super) fn doctor(&self, further: &[&str]) -> Result<Value> {
        let urls = self.nats.url();
        let args = [&["--json", "doctor", "--nats", &urls], further].concat();
        Ok(serde_json::from_slice(&binary::run(&args, &[])?.stdout)?)
    }

    /// How each broker sees its streams, for whoever has to find out.
    pub(super) fn brokers(&self) -> String {
        let told =
            |index| self.nats.monitor(index, "/jsz?streams=1").unwrap_or_else(|error| error.to_string());
        (0..self.nats.len()).map(told).collect()
    }

    /// Waits until a broker that was started again is well; one whose stream does not come up is started once more
    /// (docs/operating.md).
    pub(super) fn recover(&mut self, index: usize) -> Result<()> {
        let Err(error) = self.nats.wait_ready(index) else { return Ok(()) };
        ensure!(self.nats.log(index).contains("monitor goroutine not running"), "{error:#}");
        self.nats.kill(index)?;
        self.nats.start(index)
    }
}

/// A read node with a relay.
pub(super) fn relay(first: &Server) -> Result<Server> {
    let mut server = first.another_stopped("read")?;
    server.set_env("GRANTBOOK_RELAY", "true");
    server.spawn()?;
    Ok(server)
}

/// Writers and what they share.
#[derive(Clone, Copy)]
pub(super) struct Load<'a> {
    stop: &'a AtomicBool,
    count: &'a AtomicUsize,
    base: &'a str,
    key: &'a str,
}

impl Load<'_> {
    /// Until so many more commands were accepted.
    pub(super) fn progress(self, more: usize) -> Result<()> {
        let (from, deadline) = (self.count.load(Ordering::Relaxed), Instant::now() + LIMIT);
        while self.count.load(Ordering::Relaxed) < from + more {
            ensure!(Instant::now() < deadline, "no command is accepted any more");
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn write(self, writer: usize) -> Result<()> {
        for number in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            self.send(&format!("{writer}-{number}"))?;
        }
        Ok(())
    }

    /// A group with a grant and a token in it: five events that change what the token may do. Sent again while the service is
    /// busy, which includes 429: a fast machine makes more work here than one organization may.
    fn send(self, name: &str) -> Result<()> {
        let body = json!({"commands": [
            {"method": "POST", "path": "/v1/projects", "body": {"name": name}},
            {"method": "POST", "path": "/v1/tokens", "body": {"name": name}},
            {"method": "POST", "path": "/v1/groups", "body": {"name": name}},
            {"method": "POST", "path": "/v1/grants", "body": {
                "to": {"type": "group", "id": "$2.id"}, "role": "Engineer",
                "on": {"projects": {"include": [{"id": "$0.id"}]}}}},
            {"method": "POST", "path": "/v1/groups/$2.id/members", "body": {"member": {"type": "token", "id": "$1.id"}}},
        ]});
        let deadline = Instant::now() + LIMIT;
        loop {
            let headers = [("idempotency-key", name)];
            let sent = Http::connect(self.base)
                .and_then(|http| http.as_bearer(self.key).send_with("POST", "/v1/batch", &headers, &body));
            match sent.map(|reply| (reply.status, reply.json())) {
                Ok((200, _)) => {
                    self.count.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Ok((status, answer)) if !matches!(status, 429 | 503) => {
                    bail!("{name} was answered {status}: {answer}")
                }
                _ if Instant::now() > deadline => bail!("{name} was not accepted"),
                _ => thread::sleep(PAUSE),
            }
        }
    }
}
