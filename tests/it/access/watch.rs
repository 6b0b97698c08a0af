//! `GET /v1/watch` through the real binary: everything, in order, once; and nothing for those who may not.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    binary,
    events::{Events, SentEvent},
    nats::Nats,
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

/// The position of every record so far.
fn positions(server: &Server) -> Result<Vec<String>> {
    let (mut found, mut path) = (Vec::new(), "/v1/audit?limit=1000".to_owned());
    loop {
        let log = server.call("GET", &path, &Value::Null)?.expect(200)?;
        let items = log["items"].as_array().context("items")?;
        found.extend(items.iter().filter_map(|item| item["position"].as_str().map(str::to_owned)));
        let Some(next) = log["next"].as_str() else { return Ok(found) };
        path = format!("/v1/audit?limit=1000&cursor={next}");
    }
}

/// Everything since the beginning, up to the record at a position.
fn whole(server: &Server, query: &str, until: &str) -> Result<Vec<SentEvent>> {
    let mut events = Events::open(server.base(), &server.owner_key, query, None)?;
    let mut found = Vec::new();
    loop {
        let event = events.next_event()?.context("the stream ended")?;
        let done = event.id.as_deref() == Some(until);
        if !event.name.is_empty() {
            found.push(event);
        }
        if done {
            return Ok(found);
        }
    }
}

/// Members come and go, grants are given and revoked, tokens are made: every sort of change.
fn churn(server: &Server, story: &Story, number: usize) -> Result<()> {
    let token = id_of(&post(server, "/v1/tokens", &json!({"name": format!("t{number}")}))?)?;
    let member = json!({"member": {"type": "token", "id": token}});
    post(server, &format!("/v1/groups/{}/members", story.group), &member)?;
    let on = json!({"object": {"type": "project", "id": story.production}});
    let grant = json!({"to": {"type": "token", "id": token}, "permissions": ["read"], "on": on});
    let grant = id_of(&post(server, "/v1/grants", &grant)?)?;
    server.call("DELETE", &format!("/v1/grants/{grant}"), &Value::Null)?.expect(200)?;
    Ok(())
}

