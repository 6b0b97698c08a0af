//! The stream of changes: what the node itself computes, once and in order, also when its relay is killed.

use anyhow::{Context, Result, ensure};
use grantbook_tests::{
    events::Events,
    nats::{Nats, streams::Told},
    org::Story,
};
use serde_json::{Value, json};

use crate::relay::scene::{Scene, until};

const CHANGES: &str = "GRANTBOOK_CHANGES";

/// Every change up to the head, as a node tells a watcher.
fn watched(scene: &Scene) -> Result<Vec<Value>> {
    // A record that changes nobody's access, so that all changes are told before it.
    let made = scene.command.call("POST", "/v1/groups", &json!({"name": "the end"}))?;
    let end = made.header("grantbook-position").context("a position")?.to_owned();
    made.expect(201)?;
    let node = &scene.relays[0];
    let mut events = Events::open(node.base(), &node.owner_key, "?from=start", None)?;
    let mut changes = Vec::new();
    loop {
        let message = events.message()?.context("the stream ended")?;
        match message.name.as_str() {
            "change" => changes.push(message.data),
            "record" if message.data["position"] == end.as_str() => return Ok(changes),
            "record" => {}
            other => anyhow::bail!("{other}: {}", message.data),
        }
    }
}

/// The stream's messages with content, once the relay has looked at everything.
fn relayed(scene: &Scene) -> Result<Vec<Told>> {
    // Until a node has heard of the last frame, it is behind nothing that it knows of.
    let mut http = scene.relays[0].http()?.as_bearer(&scene.command.owner_key);
    http.send_at("latest", "GET", "/v1/whoami", &Value::Null)?.expect(200)?;
    until(|| scene.ready_of(0), |ready| ready["relay"][1]["lag_frames"] == 0 && ready["lag_frames"] == 0)?;
    let told = scene.streams.all(CHANGES)?;
    Ok(told.into_iter().filter(|message| !message.header("ce-id").is_empty()).collect())
}

#[test]
fn the_stream_of_changes_holds_what_the_node_computes_once_and_in_order() -> Result<()> {
    let mut scene = Scene::start(Nats::single()?, 1)?;
    let story = Story::tell(&scene.command)?;
    scene.command.call("DELETE", &format!("/v1/grants/{}", story.grant), &Value::Null)?.expect(200)?;
    scene.under_load(|scene, load| {
        for _ in 0..2 {
            load.progress(10)?;
            scene.relays[0].kill()?;
            load.progress(5)?;
            scene.relays[0].spawn()?;
        }
        load.progress(10)
    })?;
    let told = complete(&scene)?;
    ensure!(told.iter().any(|message| message.subject.ends_with("AccessLost")), "the revoked grant");
    Ok(())
}

/// The stream's messages, which are what the node computes, once and in order.
pub(super) fn complete(scene: &Scene) -> Result<Vec<Told>> {
    let expected = watched(scene)?;
    let told = relayed(scene)?;
    ensure!(expected.len() > 40, "{} changes", expected.len());
    let bodies: Vec<Value> = told.iter().map(Told::json).collect::<Result<_>>()?;
    assert_eq!(bodies, expected);
    let org = scene.command.init["organization"]["id"].as_str().unwrap_or_default();
    for (message, change) in told.iter().zip(&expected) {
        let (kind, position) = (&change["type"], &change["position"]);
        let subject = format!("grantbook.changes.{org}.{}", kind.as_str().unwrap_or_default());
        assert_eq!(message.subject, subject);
        let id = format!("{}/c{}", position.as_str().unwrap_or_default(), change["index"]);
        assert_eq!(message.header("ce-id"), id, "unique, and the same for ever");
    }
    Ok(told)
}

/// Most records change nothing: after each 1,024 frames a message says that they were looked at.
#[test]
fn frames_that_change_nothing_are_marked_as_looked_at() -> Result<()> {
    let scene = Scene::start(Nats::single()?, 1)?;
    let mut http = scene.command.http()?.as_bearer(&scene.command.owner_key);
    for number in 0..1030 {
        http.send("POST", "/v1/groups", &json!({"name": format!("g{number}")}))?.expect(201)?;
    }
    relayed(&scene)?;
    let told = scene.streams.all(CHANGES)?;
    let marks: Vec<&Told> = told.iter().filter(|one| one.subject == "grantbook.changes.progress").collect();
    assert_eq!(marks.len(), 1, "{told:?}");
    assert_eq!((marks[0].header("grantbook-place"), marks[0].body.len()), ("1024", 0));
    scene.settled().map(drop)
}
