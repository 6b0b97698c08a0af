//! A broker whose disk is full: no success is told that is none, and with space again nothing is lost and nothing twice.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    binary,
    nats::{Nats, NatsOptions, SmallDisk},
    server::Server,
    wire::Reply,
};
use serde_json::{Value, json};

/// Of the whole disk, and what is left of it when it fills up: some hundred frames.
const DISK_BYTES: u64 = 64 << 20;
const LEFT_BYTES: u64 = 128 << 10;
/// So many commands find the disk full.
const FAILURES: usize = 2;
const LIMIT: Duration = Duration::from_mins(2);

fn post(server: &Server, name: &str) -> Result<Reply> {
    let mut http = server.http()?.as_bearer(&server.owner_key);
    let body = json!({"name": name, "description": "d".repeat(1000)});
    http.send_with("POST", "/v1/tokens", &[("idempotency-key", name)], &body)
}

#[test]
fn never_tells_of_a_success_that_is_none() -> Result<()> {
    let disk = SmallDisk::new(DISK_BYTES)?.map(Arc::new);
    let options = NatsOptions { disk: disk.clone(), ..NatsOptions::default() };
    let mut nats = Nats::start_with(&options)?;
    let first = Server::init_over(&nats.url())?;
    let (command, read) = (first.another("command")?, first.another("read")?);
    let (mut accepted, mut failed) = (Vec::new(), Vec::new());
    for number in 0..5000 {
        if number == 20 {
            match &disk {
                Some(disk) => disk.fill_up_to(LEFT_BYTES)?,
                None => nats.limit_files(0, LEFT_BYTES)?,
            }
        }
        let name = format!("token-{number:04}");
        let reply = post(&command, &name)?;
        match (reply.status, reply.json()["code"].as_str()) {
            (201, _) => accepted.push(name),
            (503, Some("outcome_unknown" | "journal_unavailable")) => failed.push(name),
            (status, _) => anyhow::bail!("{name} was answered {status}: {}", reply.json()),
        }
        if failed.len() == FAILURES {
            break;
        }
    }
    ensure!(failed.len() == FAILURES, "the disk did not fill: {} were accepted", accepted.len());
    ensure!(accepted.len() > 20, "some were accepted before: {accepted:?}");

    // What was accepted is on the disk: the broker forgets all else.
    nats.kill(0)?;
    disk.as_ref().map_or(Ok(()), |disk| disk.empty())?;
    nats.start(0)?;
    let deadline = Instant::now() + LIMIT;
    for name in failed {
        while post(&command, &name)?.status != 201 {
            ensure!(Instant::now() < deadline, "{name} is not accepted although there is space again");
            thread::sleep(Duration::from_millis(100));
        }
        accepted.push(name);
    }
    let again = post(&command, accepted.first().context("one")?)?;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")));
    let last = post(&command, "the last one")?;
    let position = last.header("grantbook-position").context("a position")?.to_owned();
    let mut http = read.http()?.as_bearer(&read.owner_key);
    let page = http.send_at(&position, "GET", "/v1/tokens?limit=1000", &Value::Null)?.expect(200)?;
    assert_eq!(page["next"], Value::Null, "all on one page");
    let names = page["items"].as_array().context("items")?.iter();
    let mut names: Vec<&str> = names.filter_map(|item| item["name"].as_str()).collect();
    names.sort_unstable();
    accepted.push("the last one".to_owned());
    accepted.sort();
    assert_eq!(names, accepted, "each once");
    let verified = binary::run(&["journal", "verify", "--nats", &nats.url()], &[])?;
    ensure!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    Ok(())
}
