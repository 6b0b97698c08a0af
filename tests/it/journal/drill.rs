//! The drills of docs/operating.md: an upgrade of everything, one by one, under a load of questions and writes, of the
//! brokers from the oldest version that is taken to the newest; and a backup, restored into other servers, whose views are
//! the same.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_domain::id::InstallationId;
use grantbook_journal::{Journal, jetstream};
use grantbook_tests::{
    binary,
    nats::{self, Nats, NatsOptions},
    org::Story,
    server::Server,
};
use grantbook_views::{ViewDigest, ViewWriter};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(1);

fn good(args: &[&str]) -> Result<String> {
    let output = binary::run(args, &[])?;
    ensure!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// A write that is acknowledged, however often it has to be sent with the same request id; its position.
fn write(command: &Server, name: &str) -> Result<String> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut http = command.http()?.as_bearer(&command.owner_key);
        let id = [("idempotency-key", name)];
        let reply = http.send_with("POST", "/v1/tokens", &id, &json!({"name": name}))?;
        if reply.status == 201 {
            return Ok(reply.header("grantbook-position").context("a position")?.to_owned());
        }
        ensure!(
            reply.status == 503 && Instant::now() < deadline,
            "{name}: {} {}",
            reply.status,
            reply.json()
        );
        thread::sleep(Duration::from_millis(50));
    }
}

/// A read that is answered at the position, however long the node takes to be ready.
fn read(node: &Server, position: &str) -> Result<usize> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut http = node.http()?.as_bearer(&node.owner_key);
        let at_least = [("grantbook-at-least", position)];
        let reply = http.send_with("GET", "/v1/tokens?limit=1000", &at_least, &Value::Null)?;
        if reply.status == 200 {
            return reply.json()["items"].as_array().map(Vec::len).context("items");
        }
        ensure!(reply.status == 503 && Instant::now() < deadline, "{} {}", reply.status, reply.json());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Which version a server says that it is.
fn version(nats: &Nats, index: usize) -> Result<String> {
    let told = nats.monitor(index, "/varz")?;
    let (_, body) = told.split_once("\r\n\r\n").context("an answer with a body")?;
    let told: Value = serde_json::from_str(body)?;
    Ok(told["version"].as_str().context("a version")?.to_owned())
}

fn installation(nats: &Nats) -> Result<InstallationId> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let options = jetstream::NatsOptions::new(nats.urls());
        Ok(jetstream::JetStreamJournal::open(&options).await?.identity().installation)
    })
}

/// Ends a node and digests what its view holds.
fn digest(mut node: Server, installation: InstallationId) -> Result<ViewDigest> {
    ensure!(node.terminate()?.success());
    let (writer, _) = ViewWriter::open(&node.data().join("view.redb"), installation)?;
    let snapshot = writer.reader().snapshot()?;
    ensure!(snapshot.sequence()? > 0, "the view holds something");
    snapshot.scrub(|_| true)?;
    Ok(snapshot.digest(None)?)
}

#[test]
fn everything_is_upgraded_one_by_one_and_a_backup_makes_the_same_views_elsewhere() -> Result<()> {
    let older = NatsOptions { servers: 3, binary: Some(nats::oldest_binary()?), ..NatsOptions::default() };
    let mut nats = Nats::start_with(&older)?;
    let first = Server::init_over(&nats.url())?;
    let mut commands = [first.another("command")?, first.another("command")?];
    let mut nodes = [first.another("read")?, first.another("read")?];
    let story = Story::tell(&commands[0])?;
    let mut written = 1;
    let mut goes_on = |commands: &[Server; 2], nodes: &[Server; 2], up: usize| -> Result<()> {
        written += 1;
        let position = write(&commands[up], &format!("t{written}"))?;
        assert_eq!(read(&nodes[up], &position)?, written);
        Ok(())
    };
    // Brokers, to another version, then read nodes, then command services; the other ones serve meanwhile.
    nats.exchange_binary(nats::binary()?);
    for index in 0..nats.len() {
        ensure!(version(&nats, index)? == "2.14.4");
        nats.stop(index)?;
        goes_on(&commands, &nodes, index % 2)?;
        nats.start(index)?;
        ensure!(version(&nats, index)? != "2.14.4");
        goes_on(&commands, &nodes, index % 2)?;
    }
    for index in 0..2 {
        ensure!(nodes[index].terminate()?.success());
        goes_on(&commands, &nodes, 1 - index)?;
        nodes[index].spawn()?;
    }
    for index in 0..2 {
        ensure!(commands[index].terminate()?.success());
        goes_on(&commands, &nodes, 1 - index)?;
        commands[index].spawn()?;
    }
    goes_on(&commands, &nodes, 0)?;
    goes_on(&commands, &nodes, 1)?;

    let dir = tempfile::tempdir()?;
    restored(&nats, &story, &first, dir.path(), nodes)
}

fn restored(nats: &Nats, story: &Story, first: &Server, dir: &Path, nodes: [Server; 2]) -> Result<()> {
    let backup = dir.join("backup.ndjson");
    let backup = backup.to_str().context("a plain path")?;
    let (from, other) = (nats.url(), Nats::cluster()?);
    let to = other.url();
    good(&["journal", "export", "--nats", &from, "--output", backup])?;
    good(&["journal", "import", "--nats", &to, "--input", backup])?;
    let report = |nats: &str| -> Result<Value> {
        Ok(serde_json::from_str(&good(&["--json", "journal", "verify", "--nats", nats])?)?)
    };
    let (was, is) = (report(&from)?, report(&to)?);
    assert_eq!((&is["violations"], &is["head"]), (&json!([]), &was["head"]));
    assert_eq!(is["organizations"], was["organizations"], "the chains end in the same hashes");
    let mut node = first.over_as("read", &to)?;
    node.spawn()?;
    assert!(story.may(&node, "update", &story.staging)? && !story.may(&node, "update", &story.production)?);
    let installation = installation(&other)?;
    let [one, two] = nodes;
    let expected = digest(one, installation)?;
    assert_eq!(digest(two, installation)?, expected, "the nodes agree");
    assert_eq!(digest(node, installation)?, expected, "and the one of the backup");
    Ok(())
}