/// A little chance, the same every time.
fn draw(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Reads on, with a new connection after a few messages, until `done` and everything up to the head has come.
fn interrupted(server: &Server, done: &AtomicBool) -> Result<Vec<SentEvent>> {
    let (mut found, mut last, mut seed) = (Vec::new(), None::<String>, 7);
    loop {
        let mut events = Events::open(server.base(), &server.owner_key, "?from=start", last.as_deref())?;
        for _ in 0..draw(&mut seed) % 9 {
            let event = events.next_event()?.context("the stream ended")?;
            last = event.id.clone().or(last);
            if !event.name.is_empty() {
                found.push(event);
            }
            if done.load(Ordering::SeqCst) && last == positions(server)?.pop() {
                return Ok(found);
            }
        }
    }
}

#[test]
fn every_message_comes_once_and_in_order_while_others_write_and_connections_break() -> Result<()> {
    let server = Server::start()?;
    let story = Story::tell(&server)?;
    let done = AtomicBool::new(false);
    let found = thread::scope(|scope| -> Result<Vec<SentEvent>> {
        let watching = scope.spawn(|| interrupted(&server, &done));
        let writing: Vec<_> = (0..3)
            .map(|writer| {
                let (server, story) = (&server, &story);
                scope
                    .spawn(move || (0..12).try_for_each(|number| churn(server, story, writer * 100 + number)))
            })
            .collect();
        for writer in writing {
            writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??;
        }
        done.store(true, Ordering::SeqCst);
        watching.join().map_err(|_| anyhow::anyhow!("the watcher panicked"))?
    })?;
    let all = positions(&server)?;
    let records = found.iter().filter(|event| event.name == "record").map(|event| &event.data["position"]);
    assert_eq!(records.collect::<Vec<_>>(), all.iter().collect::<Vec<_>>(), "each record once, in order");
    let head = all.last().context("records")?;
    assert_eq!(found, whole(&server, "?from=start", head)?, "the same as without interruption");
    let ids: BTreeSet<_> = found.iter().map(|event| event.id.clone()).collect();
    assert_eq!(ids.len(), found.len(), "each message has an id of its own");
    for event in found.iter().filter(|event| event.name == "change") {
        let place = all.iter().position(|one| event.data["position"] == *one).context("of a record")?;
        let of = found.iter().filter(|one| one.name == "change" && one.data["position"] == all[place]);
        assert_eq!(event.data["of"], of.count(), "{event:?}");
    }
    assert!(found.iter().any(|event| event.data["type"] == "AccessGained"));
    assert!(found.iter().any(|event| event.data["type"] == "AccessLost"));
    Ok(())
}

#[test]
fn a_stream_goes_on_behind_any_message() -> Result<()> {
    let server = Server::start()?;
    let story = Story::tell(&server)?;
    churn(&server, &story, 1)?;
    let head = positions(&server)?.pop().context("records")?;
    let all = whole(&server, "?from=start", &head)?;
    ensure!(
        all.iter().any(|event| event.id.as_ref().is_some_and(|id| id.contains('.'))),
        "several of a record"
    );
    for (index, event) in all.iter().enumerate() {
        let rest = &all[index + 1..];
        let id = event.id.as_deref();
        let mut events = Events::open(server.base(), &server.owner_key, "", id)?;
        assert_eq!(events.messages(rest.len().min(3))?, rest[..rest.len().min(3)], "behind {id:?}");
        let query = format!("?from={}", id.unwrap_or_default());
        let mut events = Events::open(server.base(), &server.owner_key, &query, None)?;
        assert_eq!(events.messages(rest.len().min(1))?, rest[..rest.len().min(1)]);
    }
    Ok(())
}

#[test]
fn filters_take_what_they_say() -> Result<()> {
    let server = Server::start()?;
    let story = Story::tell(&server)?;
    churn(&server, &story, 1)?;
    let head = positions(&server)?.pop().context("records")?;
    let count = |query: &str, fits: &dyn Fn(&SentEvent) -> bool| -> Result<usize> {
        let found = whole(&server, &format!("?from=start&{query}"), &head)?;
        for event in &found {
            ensure!(fits(event), "{query}: {event:?}");
        }
        Ok(found.len())
    };
    let has = |event: &SentEvent, name: &str| {
        event.data["events"].as_array().is_some_and(|all| all.iter().any(|one| one["type"] == name))
    };
    assert_eq!(count("event=KeyIssued&kind=record", &|event| has(event, "KeyIssued"))?, 2);
    assert_eq!(count("event=ProjectCreated", &|event| has(event, "ProjectCreated"))?, 2);
    let lost = count("event=AccessLost", &|event| event.data["type"] == "AccessLost")?;
    assert_eq!(lost, 1, "the grant that was revoked");
    let both = count("event=AccessLost,GrantRevoked", &|_| true)?;
    assert_eq!(both, 2);
    let of_bot = format!("kind=change&principal=token:{}", story.token);
    let is_of_bot = |event: &SentEvent| {
        event.data["who"]["only"].as_array().is_some_and(|all| all.iter().any(|one| one["id"] == story.token))
    };
    assert_eq!(count(&of_bot, &is_of_bot)?, 1, "when it was added to its group");
    let on = format!("kind=change&project={}", story.production);
    let only_there = |event: &SentEvent| {
        let rows = event.data["access"].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.iter().all(|row| row["projects"] == json!({"only": [story.production]}))
    };
    assert!(count(&on, &only_there)? >= 3, "its creation, a grant, its end");
    let touching = format!("kind=record&project={}", story.production);
    assert_eq!(count(&touching, &|event| event.name == "record")?, 3);
    Ok(())
}

/// A token with a key, and a grant to it of these permissions on this.
fn somebody(
    server: &Server,
    name: &str,
    permissions: &Value,
    on: &Value,
) -> Result<(String, String, String)> {
    let token = id_of(&post(server, "/v1/tokens", &json!({"name": name}))?)?;
    let grant = json!({"to": {"type": "token", "id": token}, "permissions": permissions, "on": on});
    let grant = id_of(&post(server, "/v1/grants", &grant)?)?;
    let key = post(server, &format!("/v1/tokens/{token}/keys"), &json!({}))?;
    let secret = key["secret"].as_str().context("a secret")?.to_owned();
    Ok((grant, id_of(&key)?, secret))
}

/// Whatever comes until the end, whose reason is given.
fn to_the_end(events: &mut Events) -> Result<(Vec<SentEvent>, String)> {
    let mut found = Vec::new();
    while let Some(event) = events.message()? {
        if event.name == "end" {
            ensure!(events.next_event()?.is_none(), "nothing follows the end");
            return Ok((found, event.data["reason"].as_str().unwrap_or_default().to_owned()));
        }
        found.push(event);
    }
    anyhow::bail!("the stream ended without a word: {found:?}")
}

#[test]
fn a_stream_ends_with_the_right_to_it_and_gives_nothing_newer() -> Result<()> {
    let server = Server::start()?;
    let all = json!({"organization": true});
    let (_, key_id, by_key) = somebody(&server, "one", &json!(["read", "read_acls"]), &all)?;
    let (grant, _, by_grant) = somebody(&server, "two", &json!(["read", "read_acls"]), &all)?;
    let log = json!({"object": {"type": "org_audit_logs", "id": server.init["organization"]["id"]}});
    let (_, _, reader) = somebody(&server, "three", &json!(["read"]), &log)?;
    let mut one = Events::open(server.base(), &by_key, "", None)?;
    let mut two = Events::open(server.base(), &by_grant, "", None)?;
    let mut three = Events::open(server.base(), &reader, "?kind=record", None)?;
    ensure!(Events::open(server.base(), &reader, "", None).is_err(), "changes need read_acls");
    let before = post(&server, "/v1/projects", &json!({"name": "before"}))?;
    for events in [&mut one, &mut two, &mut three] {
        let event = events.message()?.context("a message")?;
        assert_eq!(event.data["events"][0]["project"]["id"], before["id"]);
    }
    server.call("DELETE", &format!("/v1/keys/{key_id}"), &Value::Null)?.expect(200)?;
    server.call("DELETE", &format!("/v1/grants/{grant}"), &Value::Null)?.expect(200)?;
    post(&server, "/v1/projects", &json!({"name": "hidden"}))?;
    let allowed = |found: &[SentEvent]| !found.iter().any(|event| event.data.to_string().contains("hidden"));
    let (found, reason) = to_the_end(&mut one)?;
    assert!(reason == "key_revoked" && allowed(&found), "{reason} {found:?}");
    let (found, reason) = to_the_end(&mut two)?;
    assert!(reason == "forbidden" && allowed(&found), "{reason} {found:?}");
    // Of the two revocations and the project.
    assert!(!allowed(&three.messages(3)?), "others go on");
    Ok(())
}

#[test]
fn bad_questions_are_refused_and_too_many_watchers_are_told_so() -> Result<()> {
    let mut server = Server::init()?;
    server.set_env("GRANTBOOK_WATCHERS", "3");
    server.set_env("GRANTBOOK_WATCHERS_EACH", "2");
    server.spawn()?;
    let head = positions(&server)?.pop().context("records")?;
    let foreign = Server::start()?;
    let other = positions(&foreign)?.pop().context("records")?;
    let beyond = head.chars().take(20).collect::<String>() + "_A";
    let ghost = "01890000-0000-7000-8000-000000000000";
    for (query, status) in [
        ("from=yesterday".to_owned(), 400),
        (format!("from={other}"), 400),
        (format!("from={head}.x"), 400),
        (format!("from={beyond}"), 400),
        ("event=TokenCreate".to_owned(), 400),
        ("event=".to_owned(), 400),
        ("kind=both".to_owned(), 400),
        ("principal=bob".to_owned(), 400),
        (format!("principal=token:{ghost}"), 404),
        ("project=p".to_owned(), 400),
        (format!("project={ghost}"), 404),
        (format!("as_of={head}"), 400),
        ("limit=3".to_owned(), 400),
    ] {
        let reply = server.call("GET", &format!("/v1/watch?{query}"), &Value::Null)?;
        assert_eq!(reply.status, status, "{query}: {}", reply.text("/detail"));
    }
    for id in [&other, "x", "", &format!("{head}.1.2")] {
        let mut http = server.http()?.as_bearer(&server.owner_key).with("last-event-id", id);
        let reply = http.send("GET", "/v1/watch?kind=both", &Value::Null)?;
        assert_eq!(reply.status, 400, "{id}");
        if !id.is_empty() {
            assert_eq!(http.send("GET", "/v1/watch", &Value::Null)?.status, 400, "{id}");
        }
    }
    let open = |key: &str| Events::open(server.base(), key, "", None);
    let (_, _, another) =
        somebody(&server, "one", &json!(["read", "read_acls"]), &json!({"organization": true}))?;
    let streams = [open(&server.owner_key)?, open(&server.owner_key)?];
    assert_eq!(server.call("GET", "/v1/watch", &Value::Null)?.status, 429, "two of one");
    let third = open(&another)?;
    ensure!(open(&another).is_err(), "three in all");
    drop((streams, third));
    // A place is free once the server has seen the connection go.
    let deadline = Instant::now() + Duration::from_secs(30);
    while open(&server.owner_key).is_err() {
        ensure!(Instant::now() < deadline, "the places stay taken");
        thread::yield_now();
    }
    Ok(())
}

/// How much memory a process has, in KiB.
fn resident(server: &Server) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid().context("it runs")?))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
    Ok(line.split_whitespace().nth(1).context("a number")?.parse()?)
}

