//! Webhooks: signed, in order, at least once, across kill -9; given up, tried again, replayed; and sent nowhere else.

mod nodes;
mod rights;
mod rough;
mod tls;
mod verify;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    hooks::{Answer, Received, Receiver, configure},
    org::Story,
    server::Server,
};
use serde_json::{Value, json};

/// A server that delivers, with the directory of its webhook key.
fn delivering(retry: &str) -> Result<(Server, tempfile::TempDir)> {
    let (mut server, place) = (Server::init()?, tempfile::tempdir()?);
    configure(&mut server, place.path(), retry)?;
    server.spawn()?;
    Ok((server, place))
}

/// Makes a webhook; its id and secret.
fn hook(server: &Server, body: &Value) -> Result<(String, String)> {
    let made = server.call("POST", "/v1/webhooks", body)?.expect(201)?;
    let text = |name: &str| made[name].as_str().map(str::to_owned).context("id and secret");
    Ok((text("id")?, text("secret")?))
}

/// The names of all events of the audit log after the webhook was made, in order.
fn events_after(server: &Server, webhook: &str) -> Result<Vec<String>> {
    let log = server.call("GET", "/v1/audit?limit=1000", &Value::Null)?.expect(200)?;
    let items = log["items"].as_array().context("items")?;
    let events = items.iter().flat_map(|item| item["events"].as_array().cloned().unwrap_or_default());
    let mut events = events.skip_while(|event| event["webhook"]["id"] != webhook);
    events.next().context("the webhook was made")?;
    Ok(events.map(|event| event["type"].as_str().unwrap_or_default().to_owned()).collect())
}

fn names(received: &[Received]) -> Vec<String> {
    received.iter().map(Received::name).collect()
}

fn shown(server: &Server, id: &str) -> Result<Value> {
    server.call("GET", &format!("/v1/webhooks/{id}"), &Value::Null)?.expect(200)
}

