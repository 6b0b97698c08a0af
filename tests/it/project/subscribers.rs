//! Subscribers in an account of their own, as `grantbook nats config` sets it up: mirrors of the derived streams follow, and
//! a subscriber of the journal's account moves there without losing or repeating a message.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use async_nats::{Client, ConnectOptions};
use bytes::Bytes;
use futures_util::StreamExt as _;
use grantbook_tests::server::Server;
use serde_json::{Value, json};

use crate::project::nats_config::{Scene, scene_of};

const LIMIT: Duration = Duration::from_mins(1);
const STREAM: &str = "GRANTBOOK_EVENTS";

/// A subscriber, whose client speaks the API of JetStream directly.
struct Subscriber {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

/// A message: its sequence, its `ce-id`, and where to acknowledge it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    sequence: u64,
    id: String,
    ack: String,
}

impl Subscriber {
    fn connect(scene: &Scene) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let seed = fs::read_to_string(scene.key("subscriber"))?;
        let options = ConnectOptions::new().nkey(seed.trim().to_owned());
        let options = options.custom_inbox_prefix("_INBOX_SUBSCRIBER");
        let client = runtime.block_on(options.connect(scene.first_url()))?;
        Ok(Self { runtime, client })
    }

    fn ask(&self, subject: String, question: &Value) -> Result<Value> {
        let question = if question.is_null() { Bytes::new() } else { question.to_string().into() };
        let asked = self.client.request(subject, question);
        let answer = self.runtime.block_on(async { tokio::time::timeout(LIMIT, asked).await })??;
        Ok(serde_json::from_slice(&answer.payload)?)
    }

    /// Makes a durable consumer that begins at a sequence.
    fn durable(&self, name: &str, first: u64) -> Result<()> {
        let config = json!({"durable_name": name, "name": name, "ack_policy": "explicit",
            "deliver_policy": "by_start_sequence", "opt_start_seq": first});
        let question = json!({"stream_name": STREAM, "action": "create", "config": config});
        let made = self.ask(format!("$JS.API.CONSUMER.CREATE.{STREAM}.{name}"), &question)?;
        ensure!(made["error"].is_null(), "{made}");
        Ok(())
    }

    /// Takes the next messages, and acknowledges them.
    fn take(&self, name: &str, count: usize) -> Result<Vec<Event>> {
        let deadline = Instant::now() + LIMIT;
        let mut events = Vec::new();
        while events.len() < count {
            ensure!(Instant::now() < deadline, "only {events:?} came");
            let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{name}");
            let question = json!({"batch": 1, "expires": 1_000_000_000}).to_string();
            // Not as a request: what is delivered has its own subject, by which the client would not know the answer.
            let next = self.runtime.block_on(async {
                let inbox = self.client.new_inbox();
                let mut messages = self.client.subscribe(inbox.clone()).await?;
                self.client.publish_with_reply(subject, inbox, question.into()).await?;
                anyhow::Ok(tokio::time::timeout(LIMIT, messages.next()).await?)
            })?;
            let Some(message) = next else { continue };
            let Some(ack) = message.reply.as_ref().map(ToString::to_string) else { continue };
            let id = message.headers.as_ref().and_then(|headers| headers.get("ce-id"));
            let id = id.context("an event has an id")?.to_string();
            let tokens: Vec<&str> = ack.split('.').collect();
            // ... <stream sequence>.<consumer sequence>.<time>.<pending>[.<token>]
            let place = if tokens.len() >= 11 { 7 } else { 5 };
            let sequence = tokens.get(place).context("a sequence")?.parse()?;
            self.runtime.block_on(self.client.request(ack.clone(), Bytes::new()))?;
            events.push(Event { sequence, id, ack });
        }
        Ok(events)
    }

    fn ack_floor(&self, name: &str) -> Result<u64> {
        let told = self.ask(format!("$JS.API.CONSUMER.INFO.{STREAM}.{name}"), &Value::Null)?;
        told["ack_floor"]["stream_seq"].as_u64().with_context(|| told.to_string())
    }
}

/// A command service, and a node with a relay.
fn start(scene: &Scene, first: &Server) -> Result<[Server; 2]> {
    let command = scene.start(first, "command", "command")?;
    let mut relay = first.another_stopped("read")?;
    relay.set_env("GRANTBOOK_NATS_NKEY", &scene.key("relay"));
    relay.set_env("GRANTBOOK_RELAY", "true");
    relay.spawn()?;
    Ok([command, relay])
}

