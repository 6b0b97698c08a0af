//! What is asked of the brokers as a whole: who leads the journal's stream, that another leads, that it forgets the ids
//! of messages.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{NODES, SERVICES, Stage};

const LIMIT: Duration = Duration::from_mins(1);

impl Stage {
    /// Asks JetStream's API; the answer, also if it is a refusal.
    pub(crate) fn api(&self, subject: &str, body: &Value) -> Result<Value> {
        let (subject, body) = (format!("$JS.API.{subject}"), body.to_string());
        self.block_on(async {
            let client = async_nats::connect(self.nats.urls()).await?;
            let answer = client.request(subject, body.into()).await?;
            Ok(serde_json::from_slice(&answer.payload)?)
        })
    }

    /// Which broker leads the journal's stream.
    pub(crate) fn leader(&self) -> Result<usize> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let told = self.api("STREAM.INFO.GRANTBOOK", &json!({}));
            let name = told.as_ref().ok().and_then(|told| told["config"].is_object().then_some(told));
            let name = name.and_then(|told| told["cluster"]["leader"].as_str());
            if let Some(index) = name.and_then(|name| name.strip_prefix('n')?.parse().ok()) {
                return Ok(index);
            }
            ensure!(Instant::now() < deadline, "the stream has no leader: {told:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// A broker that does not lead.
    pub(crate) fn follower(&self) -> Result<usize> {
        let leader = self.leader()?;
        (0..self.nats.len()).find(|index| *index != leader).context("three brokers")
    }

    /// The leader lets another lead.
    pub(crate) fn step_down(&self) -> Result<()> {
        let (before, deadline) = (self.leader()?, Instant::now() + LIMIT);
        let answer = self.api("STREAM.LEADER.STEPDOWN.GRANTBOOK", &json!({}))?;
        ensure!(answer["success"] == true, "the leader does not step down: {answer}");
        while self.leader()? == before {
            ensure!(Instant::now() < deadline, "the old leader leads again");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Until a broker has all of the stream again.
    pub(crate) fn wait_current(&self, index: usize) -> Result<()> {
        let (name, deadline) = (format!("n{index}"), Instant::now() + LIMIT);
        loop {
            let told = self.api("STREAM.INFO.GRANTBOOK", &json!({})).unwrap_or_default();
            let leads = told["cluster"]["leader"] == name.as_str();
            let replicas = told["cluster"]["replicas"].as_array().cloned().unwrap_or_default();
            if leads || replicas.iter().any(|one| one["name"] == name.as_str() && one["current"] == true) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{name} does not catch up: {told}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// What the brokers have printed since this was last asked that must not be where nobody harmed their files.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        for (index, read) in self.read.iter_mut().enumerate() {
            let log = self.nats.log(index);
            let new = log.get(*read..).unwrap_or_default().lines();
            let is_bad = |line: &&str| {
                (line.contains("[ERR]") && line.contains("ritical"))
                    || line.contains("[FTL]")
                    || line.contains("panic")
            };
            found.extend(new.filter(is_bad).map(|line| format!("n{index}: {line}")));
            *read = log.len();
        }
        found
    }

    /// Keeps what everybody printed, for whoever looks for the cause.
    pub(crate) fn keep_logs(&self, directory: &Path) -> Result<()> {
        for index in 0..self.nats.len() {
            std::fs::write(directory.join(format!("n{index}.log")), self.nats.log(index))?;
        }
        let processes = SERVICES.into_iter().zip(&self.services).chain(NODES.into_iter().zip(&self.nodes));
        for (name, server) in processes {
            std::fs::write(directory.join(format!("{name}.log")), server.log())?;
        }
        Ok(())
    }

    /// Makes the brokers' own memory of messages as short as they allow: that retries have one effect must not hang on it.
    pub(crate) fn forget_message_ids(&mut self) -> Result<()> {
        let mut config = self.api("STREAM.INFO.GRANTBOOK", &json!({}))?["config"].take();
        config["duplicate_window"] = 100_000_000.into();
        let updated = self.api("STREAM.UPDATE.GRANTBOOK", &config)?;
        ensure!(updated["config"]["duplicate_window"] == 100_000_000, "{updated}");
        Ok(())
    }
}
