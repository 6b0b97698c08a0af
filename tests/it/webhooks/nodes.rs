//! Read nodes over NATS that deliver: one that is killed and started again, one that lost what it had noted, two at once,
//! and one that knows nothing new.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    cut::Cut,
    hooks::{Answer, Received, Receiver, configure},
    nats::Nats,
    server::Server,
};
use serde_json::{Value, json};

use crate::webhooks::hook;

/// An installation over NATS with a command service; its read nodes will deliver.
struct Scene {
    nats: Nats,
    first: Server,
    command: Server,
    _key: tempfile::TempDir,
}

impl Scene {
    fn start() -> Result<Self> {
        let (nats, key) = (Nats::single()?, tempfile::tempdir()?);
        let mut first = Server::init_over(&nats.url())?;
        // 10 s of attempts.
        configure(&mut first, key.path(), &["50ms"; 200].join(","))?;
        let command = first.another("command")?;
        Ok(Self { nats, first, command, _key: key })
    }

    /// Makes projects of these numbers; the position of each.
    fn projects(&self, numbers: Range<usize>) -> Result<Vec<String>> {
        let project = |number: usize| {
            let made = self.command.call("POST", "/v1/projects", &json!({"name": format!("p{number}")}))?;
            let position = made.header("grantbook-position").context("a position")?.to_owned();
            made.expect(201)?;
            Ok(position)
        };
        numbers.map(project).collect()
    }

    fn hook(&self, receiver: &Receiver) -> Result<String> {
        let wanted = json!({"url": receiver.url("/"), "kinds": ["record"], "events": ["ProjectCreated"]});
        Ok(hook(&self.command, &wanted)?.0)
    }
}

fn positions(received: &[Received]) -> Vec<String> {
    let position = |one: &Received| one.body()["data"]["position"].as_str().unwrap_or_default().to_owned();
    received.iter().map(position).collect()
}

/// How often each message was accepted.
fn accepted(received: &[Received]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in received.iter().filter(|one| matches!(one.answer, Answer::Status(200..=299, _))) {
        *counts.entry(one.id.clone()).or_default() += 1;
    }
    counts
}

/// Whether what came is what two deliverers sent, each in order, repeating only its latest message, skipping nothing.
fn is_of_two(came: &[String], expected: &[String]) -> bool {
    // What each of the two sends next, in every way in which it can have been.
    let mut ways = BTreeSet::from([(0, 0)]);
    for position in came {
        let Some(one) = expected.iter().position(|known| known == position) else { return false };
        let after = |next: usize| (next == one || next == one + 1).then_some(one + 1);
        let either = |(a, b): &(usize, usize)| [after(*a).map(|a| (a, *b)), after(*b).map(|b| (*a, b))];
        ways = ways.iter().flat_map(either).flatten().collect();
    }
    !ways.is_empty()
}

#[test]
fn of_two_nodes_that_deliver_each_keeps_the_order_and_one_is_enough() -> Result<()> {
    let scene = Scene::start()?;
    let (mut one, other) = (scene.first.another("read")?, scene.first.another("read")?);
    let receiver = Receiver::start()?;
    receiver.answer({
        let mut count = 0_usize;
        move |_| {
            count += 1;
            Answer::Status(if count.is_multiple_of(5) { 503 } else { 204 }, "")
        }
    });
    scene.hook(&receiver)?;
    let mut expected = scene.projects(0..20)?;
    receiver.wait("what both sent", |received| accepted(received).len() == 20)?;
    // One ends while both try the same message.
    receiver.answer(|_| Answer::Status(503, ""));
    let tried = receiver.received().len();
    expected.extend(scene.projects(20..21)?);
    receiver.wait("attempts", |received| received.len() >= tried + 3)?;
    one.kill()?;
    receiver.answer(|_| Answer::Status(204, ""));
    expected.extend(scene.projects(21..41)?);
    receiver.wait("what one of them sent", |received| accepted(received).len() == 41)?;
    assert_eq!(positions(&receiver.accepted()), expected, "first acceptances, in the order of the journal");
    assert!(is_of_two(&positions(&receiver.received()), &expected), "{:?}", receiver.received());

    // It goes on where it was: so each message is accepted from both, under one id.
    one.spawn()?;
    let all = receiver.wait("everything from both", |received| {
        let counts = accepted(received);
        counts.len() == 41 && counts.values().all(|count| *count >= 2)
    })?;
    assert!(is_of_two(&positions(&all), &expected), "{all:?}");
    for server in [&one, &other] {
        let letters = server.http()?.send("GET", "/metrics", &Value::Null)?.body;
        ensure!(String::from_utf8(letters)?.contains("grantbook_webhook_dead_letters 0\n"), "none given up");
    }
    Ok(())
}