#[test]
fn who_does_not_read_costs_little_and_loses_nothing_and_others_go_on() -> Result<()> {
    let server = Server::start()?;
    let description = "x".repeat(1_000);
    let fill = |name: &str| -> Result<Value> {
        let one = |number: usize| json!({"method": "POST", "path": "/v1/groups", "body": {"name": format!("{name}-{number}"), "description": description}});
        let commands: Vec<_> = (0..300).map(one).collect();
        server.call("POST", "/v1/batch", &json!({"commands": commands}))?.expect(200)
    };
    let host = server.base().strip_prefix("http://").context("http")?.to_owned();
    let mut lazy = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(&host)?;
        let key = &server.owner_key;
        write!(
            stream,
            "GET /v1/watch?from=start HTTP/1.0\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\r\n"
        )?;
        lazy.push(stream);
    }
    fill("first")?;
    let before = resident(&server)?;
    // 15 times some 400 KB, for each of the 50.
    for round in 0..15 {
        fill(&format!("r{round}"))?;
    }
    let mut quick = Events::open(server.base(), &server.owner_key, "?kind=record", None)?;
    post(&server, "/v1/projects", &json!({"name": "now"}))?;
    assert_eq!(quick.message()?.context("a message")?.data["events"][0]["project"]["name"], "now");
    let grown = resident(&server)?.saturating_sub(before);
    assert!(grown < 150 << 10, "{grown} KiB for 50 that do not read 6 MB each");
    let records = positions(&server)?.len();
    let reader = lazy.pop().context("one of them")?;
    reader.set_read_timeout(Some(Duration::from_mins(1)))?;
    let mut seen = 0;
    let mut lines = BufReader::new(reader).lines();
    while seen < records {
        let line = lines.next().context("the stream ended")??;
        seen += usize::from(line == "event: record");
    }
    Ok(())
}

