//! From an acknowledged revocation until each of three read nodes refuses, beside the bare time from a publish until
//! another connection has the message; three brokers, all of which sync always (promise 4).

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{nats::Nats, server::Server};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::{
    parts::jetstream,
    report::{histogram, note, quantile, row, table},
};

const NODES: usize = 3;
/// How many keys are revoked, one after another.
const REVOCATIONS: usize = if cfg!(debug_assertions) { 10 } else { 500 };
/// A node that allows for so much longer is broken.
const LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn run() -> Result<()> {
    let nats = Nats::cluster()?;
    let first = Server::init_over(&nats.url())?;
    let command = first.another("command")?;
    let nodes: Vec<Server> = (0..NODES).map(|_| first.another("read")).collect::<Result<_>>()?;
    let made = command.call("POST", "/v1/projects", &json!({"name": "p"}))?.expect(201)?;
    let project = made.pointer("/id").and_then(Value::as_str).context("an id")?;
    let mut refused: Vec<Histogram<u64>> = (0..NODES).map(|_| histogram()).collect();
    let mut slowest = histogram();
    for number in 0..REVOCATIONS {
        let times = one(&command, &nodes, project, number)?;
        for (histogram, time) in refused.iter_mut().zip(&times) {
            note(histogram, *time);
        }
        note(&mut slowest, times.into_iter().max().unwrap_or_default());
    }
    let delivered = jetstream::delivered(&nats)?;
    table("A revocation on three read nodes, asked all the time over HTTP", &["what", "p50", "p99", "max"]);
    let show = |what: &str, times: &Histogram<u64>| {
        row(&[what.to_owned(), quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1.0)]);
    };
    show("bare: publish to delivery", &delivered);
    for (number, times) in (1..).zip(&refused) {
        show(&format!("acknowledged to refused, node {number}"), times);
    }
    show("acknowledged to refused, the slowest of the three", &slowest);
    Ok(())
}

/// Gives a key access, waits until every node allows, revokes it; how long each node went on allowing.
fn one(command: &Server, nodes: &[Server], project: &str, number: usize) -> Result<Vec<Duration>> {
    let on = json!({"object": {"type": "project", "id": project}});
    let body = json!({"commands": [
        {"method": "POST", "path": "/v1/tokens", "body": {"name": format!("t{number}")}},
        {"method": "POST", "path": "/v1/tokens/$0.id/keys", "body": {}},
        {"method": "POST", "path": "/v1/grants",
            "body": {"to": {"type": "token", "id": "$0.id"}, "permissions": ["update"], "on": on}},
    ]});
    let made = command.call("POST", "/v1/batch", &body)?.expect(200)?;
    let key = made.pointer("/results/1/body/id").and_then(Value::as_str).context("an id")?.to_owned();
    let asked = json!({"key": key, "permission": "update", "object": {"type": "project", "id": project}});
    thread::scope(|scope| {
        let (allow, allowing) = mpsc::sync_channel(nodes.len());
        let asking: Vec<_> = nodes
            .iter()
            .map(|node| {
                let (allow, asked) = (allow.clone(), &asked);
                scope.spawn(move || until_refused(node, asked, &allow))
            })
            .collect();
        for _ in nodes {
            allowing.recv_timeout(LIMIT).context("every node allows")?;
        }
        command.call("DELETE", &format!("/v1/keys/{key}"), &Value::Null)?.expect(200)?;
        let acknowledged = Instant::now();
        let refused = asking.into_iter().map(|one| one.join().map_err(|_| anyhow::anyhow!("it panicked"))?);
        refused.map(|refused| Ok(refused?.saturating_duration_since(acknowledged))).collect()
    })
}

/// Asks until the node allows, says so, and asks until it refuses: when that was answered.
fn until_refused(node: &Server, asked: &Value, allow: &mpsc::SyncSender<()>) -> Result<Instant> {
    let mut http = node.http()?.as_bearer(&node.owner_key);
    let (mut allowed, deadline) = (false, Instant::now() + LIMIT);
    loop {
        let answer = http.send("POST", "/v1/check", asked)?.expect(200)?;
        match (answer.get("allowed").and_then(Value::as_bool), allowed) {
            (Some(true), false) => {
                allowed = true;
                allow.send(())?;
            }
            (Some(false), true) => return Ok(Instant::now()),
            _ => {}
        }
        ensure!(Instant::now() < deadline, "{answer} for {LIMIT:?}");
    }
}
