//! kill -9 in the middle of a load of writes: every acknowledged command is there once, none half; retries with the
//! same `Idempotency-Key` have one effect, also after a restart.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{org::Story, server::Server, wire::Reply};
use serde_json::{Value, json};

const ROUNDS: usize = 12;
const WRITERS: usize = 4;

/// What a writer knows of one command that it sent.
#[derive(Debug, Clone)]
struct Sent {
    request_id: String,
    body: Value,
    /// Status and body, if an answer came.
    answer: Option<(u16, Value)>,
}

#[test]
fn acknowledged_commands_survive_kill_9_and_retries_have_one_effect() -> Result<()> {
    let mut server = Server::start()?;
    let story = Story::tell(&server)?;
    let mut sent: Vec<Sent> = Vec::new();
    for round in 0..ROUNDS {
        let acknowledged = 20 + 15 * round;
        sent.extend(load_until_killed(&mut server, round, acknowledged)?);
        server.spawn()?;
        verify(&server, &sent)?;
    }
    let unanswered = sent.iter().filter(|one| one.answer.is_none()).count();
    ensure!(unanswered > 0, "no command was cut off: the test proves nothing");
    for one in &sent {
        let reply = post_batch(&server, one)?;
        match &one.answer {
            Some((status, body)) => {
                assert_eq!((reply.status, &reply.json()), (*status, body), "the first answer, for ever");
                assert_eq!(reply.header("idempotency-replayed"), Some("true"));
            }
            None => assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body)),
        }
    }
    verify_once_each(&server, &sent)?;
    assert!(story.may(&server, "update", &story.staging)?);
    Ok(())
}

#[test]
fn sigterm_loses_nothing_and_exits_cleanly() -> Result<()> {
    let mut server = Server::start()?;
    let story = Story::tell(&server)?;
    for _ in 0..3 {
        assert!(server.terminate()?.success(), "{}", server.log());
        server.spawn()?;
        assert!(story.may(&server, "update", &story.staging)?);
    }
    Ok(())
}

/// Writers send batches of two until so many are acknowledged; then the process is killed under them.
fn load_until_killed(server: &mut Server, round: usize, acknowledged: usize) -> Result<Vec<Sent>> {
    let stop = AtomicBool::new(false);
    let (answers, counted) = std::sync::mpsc::sync_channel(1024);
    let base = server.base().to_owned();
    let key = server.owner_key.clone();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (answers, stop, base, key) = (answers.clone(), &stop, &base, &key);
                scope.spawn(move || write(&format!("{round}-{writer}"), base, key, stop, &answers))
            })
            .collect();
        drop(answers);
        for _ in 0..acknowledged {
            counted.recv().context("the writers ended early")?;
        }
        server.kill()?;
        stop.store(true, Ordering::Relaxed);
        while counted.recv().is_ok() {}
        let mut sent = Vec::new();
        for writer in writers {
            sent.extend(writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?);
        }
        Ok(sent)
    })
}

fn write(
    name: &str,
    base: &str,
    key: &str,
    stop: &AtomicBool,
    answers: &std::sync::mpsc::SyncSender<()>,
) -> Vec<Sent> {
    let mut sent = Vec::new();
    let Ok(mut http) = grantbook_tests::wire::Http::connect(base).map(|http| http.as_bearer(key)) else {
        return sent;
    };
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let one = command(&format!("{name}-{number}"));
        let headers = [("idempotency-key", one.request_id.as_str())];
        let reply = http.send_with("POST", "/v1/batch", &headers, &one.body).ok();
        let ended = reply.is_none();
        let answer = reply.map(|reply| (reply.status, reply.json()));
        sent.push(Sent { answer, ..one });
        if ended || answers.send(()).is_err() {
            break;
        }
    }
    sent
}

/// A project and a token of the same name: half a command would be one without the other.
fn command(name: &str) -> Sent {
    let body = json!({"commands": [
        {"method": "POST", "path": "/v1/projects", "body": {"name": name}},
        {"method": "POST", "path": "/v1/tokens", "body": {"name": name}},
    ]});
    Sent { request_id: format!("crash-{name}"), body, answer: None }
}

fn post_batch(server: &Server, one: &Sent) -> Result<Reply> {
    let headers = [("idempotency-key", one.request_id.as_str())];
    server.http()?.as_bearer(&server.owner_key).send_with("POST", "/v1/batch", &headers, &one.body)
}

/// Every acknowledged name is there once in both lists, and the lists are the same: nothing is half.
fn verify(server: &Server, sent: &[Sent]) -> Result<BTreeMap<String, usize>> {
    let projects = names(server, "/v1/projects")?;
    let tokens = names(server, "/v1/tokens")?;
    for one in sent {
        let name = one.body["commands"][0]["body"]["name"].as_str().context("a name")?;
        let counts = (projects.get(name).copied().unwrap_or(0), tokens.get(name).copied().unwrap_or(0));
        match &one.answer {
            Some((200, _)) => ensure!(counts == (1, 1), "acknowledged {name} is there {counts:?} times"),
            Some((status, body)) => anyhow::bail!("{name} was answered {status}: {body}"),
            None => ensure!(counts == (0, 0) || counts == (1, 1), "unanswered {name} is half: {counts:?}"),
        }
    }
    Ok(projects)
}

fn verify_once_each(server: &Server, sent: &[Sent]) -> Result<()> {
    let projects = verify(server, sent)?;
    for one in sent {
        let name = one.body["commands"][0]["body"]["name"].as_str().context("a name")?;
        ensure!(projects.get(name) == Some(&1), "{name} is there {:?} times", projects.get(name));
    }
    Ok(())
}

fn names(server: &Server, path: &str) -> Result<BTreeMap<String, usize>> {
    let mut names = BTreeMap::new();
    let mut next = String::new();
    loop {
        let page = server.call("GET", &format!("{path}?limit=1000{next}"), &Value::Null)?.expect(200)?;
        for item in page["items"].as_array().context("items")? {
            *names.entry(item["name"].as_str().context("a name")?.to_owned()).or_insert(0) += 1;
        }
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return Ok(names),
        }
    }
}