#[test]
fn a_thousand_watch_at_once_and_all_get_it() -> Result<()> {
    let mut server = Server::init()?;
    server.set_env("GRANTBOOK_WATCHERS_EACH", "1000");
    server.spawn()?;
    let mut watching = Vec::new();
    for _ in 0..1_000 {
        watching.push(Events::open(server.base(), &server.owner_key, "?event=ProjectCreated", None)?);
    }
    assert_eq!(server.call("GET", "/v1/watch", &Value::Null)?.status, 429);
    let project = post(&server, "/v1/projects", &json!({"name": "all"}))?;
    for events in &mut watching {
        let event = events.message()?.context("a message")?;
        assert_eq!(event.data["events"][0]["project"]["id"], project["id"]);
    }
    Ok(())
}

#[test]
fn a_node_that_ends_says_so_at_once() -> Result<()> {
    let mut server = Server::start()?;
    let mut events = Events::open(server.base(), &server.owner_key, "", None)?;
    let begun = Instant::now();
    ensure!(server.terminate()?.success(), "it ends as it should");
    assert!(begun.elapsed() < Duration::from_secs(9), "streams do not hold it up");
    assert_eq!(to_the_end(&mut events)?.1, "stopping");
    Ok(())
}

#[test]
fn a_read_node_over_nats_streams_the_same_and_the_client_goes_on_by_itself() -> Result<()> {
    let nats = Nats::single()?;
    let server = Server::start_over(&nats.url())?;
    let mut node = server.another("read")?;
    let story = Story::tell(&server)?;
    churn(&server, &story, 1)?;
    let head = positions(&server)?.pop().context("records")?;
    let all = whole(&server, "?from=start", &head)?;
    assert_eq!(whole(&node, "?from=start", &head)?, all, "whichever node is asked");
    let mut child = Command::new(binary::grantbook()?)
        .args(["--json", "watch", "--from", "start"])
        .env("GRANTBOOK_URL", server.base())
        .env("GRANTBOOK_KEY", &server.owner_key)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
    for event in &all {
        let line: Value = serde_json::from_str(&lines.next().context("a line")??)?;
        assert_eq!(
            (line["id"].as_str(), line["event"].as_str(), &line["data"]),
            (event.id.as_deref(), Some(event.name.as_str()), &event.data)
        );
    }
    child.kill()?;
    child.wait()?;
    let mut events = Events::open(node.base(), &server.owner_key, "", Some(&head))?;
    post(&server, "/v1/projects", &json!({"name": "later"}))?;
    assert_eq!(events.message()?.context("a message")?.data["events"][0]["project"]["name"], "later");
    node.terminate()?;
    assert_eq!(to_the_end(&mut events)?.1, "stopping");
    Ok(())
}
