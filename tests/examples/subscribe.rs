//! An example of a subscriber in Rust: writes who did what into a file, a line an event, each once whatever dies meanwhile.
//!
//! It keeps its own place: a line begins with the message's sequence in the stream, so the file's last whole line says
//! where to go on. Effect and place are one write; that is what makes it exactly once. The stream gives messages in order
//! and never loses one, so no more is needed. Names of actors come from Grantbook's API, asked at the event's position.
//!
//! `NATS_URL`, `GRANTBOOK_URL`, `GRANTBOOK_KEY` (with the right `read` on `org_member`), and the file as argument.

use std::{
    collections::HashMap,
    env,
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
};

use anyhow::{Context, Result};
use async_nats::jetstream::{self, consumer::DeliverPolicy, consumer::pull::OrderedConfig};
use futures_util::StreamExt as _;
use grantbook_api::{
    client::{Client, Options},
    questions::feed::EventData,
    words::{
        reference::{Actor, ActorType},
        secret::Secret,
    },
};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<()> {
    let path = env::args().nth(1).context("the file to write")?;
    let (mut file, last) = resume(Path::new(&path))?;
    let key = Secret::new(env::var("GRANTBOOK_KEY")?);
    let mut names =
        Names { client: Client::new(&env::var("GRANTBOOK_URL")?, Some(key))?, known: HashMap::new() };

    let nats =
        async_nats::connect(env::var("NATS_URL")?.split(',').map(str::to_owned).collect::<Vec<_>>()).await?;
    let stream = jetstream::new(nats).get_stream("GRANTBOOK_EVENTS").await?;
    let config = OrderedConfig {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: last + 1 },
        ..OrderedConfig::default()
    };
    let mut messages = stream.create_consumer(config).await?.messages().await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let sequence = message.info().map_err(|error| anyhow::anyhow!(error))?.stream_sequence;
        let event: EventData = serde_json::from_slice(&message.payload)?;
        let actor = names.of(&event).await?;
        let name = event.event.get("type").and_then(Value::as_str).unwrap_or_default();
        writeln!(file, "{sequence} {} {actor} {name}", event.at)?;
        file.sync_data()?;
    }
    Ok(())
}

/// The file, open behind its last whole line, and the sequence in that line. A line that was cut off is taken away.
fn resume(path: &Path) -> Result<(File, u64)> {
    let file = OpenOptions::new().create(true).truncate(false).read(true).append(true).open(path)?;
    let (mut whole, mut last) = (0, 0);
    let mut lines = BufReader::new(&file);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 && line.ends_with('\n') {
        whole += u64::try_from(line.len())?;
        last = line.split(' ').next().context("a sequence")?.parse()?;
        line.clear();
    }
    file.set_len(whole)?;
    Ok((file, last))
}

/// Names of actors: an event tells ids, as names change.
struct Names {
    client: Client,
    known: HashMap<String, String>,
}

impl Names {
    async fn of(&mut self, event: &EventData) -> Result<String> {
        let Actor { kind, id: Some(id), .. } = &event.actor else {
            return Ok(if event.actor.kind == ActorType::System { "system" } else { "operator" }.to_owned());
        };
        if let Some(name) = self.known.get(id) {
            return Ok(name.clone());
        }
        // Any node may answer, once it has come as far as the event.
        let options = Options { at_least: Some(event.position.clone()), ..Options::default() };
        let client = self.client.with(options);
        let name = match kind {
            ActorType::User => client.user(id).await?.value.email,
            ActorType::Token | ActorType::System | ActorType::Operator => client.token(id).await?.value.name,
        };
        self.known.insert(id.clone(), name.clone());
        Ok(name)
    }
}
