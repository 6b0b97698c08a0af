//! The relay: how soon a consumer of the events stream has what was acknowledged, and how many events a second it carries.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use async_nats::jetstream::{self, consumer::DeliverPolicy, consumer::pull::OrderedConfig};
use futures_util::StreamExt as _;
use grantbook_tests::{
    nats::{Nats, streams::Streams},
    server::Server,
};
use serde_json::{Value, json};

use crate::report::{histogram, note, per_second, quantile, rate, row, table};

const STREAM: &str = "GRANTBOOK_EVENTS";
/// Events of one record of the backlog.
const OF_RECORD: usize = 100;
/// How long a message may take.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) fn run() -> Result<()> {
    let (rounds, records) = if cfg!(debug_assertions) { (20, 10) } else { (2_000, 1_000) };
    let title = "The relay, sync always: acknowledged until at a consumer of the events stream; and a backlog carried";
    table(title, &["brokers", "commands", "p50", "p99", "max", "events of the backlog", "events/s"]);
    for brokers in [1, 3] {
        let nats = if brokers == 1 { Nats::single()? } else { Nats::cluster()? };
        let first = Server::init_over(&nats.url())?;
        let command = first.another("command")?;
        let mut relay = first.another_stopped("read")?;
        relay.set_env("GRANTBOOK_RELAY", "true");
        relay.spawn()?;
        let streams = Streams::of(&nats)?;
        // What init appended is there before anything is measured.
        while !is_active(&relay)? {
            thread::yield_now();
        }
        let lag = lag(&nats, &streams, &command, rounds)?;
        relay.terminate()?;
        let before = streams.last(STREAM)?;
        backlog(&command, records)?;
        let due = before + u64::try_from(records * OF_RECORD)?;
        relay.spawn()?;
        // From its first message on: what comes before is the start of the process.
        streams.wait_for(STREAM, before + 1)?;
        let (from, began) = (streams.last(STREAM)?, Instant::now());
        streams.wait_for(STREAM, due)?;
        let carried = usize::try_from(due.saturating_sub(from))?;
        let (p50, p99, max) = (quantile(&lag, 0.5), quantile(&lag, 0.99), quantile(&lag, 1.0));
        let speed = per_second(rate(carried, began.elapsed()));
        row(&[brokers.to_string(), rounds.to_string(), p50, p99, max, carried.to_string(), speed]);
    }
    Ok(())
}

fn is_active(relay: &Server) -> Result<bool> {
    let ready = relay.http()?.send("GET", "/readyz", &Value::Null)?.json();
    Ok(ready.pointer("/relay/0/state").is_some_and(|state| state == "active"))
}

/// One command after another, each waited for at the consumer.
fn lag(
    nats: &Nats,
    streams: &Streams,
    command: &Server,
    rounds: usize,
) -> Result<hdrhistogram::Histogram<u64>> {
    let (tell, told) = mpsc::sync_channel(1024);
    let (urls, from) = (nats.urls(), streams.last(STREAM)? + 1);
    // Ends once nobody listens any more and a further message comes, or with the process.
    let _consumer = thread::spawn(move || consume(urls, from, &tell));
    let mut http = command.http()?.as_bearer(&command.owner_key);
    let mut lag = histogram();
    for round in 0..rounds {
        http.send("POST", "/v1/projects", &json!({"name": format!("lag-{round}")}))?.expect(201)?;
        let acknowledged = Instant::now();
        let seen: Instant = told.recv_timeout(PATIENCE).context("no message")?;
        // A message may overtake the acknowledgement.
        note(&mut lag, seen.saturating_duration_since(acknowledged));
    }
    Ok(lag)
}

fn consume(urls: Vec<String>, from: u64, tell: &mpsc::SyncSender<Instant>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let stream = jetstream::new(async_nats::connect(urls).await?).get_stream(STREAM).await?;
        let deliver_policy = DeliverPolicy::ByStartSequence { start_sequence: from };
        let config = OrderedConfig { deliver_policy, ..OrderedConfig::default() };
        let mut messages = stream.create_consumer(config).await?.messages().await?;
        while let Some(message) = messages.next().await {
            message?;
            if tell.send(Instant::now()).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// Records that nobody relays yet.
fn backlog(command: &Server, records: usize) -> Result<()> {
    let mut http = command.http()?.as_bearer(&command.owner_key);
    for record in 0..records {
        let project = |event| {
            let name = format!("b-{record}-{event}");
            json!({"method": "POST", "path": "/v1/projects", "body": {"name": name}})
        };
        let commands: Vec<Value> = (0..OF_RECORD).map(project).collect();
        http.send("POST", "/v1/batch", &json!({"commands": commands}))?.expect(200)?;
    }
    Ok(())
}
