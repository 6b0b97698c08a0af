//! A read node that meets what must not be stops, names the sequence, and answers nothing any more.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_journal::{Item, Journal, jetstream};
use grantbook_tests::{binary, frames, nats, nats::Nats, server::Server};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(1);

/// A journal of twenty frames in one broker, and a command service that wrote them.
struct Scene {
    nats: Nats,
    first: Server,
    command: Server,
}

fn scene() -> Result<Scene> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let command = first.another("command")?;
    for number in 0..19 {
        command.call("POST", "/v1/tokens", &json!({"name": format!("t{number}")}))?.expect(201)?;
    }
    Ok(Scene { nats, first, command })
}

/// Waits until the node says that it is quarantined, and sees that it answers nothing; what it says.
fn quarantined(node: &Server) -> Result<String> {
    let deadline = Instant::now() + LIMIT;
    let why = loop {
        let ready = node.http()?.send("GET", "/readyz", &Value::Null)?;
        let told = ready.json();
        let why = told["reason"].as_str().unwrap_or_default().to_owned();
        if ready.status == 503 && why.starts_with("quarantined") {
            break why;
        }
        ensure!(Instant::now() < deadline, "not quarantined: {told}");
        thread::sleep(Duration::from_millis(50));
    };
    let refused = node.call("GET", "/v1/tokens", &Value::Null)?;
    assert_eq!(refused.status, 503, "{}", refused.json());
    Ok(why)
}

/// Changes the stopped broker's files; what a new read node and `journal verify` then say.
fn after(damage: impl Fn(&std::path::Path) -> Result<()>) -> Result<(String, String)> {
    let Scene { mut nats, first, mut command } = scene()?;
    command.kill()?;
    nats.stop(0)?;
    damage(&nats.store_dir(0))?;
    nats.start(0)?;
    let node = first.another("read")?;
    let why = quarantined(&node)?;
    let url = nats.url();
    let verified = binary::run(&["journal", "verify", "--nats", &url], &[])?;
    assert_eq!(verified.status.code(), Some(1));
    Ok((why, String::from_utf8(verified.stdout)?))
}

#[test]
fn at_a_removed_message() -> Result<()> {
    let (why, verified) = after(|store| nats::remove_message(store, "GRANTBOOK", 7))?;
    assert!(why.contains("sequence 7"), "{why}");
    assert!(verified.contains("sequence 7"), "{verified}");
    Ok(())
}

#[test]
fn at_a_flipped_bit() -> Result<()> {
    let (why, verified) = after(|store| nats::change_payload(store, "GRANTBOOK", 7, false))?;
    assert!(why.contains("sequence 7"), "{why}");
    assert!(verified.contains("sequence 7"), "{verified}");
    Ok(())
}

/// The broker forgets all behind the flipped bit, and would give the sequences to others.
#[test]
fn at_a_journal_that_lost_its_tail() -> Result<()> {
    let Scene { mut nats, first, command } = scene()?;
    let node = first.another("read")?;
    // The node has seen the tail before it is lost.
    let last = command.call("DELETE", "/v1/keys/unknown", &Value::Null)?;
    let position = last.header("grantbook-position").context("every answer of a write has one")?.to_owned();
    let mut http = node.http()?.as_bearer(&node.owner_key);
    http.send_at(&position, "GET", "/v1/tokens", &Value::Null)?.expect(200)?;
    nats.stop(0)?;
    nats::change_payload(&nats.store_dir(0), "GRANTBOOK", 7, true)?;
    nats.start(0)?;
    let why = quarantined(&node)?;
    assert!(why.contains("the journal ends at sequence 6, not at 20"), "{why}");
    let deadline = Instant::now() + LIMIT;
    while command.http()?.send("GET", "/readyz", &Value::Null)?.status == 200 {
        ensure!(Instant::now() < deadline, "the command service goes on");
        thread::sleep(Duration::from_millis(50));
    }
    let refused = command.call("POST", "/v1/tokens", &json!({"name": "late"}))?;
    assert_eq!(refused.status, 503, "{}", refused.json());
    Ok(())
}

