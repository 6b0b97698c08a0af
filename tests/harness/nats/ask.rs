//! Asking JetStream what the program under test is not asked.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::Nats;

const LIMIT: Duration = Duration::from_mins(1);

impl Nats {
    /// Which server leads the journal's stream, once one does.
    pub fn leader(&self) -> Result<usize> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let told = self.ask("STREAM.INFO.GRANTBOOK", &json!({}));
            let name = told.ok().and_then(|told| told["cluster"]["leader"].as_str().map(str::to_owned));
            if let Some(index) = name.and_then(|name| name.strip_prefix('n')?.parse().ok()) {
                return Ok(index);
            }
            ensure!(Instant::now() < deadline, "the stream has no leader");
            super::pause();
        }
    }

    /// Makes a server the leader of the journal's stream.
    pub fn lead(&self, index: usize) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while self.leader()? != index {
            ensure!(Instant::now() < deadline, "n{index} does not become the leader");
            let wish = json!({"placement": {"preferred": format!("n{index}")}});
            // Refused as long as it has not caught up.
            drop(self.ask("STREAM.LEADER.STEPDOWN.GRANTBOOK", &wish));
            std::thread::sleep(Duration::from_millis(300));
        }
        Ok(())
    }

    /// One question to JetStream's API, as anybody.
    pub fn ask(&self, verb: &str, body: &Value) -> Result<Value> {
        ask(self.urls(), verb, body)
    }

    /// The same, of one server.
    pub fn ask_one(&self, index: usize, verb: &str, body: &Value) -> Result<Value> {
        ask(vec![self.urls().get(index).context("there is such a server")?.clone()], verb, body)
    }
}

fn ask(urls: Vec<String>, verb: &str, body: &Value) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = async_nats::connect(urls).await?;
        let asked = client.request(format!("$JS.API.{verb}"), body.to_string().into());
        let answer = tokio::time::timeout(Duration::from_secs(5), asked).await.context("no answer")??;
        let answer: Value = serde_json::from_slice(&answer.payload)?;
        if answer["error"].is_object() {
            bail!("{}", answer["error"]);
        }
        Ok(answer)
    })
}
