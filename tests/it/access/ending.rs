//! SIGTERM ends the process within seconds, whatever is asked and whoever does not read.

use std::{
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::server::Server;
use serde_json::{Value, json};

/// Five seconds are promised; a busy machine gets two more.
const LIMIT: Duration = Duration::from_secs(7);
const CHAIN: usize = 50;
const TOKENS: usize = 400;
const PROJECTS: usize = 300;

fn env(number: usize) -> String {
    format!("e{}", number % 7)
}

/// An organization that makes questions long: a chain of groups, each with a grant, and many accounts at its end.
fn large(server: &Server) -> Result<()> {
    let group = |number: usize| {
        let body = json!({"name": format!("group {number}"), "description": "x".repeat(600)});
        json!({"method": "POST", "path": "/v1/groups", "body": body})
    };
    let nest = |number: usize| {
        let member = json!({"member": {"type": "group", "id": format!("${number}.id")}});
        json!({"method": "POST", "path": format!("/v1/groups/${}.id/members", number - 1), "body": member})
    };
    let grant = |number: usize| {
        let on = json!({"projects": {"include": [{"label": {"env": env(number)}}]}});
        let to = json!({"type": "group", "id": format!("${number}.id")});
        json!({"method": "POST", "path": "/v1/grants", "body": {"to": to, "permissions": ["read"], "on": on}})
    };
    let commands: Vec<Value> =
        (0..CHAIN).map(group).chain((1..CHAIN).map(nest)).chain((0..CHAIN).map(grant)).collect();
    let made = server.call("POST", "/v1/batch", &json!({"commands": commands}))?.expect(200)?;
    let last = made["results"][CHAIN - 1]["body"]["id"].as_str().context("an id")?.to_owned();
    let project = |number: usize| {
        let body = json!({"name": format!("project {number}"), "labels": {"env": env(number)}});
        json!({"method": "POST", "path": "/v1/projects", "body": body})
    };
    let projects: Vec<Value> = (0..PROJECTS).map(project).collect();
    server.call("POST", "/v1/batch", &json!({"commands": projects}))?.expect(200)?;
    let token = |number: usize| json!({"method": "POST", "path": "/v1/tokens", "body": {"name": format!("token {number}")}});
    let join = |number: usize| {
        let member = json!({"member": {"type": "token", "id": format!("${number}.id")}});
        json!({"method": "POST", "path": format!("/v1/groups/{last}/members"), "body": member})
    };
    let tokens: Vec<Value> = (0..TOKENS).map(token).chain((0..TOKENS).map(join)).collect();
    server.call("POST", "/v1/batch", &json!({"commands": tokens}))?.expect(200)?;
    // So much of an audit log that a stream of it waits for its reader.
    for batch in 1..8 {
        let groups: Vec<Value> = (0..450).map(|number| group(batch * 1_000 + number)).collect();
        server.call("POST", "/v1/batch", &json!({"commands": groups}))?.expect(200)?;
    }
    Ok(())
}

/// Sends a question and reads nothing of its answer.
fn ask(server: &Server, path: &str, accept: &str) -> Result<TcpStream> {
    let address = server.base().strip_prefix("http://").context("an address")?;
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nAuthorization: Bearer {}\r\n\r\n",
        server.owner_key
    )?;
    Ok(stream)
}

/// One number of `/metrics`.
fn metric(server: &Server, name: &str) -> Result<u64> {
    let reply = server.call("GET", "/metrics", &Value::Null)?;
    let text = String::from_utf8(reply.body)?;
    let found = text.lines().find_map(|line| line.strip_prefix(name)).context(name.to_owned())?;
    Ok(found.trim().parse()?)
}

#[test]
fn sigterm_ends_within_seconds_whatever_is_asked_and_whoever_does_not_read() -> Result<()> {
    let mut server = Server::start()?;
    let first = server.call("GET", "/v1/whoami", &Value::Null)?;
    let first = first.header("grantbook-position").context("a position")?.to_owned();
    large(&server)?;
    let mut unread = Vec::new();
    for _ in 0..4 {
        unread.push(ask(&server, "/v1/audit", "application/x-ndjson")?);
        unread.push(ask(&server, "/v1/watch?from=start", "text/event-stream")?);
    }
    // One account has few places: nearly all of these wait.
    for _ in 0..100 {
        unread.push(ask(&server, &format!("/v1/diff?from={first}&limit=1000"), "application/json")?);
    }
    let deadline = Instant::now() + Duration::from_mins(1);
    while metric(&server, "grantbook_places_waiting{class=\"questions\"}")? < 8
        || metric(&server, "grantbook_streams_open{kind=\"streams\"}")? < 1
    {
        ensure!(Instant::now() < deadline, "the questions were answered before they could pile up");
        // On a busy machine the first ones may be answered while the last ones are still sent.
        unread.push(ask(&server, "/v1/audit", "application/x-ndjson")?);
        for _ in 0..10 {
            unread.push(ask(&server, &format!("/v1/diff?from={first}&limit=1000"), "application/json")?);
        }
    }
    let begun = Instant::now();
    let status = server.terminate()?;
    let took = begun.elapsed();
    ensure!(status.success(), "{status}:\n{}", server.log());
    ensure!(took < LIMIT, "it took {took:?}:\n{}", server.log());
    drop(unread);
    server.spawn()?;
    server.call("GET", "/v1/whoami", &Value::Null)?.expect(200)?;
    Ok(())
}
