//! `Grantbook-At-Least: latest`, and what each kind of process tells of how it is.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{nats::Nats, server::Server, wire::Reply};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(1);
const LATEST: (&str, &str) = ("grantbook-at-least", "latest");

fn read(node: &Server, path: &str) -> Result<Reply> {
    node.http()?.as_bearer(&node.owner_key).send_with("GET", path, &[LATEST], &Value::Null)
}

#[test]
fn what_was_acknowledged_anywhere_is_in_the_latest_answer() -> Result<()> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let (command, node) = (first.another("command")?, first.another("read")?);
    for number in 0..30 {
        let name = format!("t{number}");
        let made = command.call("POST", "/v1/tokens", &json!({"name": name}))?;
        let position = made.header("grantbook-position").context("a position")?.to_owned();
        let id = made.expect(201)?["id"].as_str().context("an id")?.to_owned();
        let found = read(&node, &format!("/v1/tokens/{id}"))?;
        assert_eq!(found.header("grantbook-position"), Some(position.as_str()));
        found.expect(200)?;
    }
    // Together with a question about the past, and by the command line.
    let past = read(&node, "/v1/tokens?as_of=2000-01-01T00:00:00Z")?.expect(200)?;
    assert_eq!(past["items"], json!([]));
    let (_, told, code) = node.cli(&["--at-least", "latest", "token", "list"])?;
    assert_eq!(code, 0, "{told}");
    let wrong = [("grantbook-at-least", "newest")];
    let refused =
        node.http()?.as_bearer(&node.owner_key).send_with("GET", "/v1/tokens", &wrong, &Value::Null)?;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (400, Some("invalid")));
    // Without the journal there is no latest answer; without the demand there is one for a while.
    nats.pause(0)?;
    let refused = read(&node, "/v1/tokens")?;
    assert_eq!(refused.status, 503, "{}", refused.json());
    node.call("GET", "/v1/tokens", &Value::Null)?.expect(200)?;
    nats.resume(0)?;
    Ok(())
}

/// The key that asks is judged as of the same moment as the question.
#[test]
fn a_key_that_ended_anywhere_gets_no_latest_answer() -> Result<()> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let (command, node) = (first.another("command")?, first.another("read")?);
    let made = command.call("POST", "/v1/tokens", &json!({"name": "bot"}))?.expect(201)?;
    let keys = format!("/v1/tokens/{}/keys", made["id"].as_str().context("an id")?);
    for _ in 0..20 {
        let key = command.call("POST", &keys, &json!({}))?.expect(201)?;
        let (id, secret) =
            (key["id"].as_str().context("an id")?, key["secret"].as_str().context("a secret")?);
        let ask = || node.http()?.as_bearer(secret).send_with("GET", "/v1/whoami", &[LATEST], &Value::Null);
        ask()?.expect(200)?;
        command.call("DELETE", &format!("/v1/keys/{id}"), &Value::Null)?.expect(200)?;
        let refused = ask()?;
        assert_eq!((refused.status, refused.json()["code"].as_str()), (401, Some("unauthenticated")));
    }
    Ok(())
}

#[test]
fn a_process_with_a_journal_of_its_own_is_always_the_latest() -> Result<()> {
    let server = Server::start()?;
    let made = server.call("POST", "/v1/tokens", &json!({"name": "t"}))?.expect(201)?;
    let id = made["id"].as_str().context("an id")?;
    read(&server, &format!("/v1/tokens/{id}"))?.expect(200)?;
    Ok(())
}

/// What is told once the journal's head was heard of.
fn told_of_its_head(server: &Server) -> Result<Value> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let told = server.http()?.send("GET", "/readyz", &Value::Null)?.expect(200)?;
        if told["last_contact_ms"].is_u64() {
            return Ok(told);
        }
        ensure!(Instant::now() < deadline, "{told}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Every role says where it is, where the journal is, and within which bounds it is believed.
#[test]
fn each_role_tells_how_it_is() -> Result<()> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let mut read = first.another_stopped("read")?;
    read.set_env("GRANTBOOK_MAX_LAG", "2s");
    read.set_env("GRANTBOOK_MAX_SILENCE", "1m");
    read.set_env("GRANTBOOK_WHEN_STALE", "mark");
    read.spawn()?;
    let (command, all) = (first.another("command")?, first.another("all")?);
    let embedded = Server::start()?;
    let default = json!({"max_lag_ms": 5000, "max_silence_ms": 30_000, "when_stale": "refuse"});
    let set = json!({"max_lag_ms": 2000, "max_silence_ms": 60_000, "when_stale": "mark"});
    let scenes = [
        ("read", &read, &set),
        ("command", &command, &default),
        ("all", &all, &default),
        ("all", &embedded, &default),
    ];
    for (role, server, bounds) in scenes {
        let ready = told_of_its_head(server)?;
        let healthy = server.http()?.send("GET", "/healthz", &Value::Null)?.expect(200)?;
        assert_eq!(healthy["status"], "ok");
        for told in [&ready, &healthy["node"]] {
            assert_eq!((&told["role"], &told["state"]), (&json!(role), &json!("running")), "{told}");
            assert_eq!(told["freshness"], *bounds, "{told}");
            assert_eq!((&told["lag_frames"], &told["gaps"]["met"]), (&json!(0), &json!(0)), "{told}");
            assert_eq!(told["quarantine"], Value::Null, "{told}");
            assert!(told["position"].is_string() && told["position"] == told["head"], "{told}");
            assert!(told["last_contact_ms"].is_u64(), "{told}");
        }
        let metrics = server.http()?.send("GET", "/metrics", &Value::Null)?.body;
        let metrics = String::from_utf8(metrics)?;
        for line in [
            "grantbook_view_sequence 1\n",
            "grantbook_journal_head 1\n",
            "grantbook_lag_frames 0\n",
            "grantbook_lag_age_ms 0\n",
            "grantbook_gaps_total 0\n",
            "grantbook_quarantined 0\n",
            "grantbook_stale 0\n",
            "grantbook_ready 1\n",
            "grantbook_stale_answers_total 0\n",
            "grantbook_last_contact_ms ",
        ] {
            assert!(metrics.contains(line), "{role}: {line} in {metrics}");
        }
        assert!(
            metrics.contains(&format!("grantbook_max_silence_ms {}\n", bounds["max_silence_ms"])),
            "{metrics}"
        );
    }
    for (flag, bad) in [("--max-lag", "0s"), ("--max-silence", "4s"), ("--max-silence", "2h")] {
        let refused = grantbook_tests::binary::run(&["serve", flag, bad], &[])?;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains(flag), "{said}");
    }
    Ok(())
}