/// Polls until there is something.
fn until<T>(what: &str, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = probe()? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// Polls until the webhook is shown as wanted.
fn shown_until(server: &Server, id: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut last = Value::Null;
    let found = until("a webhook", || {
        last = shown(server, id)?;
        Ok(wanted(&last).then(|| last.clone()))
    });
    found.with_context(|| last.to_string())
}

#[test]
fn every_event_comes_signed_and_in_order_also_across_kill_9_in_the_middle() -> Result<()> {
    let (mut server, _place) = delivering("50ms")?;
    let receiver = Receiver::start()?;
    let (id, secret) = hook(&server, &json!({"url": receiver.url("/a?b=c"), "kinds": ["record"]}))?;
    // The fifth message is never answered: the process ends while it waits.
    receiver.answer({
        let mut count = 0;
        move |_| {
            count += 1;
            if count == 5 { Answer::Silence } else { Answer::Status(200, "") }
        }
    });
    let story = Story::tell(&server)?;
    receiver.wait("the fifth message", |received| received.len() >= 5)?;
    server.call("DELETE", &format!("/v1/keys/{}", story.key_id), &Value::Null)?.expect(200)?;
    server.kill()?;
    server.spawn()?;
    let expected = events_after(&server, &id)?;
    receiver.wait("everything", |received| received.iter().any(|one| one.name() == "KeyRevoked"))?;
    let accepted = receiver.accepted();
    assert_eq!(names(&accepted), expected, "each event once, in the order of the journal");
    let all = receiver.received();
    let cut_off = &all[4];
    let again = all.iter().filter(|one| one.id == cut_off.id).count();
    assert!(again >= 2, "what was not acknowledged is sent again under its id");
    for one in &all {
        assert_eq!(one.path, "/a?b=c");
        assert!(one.is_signed_by(&secret), "{one:?}");
        assert!(!one.is_signed_by("whsec_AAAA"));
        let body = one.body();
        assert_eq!(body["type"], body["data"]["event"]["type"]);
        assert_eq!(body["data"]["actor"]["id"], server.init["user"]["id"]);
        assert!(body["timestamp"].is_string() && body["data"]["position"].is_string());
    }
    let last = shown_until(&server, &id, |shown| {
        shown["delivery"]["delivered_to"] == accepted[accepted.len() - 1].body()["data"]["position"]
    })?;
    assert_eq!(last["delivery"]["state"], "delivering");
    assert_eq!(last["delivery"]["last_attempt"]["status"], 200);
    assert_eq!(last["secret"], Value::Null);
    let listed = server.call("GET", "/v1/webhooks", &Value::Null)?.expect(200)?;
    assert_eq!(listed["items"][0]["delivery"], last["delivery"], "the list says it, too");
    let metrics = server.http()?.send("GET", "/metrics", &Value::Null)?.body;
    let metrics = String::from_utf8(metrics)?;
    assert!(metrics.contains(&format!("grantbook_webhook_lag_ms{{webhook=\"{id}\"}} 0\n")), "{metrics}");
    Ok(())
}

#[test]
fn changes_of_access_come_as_messages_of_their_own() -> Result<()> {
    let (server, _place) = delivering("1s")?;
    let receiver = Receiver::start()?;
    let (_, secret) = hook(&server, &json!({"url": receiver.url("/"), "kinds": ["change"]}))?;
    let story = Story::tell(&server)?;
    let path = format!("/v1/groups/{}/members/token/{}", story.group, story.token);
    server.call("DELETE", &path, &Value::Null)?.expect(200)?;
    let come = receiver.wait("the loss", |all| all.iter().any(|one| one.name() == "AccessLost"))?;
    let mut kinds = names(&come);
    kinds.dedup();
    assert_eq!(kinds, ["AccessGained", "AccessLost"], "what was given, then what was taken, and no events");
    assert!(come.iter().all(|one| one.is_signed_by(&secret)));
    assert!(come.iter().any(|one| one.body()["data"].to_string().contains(&story.token)));
    Ok(())
}

#[test]
fn a_message_that_is_refused_too_often_is_set_aside_and_can_be_tried_again_and_replayed() -> Result<()> {
    let (mut server, _place) = delivering("20ms,20ms")?;
    let (bad, good) = (Receiver::start()?, Receiver::start()?);
    bad.answer(|one| Answer::Status(if one.name() == "ProjectCreated" { 500 } else { 202 }, ""));
    let (id, _) = hook(&server, &json!({"url": bad.url("/"), "kinds": ["record"]}))?;
    let filtered = json!({"url": good.url("/"), "events": ["KeyIssued"], "description": "only keys"});
    let (other, _) = hook(&server, &filtered)?;
    Story::tell(&server)?;
    good.wait("the key", |received| !received.is_empty())?;
    assert_eq!(names(&good.received()), ["KeyIssued"]);
    bad.wait("the key", |received| received.iter().any(|one| one.name() == "KeyIssued"))?;
    let received = bad.received();
    assert_eq!(
        names(&received)[..4],
        ["WebhookCreated", "ProjectCreated", "ProjectCreated", "ProjectCreated"]
    );
    let tried = received.iter().filter(|one| one.id == received[1].id).count();
    assert_eq!(tried, 3, "at once and after each wait");

    let list = format!("/v1/webhooks/{id}/dead-letters");
    let first = server.call("GET", &format!("{list}?limit=1"), &Value::Null)?.expect(200)?;
    let letter = &first["items"][0];
    assert_eq!((&letter["type"], &letter["attempts"]), (&json!("ProjectCreated"), &json!(3)));
    assert_eq!((&letter["id"], &letter["last_attempt"]["status"]), (&json!(received[1].id), &json!(500)));
    let next = first["next"].as_str().context("two letters")?;
    let second = server.call("GET", &format!("{list}?limit=1&cursor={next}"), &Value::Null)?.expect(200)?;
    assert_eq!(second["next"], Value::Null);
    let retry = format!("{list}/{}/retry", received[1].id);
    let retried = server.call("POST", &retry, &Value::Null)?.expect(200)?;
    assert_eq!((&retried["delivered"], &retried["status"]), (&json!(false), &json!(500)));
    // Also of a process that was started anew: letters and their order are kept.
    server.terminate()?;
    server.spawn()?;
    bad.answer(|_| Answer::Status(200, ""));
    let (said, _, code) = server.cli(&["webhook", "retry", &id, &received[1].id])?;
    assert_eq!((said.trim(), code), ("answered 200", 0));
    assert_eq!(server.call("POST", &retry, &Value::Null)?.status, 404, "it has left the list");
    assert_eq!(shown(&server, &id)?["delivery"]["dead_letters"], 1);

    let before = bad.received().len();
    let replay = json!({"from": "start"});
    server.call("POST", &format!("/v1/webhooks/{id}/replay"), &replay)?.expect(200)?;
    let all = bad.wait("everything again", |received| {
        received[before..].iter().any(|one| one.name() == "KeyIssued" && one.id == received[before - 1].id)
            || received[before..].iter().filter(|one| one.name() == "KeyIssued").count() >= 2
    })?;
    assert_eq!(all[before].name(), "OrganizationCreated", "from the very beginning");
    server.call("POST", &format!("/v1/webhooks/{other}/replay"), &json!({"from": "later"}))?.expect(400)?;
    server.call("POST", &format!("/v1/webhooks/{other}/replay"), &json!({"from": "now"}))?.expect(200)?;
    let tested = server.call("POST", &format!("/v1/webhooks/{other}/test"), &Value::Null)?.expect(200)?;
    assert_eq!(tested["delivered"], true);
    assert_eq!(good.received().last().map(Received::name).as_deref(), Some("WebhookTest"));
    Ok(())
}

#[test]
fn a_receiver_that_is_gone_or_silent_delays_nobody_and_gets_nothing_more() -> Result<()> {
    let (server, _place) = delivering("1h")?;
    let (gone, silent, good) = (Receiver::start()?, Receiver::start()?, Receiver::start()?);
    gone.answer(|_| Answer::Status(410, ""));
    silent.answer(|_| Answer::Silence);
    let ids =
        [&gone, &silent, &good].map(|one| hook(&server, &json!({"url": one.url("/"), "kinds": ["record"]})));
    let [gone_id, silent_id, _] = ids.map(|made| made.map(|(id, _)| id));
    let (gone_id, silent_id) = (gone_id?, silent_id?);
    Story::tell(&server)?;
    good.wait("the key", |received| received.iter().any(|one| one.name() == "KeyIssued"))?;
    shown_until(&server, &gone_id, |shown| shown["delivery"]["state"] == "gone")?;
    assert_eq!((gone.received().len(), silent.received().len()), (1, 1));
    assert_eq!(shown(&server, &silent_id)?["delivery"]["state"], "delivering");
    // Another URL: it begins where it left off.
    let moved = json!({"url": good.url("/moved")});
    server.call("PATCH", &format!("/v1/webhooks/{gone_id}"), &moved)?.expect(200)?;
    good.wait("what the one that is gone did not take", |received| {
        received.iter().any(|one| one.path == "/moved" && one.name() == "KeyIssued")
    })?;
    let first = good.received().into_iter().find(|one| one.path == "/moved").context("the first")?;
    assert_eq!(first.id, gone.received()[0].id);
    server.call("DELETE", &format!("/v1/webhooks/{gone_id}"), &Value::Null)?.expect(200)?;
    assert_eq!(server.call("GET", &format!("/v1/webhooks/{gone_id}"), &Value::Null)?.status, 404);
    Ok(())
}

#[test]
fn secrets_are_shown_once_rotate_with_a_grace_and_are_in_no_file() -> Result<()> {
    let (mut server, place) = delivering("20ms")?;
    let receiver = Receiver::start()?;
    let mut http = server.http()?.as_bearer(&server.owner_key);
    let wanted = json!({"url": receiver.url("/"), "events": ["ProjectCreated"]});
    let id = [("idempotency-key", "h-1")];
    let made = http.send_with("POST", "/v1/webhooks", &id, &wanted)?.expect(201)?;
    let first = made["secret"].as_str().context("a secret")?.to_owned();
    let again = http.send_with("POST", "/v1/webhooks", &id, &wanted)?.expect(201)?;
    assert_eq!((&again["secret"], &again["secret_withheld"]), (&Value::Null, &json!(true)));
    let hook = made["id"].as_str().context("an id")?.to_owned();
    let rotate = format!("/v1/webhooks/{hook}/rotate");
    let (id, grace) = ([("idempotency-key", "h-2")], json!({"grace_seconds": 3600}));
    let rotated = http.send_with("POST", &rotate, &id, &grace)?.expect(201)?;
    let second = rotated["secret"].as_str().context("a secret")?.to_owned();
    assert_eq!(http.send_with("POST", &rotate, &id, &grace)?.expect(201)?["secret"], Value::Null);
    assert!(first != second && first.starts_with("whsec_") && second.starts_with("whsec_"));
    server.call("POST", "/v1/projects", &json!({"name": "a"}))?.expect(201)?;
    let both = receiver.wait("a message", |received| received.len() == 1)?;
    assert!(both[0].is_signed_by(&first) && both[0].is_signed_by(&second));
    let third = server.call("POST", &rotate, &json!({"grace_seconds": 0}))?.expect(201)?;
    let third = third["secret"].as_str().context("a secret")?.to_owned();
    server.call("POST", "/v1/projects", &json!({"name": "b"}))?.expect(201)?;
    let one = receiver.wait("another", |received| received.len() == 2)?.remove(1);
    assert!(one.is_signed_by(&third) && !one.is_signed_by(&second) && !one.is_signed_by(&first));
    let log = server.call("GET", "/v1/audit?event=WebhookRotated", &Value::Null)?.expect(200)?;
    assert_eq!(log["items"].as_array().map(Vec::len), Some(2));
    assert!(!log.to_string().contains("whsec_"));
    server.terminate()?;
    let key = fs::read_to_string(place.path().join("webhook.key"))?;
    let key = key.trim().rsplit(':').next().context("the key")?.to_owned();
    for secret in [&first, &second, &third, &key] {
        let needle = secret.strip_prefix("whsec_").unwrap_or(secret);
        let mut files = 0;
        search(&server.outer(), needle.as_bytes(), &mut files)?;
        assert!(files >= 4, "journal, view, deliveries and log were searched, got {files} files");
    }
    Ok(())
}

fn search(dir: &Path, needle: &[u8], files: &mut usize) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            search(&path, needle, files)?;
        } else {
            *files += 1;
            let found = fs::read(&path)?.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "in {}", path.display());
        }
    }
    Ok(())
}

