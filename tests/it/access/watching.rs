//! `GET /v1/watch` when something is in the way: a node that is stale, a key that expires, a connection that breaks, a change
//! too long for one message.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use grantbook_tests::{
    binary,
    cut::Cut,
    events::{Events, SentEvent},
    nats::{Nats, streams::Streams},
    org::Story,
    server::Server,
};
use serde_json::{Value, json};

fn post(server: &Server, path: &str, body: &Value) -> Result<Value> {
    server.call("POST", path, body)?.expect(201)
}

fn id_of(value: &Value) -> Result<String> {
    value["id"].as_str().map(str::to_owned).with_context(|| format!("no id in {value}"))
}

/// A read node that soon takes itself for stale, and does this then.
fn impatient(first: &Server, when_stale: &str) -> Result<Server> {
    let mut node = first.another_stopped("read")?;
    node.set_env("GRANTBOOK_MAX_LAG", "1s");
    node.set_env("GRANTBOOK_MAX_SILENCE", "5s");
    node.set_env("GRANTBOOK_WHEN_STALE", when_stale);
    node.spawn()?;
    Ok(node)
}

/// The typed client, which prints a message a line.
fn client(base: &str, key: &str, args: &[&str]) -> Result<(Child, mpsc::Receiver<Value>)> {
    let mut child = Command::new(binary::grantbook()?)
        .args(["--json", "watch"])
        .args(args)
        .env("GRANTBOOK_URL", base)
        .env("GRANTBOOK_KEY", key)
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
    let (send, told) = mpsc::channel();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let Ok(value) = serde_json::from_str(&line) else { return };
            if send.send(value).is_err() {
                return;
            }
        }
    });
    Ok((child, told))
}

