//! What a stream holds, asked of its leader in plain words of the API, message by message.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::Nats;

const LIMIT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(50);

/// One message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its place in the stream.
    pub sequence: u64,
    /// Where it was published.
    pub subject: String,
    /// Its headers; names in lower case.
    pub headers: BTreeMap<String, String>,
    /// What it says.
    pub body: Vec<u8>,
}

impl Told {
    /// A header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// What it says, as JSON.
    pub fn json(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// A connection that asks servers about their streams.
#[derive(Debug)]
pub struct Streams {
    runtime: Runtime,
    client: async_nats::Client,
}

impl Streams {
    /// Connects as nobody in particular.
    pub fn of(nats: &Nats) -> Result<Self> {
        Self::connect(nats.urls(), async_nats::ConnectOptions::new())
    }

    /// Connects as the options say.
    pub fn connect(urls: Vec<String>, options: async_nats::ConnectOptions) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let client = runtime.block_on(options.connect(urls))?;
        Ok(Self { runtime, client })
    }

    /// One question of the API, `verb` being what stands behind `$JS.API.`; asked again while nobody answers.
    pub fn ask(&self, verb: &str, body: &Value) -> Result<Value> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let asked = self.client.request(format!("$JS.API.{verb}"), body.to_string().into());
            match self.runtime.block_on(asked) {
                Ok(answer) => return Ok(serde_json::from_slice(&answer.payload)?),
                Err(error) if Instant::now() > deadline => bail!("{verb}: {error}"),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// The same; an error if the answer is one.
    pub fn done(&self, verb: &str, body: &Value) -> Result<Value> {
        let answer = self.ask(verb, body)?;
        ensure!(answer.get("error").is_none(), "{verb}: {answer}");
        Ok(answer)
    }

    /// The stream's last sequence, as its leader says.
    pub fn last(&self, stream: &str) -> Result<u64> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let info = self.ask(&format!("STREAM.INFO.{stream}"), &json!({}))?;
            match info["state"]["last_seq"].as_u64() {
                Some(last) => return Ok(last),
                None if Instant::now() > deadline => bail!("{info}"),
                None => std::thread::sleep(PAUSE),
            }
        }
    }

    /// One message, of the leader.
    pub fn message(&self, stream: &str, sequence: u64) -> Result<Told> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let found = self.ask(&format!("STREAM.MSG.GET.{stream}"), &json!({"seq": sequence}))?;
            if found.get("error").is_none() {
                return told(&found["message"]);
            }
            ensure!(Instant::now() < deadline, "message {sequence} of {stream}: {found}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Every message.
    pub fn all(&self, stream: &str) -> Result<Vec<Told>> {
        (1..=self.last(stream)?).map(|sequence| self.message(stream, sequence)).collect()
    }

    /// Waits until the stream has this message.
    pub fn wait_for(&self, stream: &str, sequence: u64) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let last = self.last(stream)?;
            if last >= sequence {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{stream} ends at {last}, not at {sequence}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Publishes a message without any guard and waits for what the stream says.
    pub fn publish(&self, subject: &str, body: &str) -> Result<Value> {
        let answer =
            self.runtime.block_on(self.client.request(subject.to_owned(), body.to_owned().into()))?;
        Ok(serde_json::from_slice(&answer.payload)?)
    }
}

fn told(message: &Value) -> Result<Told> {
    let decoded = |name: &str| STANDARD.decode(message[name].as_str().unwrap_or_default());
    let text = String::from_utf8(decoded("hdrs")?)?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    Ok(Told {
        sequence: message["seq"].as_u64().context("a sequence")?,
        subject: message["subject"].as_str().context("a subject")?.to_owned(),
        headers: text.lines().filter_map(header).collect(),
        body: decoded("data")?,
    })
}