#[test]
fn nothing_is_sent_to_places_that_are_not_public_unless_the_operator_says_so() -> Result<()> {
    let (mut server, _place) = delivering("1h")?;
    // Only this port of this machine.
    let (allowed, private) = (Receiver::start()?, Receiver::start()?);
    let host = allowed.url("").trim_start_matches("http://").to_owned();
    server.terminate()?;
    server.set_env("GRANTBOOK_WEBHOOK_ALLOW", &host);
    server.spawn()?;
    let port = private.url("").rsplit(':').next().context("a port")?.to_owned();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://0x7f000001:{port}/"),
        format!("https://0177.0.0.1:{port}/"),
        format!("https://user:password@example.com:{port}/"),
        format!("http://example.com:{port}/"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://[fd00:ec2::254]/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let refused = server.call("POST", "/v1/webhooks", &json!({"url": url}))?;
        assert_eq!((refused.status, refused.text("/pointer").as_str()), (400, "/url"), "{url}");
    }
    // A name that stands for this machine is found out only when it is looked up: at every attempt.
    let (named, _) = hook(&server, &json!({"url": format!("https://localhost:{port}/")}))?;
    // A redirect into this machine is a failure like any other.
    let to = format!("location: {}", private.url("/"));
    let to: &'static str = to.leak();
    allowed.answer(move |_| Answer::Status(307, to));
    let (redirected, _) = hook(&server, &json!({"url": allowed.url("/")}))?;
    server.call("POST", "/v1/projects", &json!({"name": "p"}))?.expect(201)?;
    let failed = shown_until(&server, &named, |shown| shown["delivery"]["state"] == "failing")?;
    let error = failed["delivery"]["last_attempt"]["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("not public"), "{error}");
    let failed = shown_until(&server, &redirected, |shown| shown["delivery"]["state"] == "failing")?;
    assert_eq!(failed["delivery"]["last_attempt"]["status"], 307);
    assert!(private.received().is_empty(), "nobody came");
    Ok(())
}

#[test]
fn without_a_key_nothing_is_made_and_with_an_exposed_one_nothing_starts() -> Result<()> {
    let (mut server, place) = (Server::start()?, tempfile::tempdir()?);
    let refused = server.call("POST", "/v1/webhooks", &json!({"url": "https://example.com/"}))?;
    assert_eq!((refused.status, refused.text("/code").as_str()), (503, "webhooks_not_configured"));
    assert_eq!(server.call("GET", "/v1/webhooks", &Value::Null)?.expect(200)?["items"], json!([]));
    server.terminate()?;
    configure(&mut server, place.path(), "1s")?;
    server.spawn()?;
    let (secret, said, code) =
        server.cli(&["webhook", "create", "https://hooks.example.com/x", "--disabled"])?;
    assert_eq!(code, 0, "{said}");
    assert!(secret.starts_with("whsec_") && secret.lines().count() == 1);
    let (listed, ..) = server.cli(&["--json", "webhook", "list"])?;
    let listed: Value = serde_json::from_str(&listed)?;
    let id = listed["items"][0]["id"].as_str().context("an id")?.to_owned();
    assert_eq!(shown(&server, &id)?["delivery"]["state"], "disabled");
    // A node that delivers nothing says so, and shows the rest.
    server.terminate()?;
    let key = place.path().join("webhook.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640))?;
    let refused = server.spawn().expect_err("others can read the key").to_string();
    assert!(refused.contains("chmod 600"), "{refused}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    server.unset_env("GRANTBOOK_WEBHOOKS");
    server.unset_env("GRANTBOOK_WEBHOOK_ALLOW");
    server.unset_env("GRANTBOOK_WEBHOOK_RETRY");
    server.spawn()?;
    assert_eq!(shown(&server, &id)?["delivery"], Value::Null);
    let elsewhere = server.call("GET", &format!("/v1/webhooks/{id}/dead-letters"), &Value::Null)?;
    assert_eq!((elsewhere.status, elsewhere.text("/code").as_str()), (421, "wrong_role"));
    for path in ["test", "dead-letters/msg_x-0/retry"] {
        let elsewhere = server.call("POST", &format!("/v1/webhooks/{id}/{path}"), &Value::Null)?;
        assert_eq!(elsewhere.status, 421);
    }
    let enabled = json!({"enabled": true, "events": ["KeyRevoked"]});
    server.call("PATCH", &format!("/v1/webhooks/{id}"), &enabled)?.expect(200)?;
    Ok(())
}