fn make(command: &Server, tag: &str, count: usize) -> Result<()> {
    (0..count).try_for_each(|n| {
        let made = command.call("POST", "/v1/tokens", &json!({"name": format!("{tag}.{n}")}))?;
        made.expect(201).map(drop)
    })
}

#[test]
fn mirrors_on_three_servers_follow_and_say_so() -> Result<()> {
    let scene = scene_of(3, false)?;
    let first = scene.found(&[])?;
    let servers = start(&scene, &first)?;
    let [command, _] = &servers;
    make(command, "before", 3)?;
    let said = scene.prepare_subscribers()?;
    ensure!(
        said.lines().filter(|line| line.contains("made") && line.contains("3 replicas")).count() == 2,
        "{said}"
    );
    let said = scene.prepare_subscribers()?;
    ensure!(said.lines().filter(|line| line.contains("as it must be")).count() == 2, "{said}");
    let subscriber = Subscriber::connect(&scene)?;
    subscriber.durable("siem", 1)?;
    make(command, "after", 3)?;
    // The founding has events of its own.
    let founding = subscriber.take("siem", 1)?;
    ensure!(founding[0].sequence == 1, "{founding:?}");
    let more = subscriber.take("siem", 6)?;
    ensure!(more.iter().zip(2..).all(|(event, sequence)| event.sequence == sequence), "{more:?}");
    Ok(())
}

/// The block of a user in `accounts.conf`.
fn user_of(accounts: &str, role: &str) -> Result<String> {
    let head = format!("      # {role}\n");
    let (_, behind) = accounts.split_once(&head).with_context(|| format!("{role} in {accounts}"))?;
    let (block, _) = behind.split_once("      } }\n").context("the end of the user")?;
    Ok(format!("{head}{block}      }} }}\n"))
}

/// As earlier versions wrote it: subscribers beside everybody else, and no account of theirs.
fn old_accounts(new: &str) -> Result<String> {
    let subscriber = user_of(new, "subscriber")?;
    let (journal, rest) = new.split_once("    # What fills the mirrors").context("the exports")?;
    let (users, _) = journal.rsplit_once("    ]\n").context("the end of the users")?;
    let (_, system) = rest.split_once("  # For those who look after").context("the system account")?;
    Ok(format!("{users}{subscriber}    ]\n  }}\n  # For those who look after{system}"))
}

/// What docs/operating.md says of moving, step by step.
#[test]
fn a_subscriber_moves_to_the_account_of_subscribers_and_misses_nothing() -> Result<()> {
    let mut scene = scene_of(1, false)?;
    let path = scene.dir.join("accounts.conf");
    let new = fs::read_to_string(&path)?;
    fs::write(&path, old_accounts(&new)?)?;
    scene.restart()?;
    let first = scene.found(&[])?;
    let servers = start(&scene, &first)?;
    let [command, _] = &servers;
    make(command, "old", 4)?;
    let old = Subscriber::connect(&scene)?;
    old.durable("siem", 1)?;
    let before = old.take("siem", 3)?;
    let floor = old.ack_floor("siem")?;
    assert_eq!(floor, before.last().context("the last one")?.sequence);
    old.durable("reference", floor + 1)?;
    let due = old.take("reference", 2)?;
    drop(old);

    fs::write(&path, &new)?;
    // A reload is not enough: imports of an account that is new then do not reach its mirrors (nats-server 2.15.1).
    scene.restart()?;
    scene.prepare_subscribers()?;
    let deadline = Instant::now() + LIMIT;
    let moved = loop {
        match Subscriber::connect(&scene) {
            Ok(moved) => break moved,
            Err(error) => ensure!(Instant::now() < deadline, "{error}"),
        }
        thread::sleep(Duration::from_millis(100));
    };
    moved.durable("siem", floor + 1)?;
    let taken = moved.take("siem", 2)?;
    let plain =
        |events: &[Event]| events.iter().map(|one| (one.sequence, one.id.clone())).collect::<Vec<_>>();
    assert_eq!(plain(&taken), plain(&due), "the next ones, the same ones, at the same sequences");
    make(command, "new", 1)?;
    moved.take("siem", 1)?;
    Ok(())
}
