//! Snapshots in the object store of real servers: made by a node that is killed again and again, used by a new one; and nodes
//! that tell each other what they hold.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{binary, nats::Nats, server::Server};
use serde_json::json;

const LIMIT: Duration = Duration::from_mins(2);

fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !holds()? {
        ensure!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn said(args: &[&str]) -> Result<String> {
    let output = binary::run(args, &[])?;
    ensure!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn a_new_node_is_made_of_a_snapshot(nats: &Nats) -> Result<()> {
    let service = Server::start_over(&nats.url())?;
    let url = nats.url();
    said(&["nats", "prepare", "--nats", &url])?;
    // Once more does no harm.
    said(&["nats", "prepare", "--nats", &url])?;
    let directory = tempfile::tempdir()?;
    let key = directory.path().join("key");
    let key = key.to_str().context("a plain name")?;
    let public = said(&["snapshot", "key", key])?;

    let mut maker = service.another_stopped("read")?;
    for (name, value) in
        [("SNAPSHOTS", "nats"), ("SNAPSHOT_KEY", key), ("SNAPSHOT_EVERY", "1s"), ("NODE_NAME", "maker")]
    {
        maker.set_env(&format!("GRANTBOOK_{name}"), value);
    }
    maker.spawn()?;
    for round in 0..3 {
        for n in 0..10 {
            service.call("POST", "/v1/tokens", &json!({"name": format!("t{round}.{n}")}))?.expect(201)?;
        }
        // Wherever it is in making one.
        maker.kill()?;
        maker.spawn()?;
    }
    until("a snapshot", || Ok(maker.log().contains("a snapshot was made")))?;

    let mut fresh = service.another_stopped("read")?;
    for (name, value) in [("SNAPSHOTS", "nats"), ("SNAPSHOT_TRUST", &public), ("NODE_NAME", "fresh")] {
        fresh.set_env(&format!("GRANTBOOK_{name}"), value);
    }
    fresh.spawn()?;
    ensure!(fresh.log().contains("the view was made of a snapshot"), "{}", fresh.log());
    let last = service.call("POST", "/v1/tokens", &json!({"name": "last"}))?.expect(201)?;
    ensure!(last["id"].is_string(), "{last}");
    let tokens = |server: &Server| -> Result<usize> {
        let listed = server.call("GET", "/v1/tokens?limit=1000", &json!(null))?.expect(200)?;
        Ok(listed["items"].as_array().context("items")?.len())
    };
    until("a line that says so", || Ok(fresh.log().contains("the view has caught up with the journal")))?;
    until("both have all", || Ok((tokens(&maker)?, tokens(&fresh)?) == (31, 31)))?;

    until("nodes that agree", || {
        let output = binary::run(&["doctor", "--nats", &url], &[])?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(!text.contains("nodes disagree"), "{text}");
        Ok(text.contains("nodes agree") && text.contains("maker (") && text.contains("fresh ("))
    })
}

#[test]
fn a_new_node_is_made_of_a_snapshot_in_one_server() -> Result<()> {
    a_new_node_is_made_of_a_snapshot(&Nats::single()?)
}

#[test]
fn a_new_node_is_made_of_a_snapshot_in_a_cluster_of_three() -> Result<()> {
    a_new_node_is_made_of_a_snapshot(&Nats::cluster()?)
}
