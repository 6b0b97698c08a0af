//! One organization of several in an installation, as its owner uses it.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    binary,
    wire::{Http, Reply},
};

/// Most commands of one batch.
const BATCH: usize = 1_000;
/// How long a request is repeated that is refused for the moment.
const LIMIT: Duration = Duration::from_mins(2);

/// An organization, and the addresses that it uses.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The organization's id.
    pub id: String,
    /// The id of its owner.
    pub owner: String,
    /// Its owner's key.
    pub key: String,
    /// Base URL of the process that takes its commands.
    pub writes: String,
    /// Base URL of the process that answers its questions.
    pub reads: String,
}

impl Tenant {
    /// Creates an organization in an installation: `["--data", DIR]` while no process runs there, or `["--nats", URLS]`.
    pub fn create(name: &str, installation: [&str; 2]) -> Result<Self> {
        let email = format!("{name}@example.com");
        let args = [&["--json", "org", "create", "--org", name, "--owner", &email], &installation[..]];
        let output = binary::run(&args.concat(), &[])?;
        ensure!(output.status.success(), "org create: {}", String::from_utf8_lossy(&output.stderr));
        let made: Value = serde_json::from_slice(&output.stdout)?;
        let text = |pointer: &str| -> Result<String> {
            let found = made.pointer(pointer).and_then(Value::as_str);
            Ok(found.with_context(|| format!("org create prints {pointer}"))?.to_owned())
        };
        let (id, owner, key) = (text("/organization/id")?, text("/user/id")?, text("/key")?);
        Ok(Self { id, owner, key, writes: String::new(), reads: String::new() })
    }

    /// The same organization, at these processes.
    pub fn at(&self, writes: &str, reads: &str) -> Self {
        Self { writes: writes.to_owned(), reads: reads.to_owned(), ..self.clone() }
    }

    /// One command; repeated while the service is busy.
    pub fn command(&self, method: &str, path: &str, body: &Value) -> Result<Reply> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let reply = Http::connect(&self.writes)?.as_bearer(&self.key).send(method, path, body)?;
            if !matches!(reply.status, 429 | 503) {
                return Ok(reply);
            }
            ensure!(Instant::now() < deadline, "{method} {path} is refused: {}", reply.json());
            let seconds = reply.header("retry-after").and_then(|text| text.parse().ok()).unwrap_or(1);
            thread::sleep(Duration::from_secs(seconds));
        }
    }

    /// Creates one thing; the answer.
    pub fn make(&self, path: &str, body: &Value) -> Result<Value> {
        self.command("POST", path, body)?.expect(201)
    }

    /// Carries out commands in as few batches as possible; the answer to each. A command may name what came before it in its
    /// batch (`$0.id`) only if all fit one batch.
    pub fn batch(&self, commands: &[Value]) -> Result<Vec<Value>> {
        let mut bodies = Vec::with_capacity(commands.len());
        for some in commands.chunks(BATCH) {
            let reply = self.command("POST", "/v1/batch", &json!({"commands": some}))?;
            let mut answer = match reply.status {
                200 | 201 => reply.json(),
                status => bail!("a batch is refused: {status} {}", reply.json()),
            };
            let results = answer["results"].as_array_mut().context("results")?;
            bodies.extend(results.iter_mut().map(|one| one["body"].take()));
        }
        Ok(bodies)
    }

    /// The same; the id of each result.
    pub fn batch_ids(&self, commands: &[Value]) -> Result<Vec<String>> {
        self.batch(commands)?.iter().map(id).collect()
    }

    /// The position of the organization's last record.
    pub fn position(&self) -> Result<String> {
        let mut http = Http::connect(&self.reads)?.as_bearer(&self.key);
        let reply = http.send_at("latest", "GET", "/v1/whoami", &Value::Null)?;
        Ok(reply.header("grantbook-position").context("a position")?.to_owned())
    }
}

/// One command of a batch.
pub fn post(path: &str, body: Value) -> Value {
    let mut command = json!({"method": "POST", "path": path});
    command["body"] = body;
    command
}

/// The id in an answer.
pub fn id(answer: &Value) -> Result<String> {
    Ok(answer["id"].as_str().with_context(|| format!("an id in {answer}"))?.to_owned())
}