#[test]
fn a_node_resumes_or_repeats_and_sends_nothing_to_where_it_is_no_more_to_be_sent() -> Result<()> {
    let scene = Scene::start()?;
    let network = Cut::before(scene.nats.client_port(0)?)?;
    let mut node = scene.first.over_as("read", &network.nats_url())?;
    node.spawn()?;
    let [stays, old, new, ended] =
        [Receiver::start()?, Receiver::start()?, Receiver::start()?, Receiver::start()?];
    scene.hook(&stays)?;
    let (moved, deleted) = (scene.hook(&old)?, scene.hook(&ended)?);
    let mut expected = scene.projects(0..5)?;
    for receiver in [&stays, &old, &ended] {
        receiver.wait("the first ones", |received| received.len() == 5)?;
    }
    // When the node ends, a message is under way to one, and the others have refused it so far.
    stays.answer(|_| Answer::Silence);
    for refusing in [&old, &ended] {
        refusing.answer(|_| Answer::Status(503, ""));
    }
    expected.extend(scene.projects(5..6)?);
    for receiver in [&stays, &old, &ended] {
        receiver.wait("the sixth", |received| received.len() >= 6)?;
    }
    node.kill()?;
    stays.answer(|_| Answer::Status(204, ""));
    node.spawn()?;
    stays.wait("the one under way", |received| received.len() == 7)?;
    // It ends in peace, and what it knows is soon of another day.
    node.terminate()?;
    for willing in [&old, &ended] {
        willing.answer(|_| Answer::Status(204, ""));
    }
    let to_new = json!({"url": new.url("/")});
    scene.command.call("PATCH", &format!("/v1/webhooks/{moved}"), &to_new)?.expect(200)?;
    scene.command.call("DELETE", &format!("/v1/webhooks/{deleted}"), &Value::Null)?.expect(200)?;
    let before = (old.received().len(), ended.received().len());
    network.delay(Duration::from_millis(200));
    node.spawn()?;
    network.heal();
    expected.extend(scene.projects(6..9)?);
    stays.wait("the rest", |received| received.len() == 10)?;
    new.wait("what waited, and the rest", |received| accepted(received).len() == 4)?;
    let came = positions(&stays.received());
    assert_eq!((&came[..6], &came[6..]), (&expected[..6], &expected[5..]), "only the sixth was repeated");
    assert_eq!(positions(&new.accepted()), expected[5..]);

    // Its directory is lost: another one repeats everything since the webhook was made, in order.
    node.kill()?;
    drop(node);
    let another = scene.first.another("read")?;
    stays.wait("everything again", |received| received.len() == 19)?;
    assert_eq!(positions(&stays.received())[10..], expected);
    assert!(accepted(&stays.received()).values().all(|count| *count >= 2), "under the same ids");
    new.wait("everything", |received| accepted(received).len() == 9)?;
    assert_eq!(
        (old.received().len(), ended.received().len()),
        before,
        "nothing came to where it was sent once"
    );
    let list = another.call("GET", "/v1/webhooks", &Value::Null)?.expect(200)?;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[test]
fn a_node_that_may_not_be_believed_sends_nothing() -> Result<()> {
    let mut scene = Scene::start()?;
    let mut node = scene.first.another_stopped("read")?;
    node.set_env("GRANTBOOK_MAX_SILENCE", "5s");
    node.set_env("GRANTBOOK_WEBHOOK_RETRY", &vec!["50ms"; 2000].join(","));
    node.spawn()?;
    let receiver = Receiver::start()?;
    receiver.answer(|_| Answer::Status(503, ""));
    scene.hook(&receiver)?;
    scene.projects(0..1)?;
    receiver.wait("attempts", |received| received.len() >= 3)?;
    scene.nats.kill(0)?;
    let ready = || -> Result<Value> { Ok(node.http()?.send("GET", "/readyz", &Value::Null)?.json()) };
    let age = |ready: &Value| ready["age_ms"].as_u64().unwrap_or_default();
    let stale = super::until("it is stale", || Ok(Some(ready()?).filter(|ready| ready["state"] == "stale")))?;
    // One may have been under way.
    let first =
        super::until("a while", || Ok(Some(ready()?).filter(|ready| age(ready) > age(&stale) + 1000)))?;
    let before = receiver.received().len();
    super::until("another while", || Ok(Some(ready()?).filter(|ready| age(ready) > age(&first) + 2000)))?;
    assert_eq!(receiver.received().len(), before, "nobody knows whether the webhook is still there");
    scene.nats.start(0)?;
    receiver.answer(|_| Answer::Status(204, ""));
    receiver.wait("what was to be sent", |received| !accepted(received).is_empty())?;
    Ok(())
}