const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn a_stale_node_says_so_while_it_streams_and_when_it_is_over() -> Result<()> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let command = first.another("command")?;
    let node = impatient(&first, "mark")?;
    let mut raw = Events::open(node.base(), &first.owner_key, "", None)?;
    let (mut child, told) = client(node.base(), &first.owner_key, &["--from", "start"])?;
    ensure!(told.recv_timeout(PATIENCE)?["event"] == "record", "what there is");
    nats.pause(0)?;
    let begun = raw.message()?.context("a word about it")?;
    assert_eq!((begun.name.as_str(), &begun.data["stale"], &begun.id), ("stale", &json!(true), &None));
    ensure!(begun.data["age_ms"].as_u64().is_some_and(|age| age >= 5_000), "{begun:?}");
    // Who comes now is told at once.
    let mut late = Events::open(node.base(), &first.owner_key, "", None)?;
    assert_eq!(late.message()?.context("a word about it")?.data["stale"], true);
    // Each stream looks once a second by itself.
    let mut before = told.recv_timeout(PATIENCE)?;
    while before["event"] != "stale" {
        before = told.recv_timeout(PATIENCE)?;
    }
    assert_eq!(before["data"]["stale"], true);
    nats.resume(0)?;
    for events in [&mut raw, &mut late] {
        let over = events.message()?.context("that it is over")?;
        assert_eq!(
            (over.name.as_str(), over.data),
            ("stale", json!({"stale": false, "lag_frames": 0, "age_ms": 0}))
        );
    }
    post(&command, "/v1/projects", &json!({"name": "later"}))?;
    assert_eq!(raw.message()?.context("a message")?.data["events"][0]["project"]["name"], "later");
    let mut after = told.recv_timeout(PATIENCE)?;
    assert_eq!((&after["event"], &after["data"]["stale"]), (&json!("stale"), &json!(false)));
    while after["data"]["events"][0]["project"]["name"] != "later" {
        after = told.recv_timeout(PATIENCE)?;
        ensure!(after["event"] != "stale", "told once: {after}");
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[test]
fn a_stale_node_that_refuses_ends_its_streams_and_clients_go_on_once_it_is_fresh() -> Result<()> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let command = first.another("command")?;
    let node = impatient(&first, "refuse")?;
    let mut raw = Events::open(node.base(), &first.owner_key, "", None)?;
    let (mut child, told) = client(node.base(), &first.owner_key, &["--from", "start"])?;
    ensure!(told.recv_timeout(PATIENCE)?["event"] == "record", "what there is");
    nats.pause(0)?;
    let (error, end) = (raw.message()?.context("an error")?, raw.message()?.context("an end")?);
    assert_eq!((error.name.as_str(), &error.data["code"]), ("error", &json!("stale")));
    assert_eq!((end.name.as_str(), &end.data["reason"]), ("end", &json!("stale")));
    ensure!(raw.next_event()?.is_none(), "nothing follows the end");
    nats.resume(0)?;
    post(&command, "/v1/projects", &json!({"name": "later"}))?;
    loop {
        let line = told.recv_timeout(PATIENCE)?;
        ensure!(line["event"] != "stale", "a node that refuses gives nothing stale");
        if line["data"]["events"][0]["project"]["name"] == "later" {
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// So many seconds from now, RFC 3339.
fn in_seconds(seconds: u64) -> Result<String> {
    let then = format!("now + {seconds} seconds");
    let output = Command::new("date").args(["-u", "-d", &then, "+%Y-%m-%dT%H:%M:%SZ"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn last_reason(events: &mut Events) -> Result<String> {
    while let Some(event) = events.message()? {
        if event.name == "end" {
            return Ok(event.data["reason"].as_str().unwrap_or_default().to_owned());
        }
    }
    bail!("the stream ended without a word")
}

#[test]
fn a_watch_ends_when_its_key_or_its_account_expires_though_nothing_happens() -> Result<()> {
    let server = Server::start()?;
    let all = json!({"organization": true});
    let watch = |account_ends: &str, key_ends: &str| -> Result<Events> {
        let name = format!("t {account_ends} {key_ends}");
        let token = id_of(&post(&server, "/v1/tokens", &json!({"name": name, "expires_at": account_ends}))?)?;
        let to = json!({"type": "token", "id": token});
        post(&server, "/v1/grants", &json!({"to": to, "permissions": ["read", "read_acls"], "on": all}))?;
        let key = post(&server, &format!("/v1/tokens/{token}/keys"), &json!({"expires_at": key_ends}))?;
        Events::open(server.base(), key["secret"].as_str().context("a secret")?, "", None)
    };
    let soon = in_seconds(20)?;
    let mut by_key = watch("never", &soon)?;
    let mut by_account = watch(&soon, "never")?;
    let until = Instant::now() + PATIENCE;
    assert_eq!(last_reason(&mut by_key)?, "key_expired");
    assert_eq!(last_reason(&mut by_account)?, "inactive_principal");
    ensure!(Instant::now() < until, "at the latest with the heartbeat after it");
    Ok(())
}

/// Everything up to a record, as the server tells it to who is not interrupted.
fn whole(server: &Server, until: &str) -> Result<Vec<SentEvent>> {
    let mut events = Events::open(server.base(), &server.owner_key, "?from=start", None)?;
    let mut found = Vec::new();
    loop {
        let event = events.message()?.context("the stream ended")?;
        let done = event.id.as_deref() == Some(until);
        found.push(event);
        if done {
            return Ok(found);
        }
    }
}

#[test]
fn a_client_whose_connection_is_cut_again_and_again_loses_nothing_and_gets_nothing_twice() -> Result<()> {
    let server = Server::start()?;
    let port = server.base().rsplit_once(':').context("a port")?.1.parse()?;
    let cut = Cut::before(port)?;
    let (mut child, told) =
        client(&format!("http://127.0.0.1:{}", cut.port()), &server.owner_key, &["--from", "start"])?;
    let mut found = vec![told.recv_timeout(PATIENCE)?];
    let story = Story::tell(&server)?;
    for round in 0..6 {
        for number in 0..5 {
            let token = id_of(&post(&server, "/v1/tokens", &json!({"name": format!("t{round}-{number}")}))?)?;
            let member = json!({"member": {"type": "token", "id": token}});
            post(&server, &format!("/v1/groups/{}/members", story.group), &member)?;
            if number == 2 {
                // In the middle of what is under way; what comes meanwhile is not passed on.
                cut.cut();
            }
        }
        cut.heal();
        // It has connected again before the next cut.
        found.push(told.recv_timeout(PATIENCE)?);
    }
    let last = server.call("POST", "/v1/groups", &json!({"name": "end"}))?;
    let head = last.header("grantbook-position").context("a position")?.to_owned();
    while found.last().is_none_or(|line| line["id"] != head.as_str()) {
        found.push(told.recv_timeout(PATIENCE)?);
    }
    child.kill()?;
    child.wait()?;
    let expected: Vec<Value> = whole(&server, &head)?
        .into_iter()
        .map(|event| json!({"id": event.id, "event": event.name, "data": event.data}))
        .collect();
    assert_eq!(found.len(), expected.len());
    assert_eq!(found, expected);
    Ok(())
}

/// More projects than one message has room for.
const MANY: usize = 4_000;

#[test]
fn a_change_too_long_for_a_message_comes_in_parts_everywhere_the_same() -> Result<()> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let command = first.another("command")?;
    let mut relay = first.another_stopped("read")?;
    relay.set_env("GRANTBOOK_RELAY", "true");
    relay.spawn()?;
    for batch in 0..MANY / 250 {
        let one = |number: usize| json!({"method": "POST", "path": "/v1/projects", "body": {"name": format!("p-{batch}-{number}")}});
        let commands: Vec<_> = (0..250).map(one).collect();
        command.call("POST", "/v1/batch", &json!({"commands": commands}))?.expect(200)?;
    }
    let token = id_of(&post(&command, "/v1/tokens", &json!({"name": "bot"}))?)?;
    let on = json!({"projects": {"include": [{"name": "p-*"}]}});
    let grant = json!({"to": {"type": "token", "id": token}, "permissions": ["read", "update"], "on": on});
    let made = command.call("POST", "/v1/grants", &grant)?;
    let position = made.header("grantbook-position").context("a position")?.to_owned();
    made.expect(201)?;
    let mut watched = Vec::new();
    // A node that is far behind refuses a watch.
    relay
        .http()?
        .as_bearer(&first.owner_key)
        .send_at(&position, "GET", "/v1/whoami", &Value::Null)?
        .expect(200)?;
    let mut events = Events::open(relay.base(), &first.owner_key, "?from=start&kind=change", None)?;
    while watched.last().is_none_or(|(id, _)| *id != position) {
        let event = events.message()?.context("the stream ended")?;
        if event.data["position"] == position.as_str() {
            watched.push((event.id.context("an id")?, event.data));
        }
    }
    ensure!(watched.len() > 1, "several parts");
    let mut told = BTreeSet::new();
    for (index, (_, part)) in watched.iter().enumerate() {
        assert_eq!((&part["index"], &part["of"]), (&json!(index), &json!(watched.len())));
        ensure!(part.to_string().len() < 256 << 10, "a message of moderate length");
        for row in part["access"].as_array().context("rows")? {
            assert_eq!(row["permissions"], json!(["read", "update"]));
            for id in row["projects"]["only"].as_array().context("projects")? {
                ensure!(told.insert((row["object_types"].to_string(), id.clone().to_string())), "told twice");
            }
        }
    }
    ensure!(told.len() >= MANY && told.len().is_multiple_of(MANY), "{} projects", told.len());
    let streams = Streams::of(&nats)?;
    let deadline = Instant::now() + PATIENCE;
    let relayed = loop {
        let last = streams.last("GRANTBOOK_CHANGES")?;
        let first = (last + 1).saturating_sub(watched.len() as u64).max(1);
        let parts: Vec<Value> = (first..=last)
            .map(|sequence| streams.message("GRANTBOOK_CHANGES", sequence)?.json())
            .collect::<Result<_>>()?;
        if parts.last().is_some_and(|part| part["position"] == position.as_str())
            && parts.len() == watched.len()
        {
            break parts;
        }
        ensure!(Instant::now() < deadline, "the relay does not come to it");
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(relayed, watched.into_iter().map(|(_, part)| part).collect::<Vec<_>>());
    Ok(())
}