#[test]
fn at_a_stream_that_was_made_anew() -> Result<()> {
    let Scene { nats, first, command } = scene()?;
    let node = first.another("read")?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = async_nats::connect(nats.urls()).await?;
        client.request("$JS.API.STREAM.DELETE.GRANTBOOK", "".into()).await?;
        anyhow::Ok(())
    })?;
    let url = nats.url();
    let anew = binary::run(
        &["init", "--org", "acme", "--owner", "eve@example.com", "--nats", &url, "--journal-only"],
        &[],
    )?;
    ensure!(anew.status.success(), "{}", String::from_utf8_lossy(&anew.stderr));
    let why = quarantined(&node)?;
    assert!(why.contains("is not the one that was opened"), "{why}");
    let refused = command.call("POST", "/v1/tokens", &json!({"name": "late"}))?;
    assert_eq!(refused.status, 503, "{}", refused.json());
    Ok(())
}

#[test]
fn at_a_frame_of_another_installation() -> Result<()> {
    let Scene { nats, first, command } = scene()?;
    let node = first.another("read")?;
    let other = Nats::single()?;
    let _foreign = Server::init_over(&other.url())?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let foreign = jetstream::JetStreamJournal::open(&jetstream::NatsOptions::new(other.urls())).await?;
        let frame = foreign.read_one(1).await?.and_then(Item::into_frame).context("its first frame")?;
        let ours = jetstream::JetStreamJournal::open(&jetstream::NatsOptions::new(nats.urls())).await?;
        ours.append(frame.org, 0, frame.bytes).await?;
        anyhow::Ok(())
    })?;
    let why = quarantined(&node)?;
    assert!(why.contains("sequence 21: written for installation"), "{why}");
    let deadline = Instant::now() + LIMIT;
    while command.call("POST", "/v1/tokens", &json!({"name": "late"}))?.status != 503 {
        ensure!(Instant::now() < deadline, "the command service goes on");
    }
    Ok(())
}

/// What a writer that guards wider than its own subject leaves behind is found, whether or not it did harm.
#[test]
fn a_writer_with_a_wider_guard_is_found() -> Result<()> {
    let Scene { nats, first, mut command } = scene()?;
    command.call("POST", "/v1/tokens", &json!({"name": "last"}))?.expect(201)?;
    command.kill()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        // The last frame is taken out of one stream and appended to a copy of the others with the wrong guard.
        let options = jetstream::NatsOptions::new(nats.urls());
        let journal = jetstream::JetStreamJournal::open(&options).await?;
        let frames = frames::all(&journal).await?;
        let (last, before) = frames.split_last().context("frames")?;
        let last = last.frame().context("a frame")?;
        let to = jetstream::NatsOptions { stream: "COPY".into(), prefix: "copy".into(), ..options };
        let mut into = jetstream::JetStreamJournal::copy_into(&to, journal.identity(), None).await?;
        into.take(before).await?;
        into.finish().await?;
        let mut headers = async_nats::HeaderMap::new();
        let guard = before.last().map_or(0, Item::sequence).to_string();
        headers.insert("Nats-Expected-Stream", "COPY");
        headers.insert("Nats-Expected-Last-Subject-Sequence", guard.as_str());
        headers.insert("Nats-Expected-Last-Subject-Sequence-Subject", "copy.v1.*");
        let client = async_nats::connect(nats.urls()).await?;
        let request = async_nats::Request::new().headers(headers).payload(last.bytes.clone());
        let ack = client.send_request(to.subject(last.org), request).await?;
        ensure!(!String::from_utf8_lossy(&ack.payload).contains("error"), "{:?}", ack.payload);
        Ok(())
    })?;
    let url = nats.url();
    let args = ["journal", "verify", "--nats", &url, "--nats-stream", "COPY", "--nats-prefix", "copy"];
    let verified = binary::run(&args, &[])?;
    let said = String::from_utf8(verified.stdout)?;
    assert_eq!(verified.status.code(), Some(1), "{said}");
    assert!(said.contains("sequence 21: appended without the guard of its own subject"), "{said}");
    drop(first);
    Ok(())
}
