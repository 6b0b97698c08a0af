//! A stream that holds what the relay cannot have published, or lacks what it did: it stops and says so, publishes nothing
//! more, and the documented repair leads to a whole stream.

use anyhow::{Context, Result, ensure};
use grantbook_domain::position::Position;
use grantbook_journal::{
    Item, Journal as _,
    hash::Hash,
    jetstream::{Derived, JetStreamJournal, Message, NatsOptions, Place},
};
use grantbook_tests::{
    binary,
    nats::{self, Nats, signal},
};
use serde_json::{Value, json};

use crate::relay::{
    EVENTS,
    scene::{Scene, relay, until},
};

fn scene() -> Result<Scene> {
    let scene = Scene::start(Nats::single()?, 1)?;
    write(&scene, "one")?;
    scene.settled()?;
    until(|| scene.state_of(0, EVENTS), |state| state == "active")?;
    Ok(scene)
}

fn write(scene: &Scene, name: &str) -> Result<()> {
    scene.command.call("POST", "/v1/tokens", &json!({"name": name}))?.expect(201).map(drop)
}

/// The line of events is broken for this reason, says so everywhere, and publishes nothing whatever comes.
fn is_broken(scene: &Scene, why: &str) -> Result<()> {
    until(|| scene.state_of(0, EVENTS), |state| state == "broken")?;
    // Reads are answered all the same, by a node that was just started as soon as its view has caught up.
    let ready = until(|| scene.ready_of(0), |ready| ready["ready"] == true)?;
    ensure!(ready["relay"][0]["state"] == "broken", "{ready}");
    ensure!(ready["relay"][0]["reason"].to_string().contains(why), "{why}: {ready}");
    let metrics = scene.relays[0].http()?.send("GET", "/metrics", &Value::Null)?.body;
    let metrics = String::from_utf8(metrics)?;
    ensure!(metrics.contains("grantbook_relay_broken{stream=\"events\"} 1\n"), "{metrics}");
    ensure!(metrics.contains("grantbook_relay_broken{stream=\"changes\"} 0\n"), "{metrics}");
    let args = ["doctor", "--nats", &scene.nats.url(), "--node", scene.relays[0].base()];
    let said = binary::run(&args, &[])?;
    let (code, said) = (said.status.code(), String::from_utf8(said.stdout)?);
    ensure!(code == Some(1) && said.contains("GRANTBOOK_EVENTS broken"), "{said}");
    let last = scene.streams.last(EVENTS)?;
    let process = scene.relays[0].pid().context("it runs")?;
    write(scene, &format!("more than {last} {why} for {process}"))?;
    until(|| scene.ready_of(0), |ready| ready["relay"][1]["lag_frames"] == 0)?;
    ensure!(scene.streams.last(EVENTS)? == last, "nothing more is published");
    Ok(())
}

/// What docs/subscribing.md says: the relays are ended, the stream is deleted and made anew, the relays are started.
fn repaired(scene: &mut Scene) -> Result<()> {
    scene.relays.clear();
    scene.streams.done(&format!("STREAM.DELETE.{EVENTS}"), &json!({}))?;
    let prepared = binary::run(&["nats", "prepare", "--nats", &scene.nats.url()], &[])?;
    ensure!(prepared.status.success(), "{prepared:?}");
    scene.relays.push(relay(&scene.command)?);
    scene.settled().map(drop)
}

#[test]
fn a_message_of_somebody_else_stops_it() -> Result<()> {
    let mut scene = scene()?;
    let pid = scene.relays[0].pid().expect("it runs");
    signal(pid, "STOP")?;
    let taken = scene.streams.publish("grantbook.events.nobody.Anything", "{}")?;
    ensure!(taken["error"].is_null(), "{taken}");
    // Several are due: those behind the first one may land behind the foreign message.
    ["two", "three", "four"].iter().try_for_each(|name| write(&scene, name))?;
    signal(pid, "CONT")?;
    is_broken(&scene, "is of no relay")?;
    // Started again, it is no better: refused at once, if the foreign message is the last one.
    scene.relays.clear();
    match relay(&scene.command) {
        Ok(again) => {
            scene.relays.push(again);
            is_broken(&scene, "is of no relay")?;
        }
        Err(refused) => ensure!(refused.to_string().contains("is of no relay"), "{refused}"),
    }
    repaired(&mut scene)
}

#[test]
fn a_stream_that_was_deleted_or_made_anew_stops_it() -> Result<()> {
    for anew in [false, true] {
        let mut scene = scene()?;
        scene.streams.done(&format!("STREAM.DELETE.{EVENTS}"), &json!({}))?;
        if anew {
            let prepared = binary::run(&["nats", "prepare", "--nats", &scene.nats.url()], &[])?;
            ensure!(prepared.status.success(), "{prepared:?}");
        }
        write(&scene, "two")?;
        if anew {
            is_broken(&scene, "was made anew")?;
        } else {
            until(|| scene.state_of(0, EVENTS), |state| state == "broken")?;
            let ready = scene.ready_of(0)?;
            ensure!(ready["relay"][0]["reason"].to_string().contains("no stream"), "{ready}");
            let prepared = binary::run(&["nats", "prepare", "--nats", &scene.nats.url()], &[])?;
            ensure!(prepared.status.success(), "{prepared:?}");
        }
        // Started again, it tells the whole journal.
        scene.relays.clear();
        scene.relays.push(relay(&scene.command)?);
        scene.settled()?;
    }
    Ok(())
}

#[test]
fn another_place_than_was_due_stops_it() -> Result<()> {
    let mut scene = scene()?;
    let pid = scene.relays[0].pid().expect("it runs");
    signal(pid, "STOP")?;
    write(&scene, "two")?;
    write(&scene, "three")?;
    // A relay that leaves an event out.
    let publish = |frames_before_head: u64| -> Result<()> {
        let last = scene.streams.last(EVENTS)?;
        tokio::runtime::Runtime::new()?.block_on(async {
            let journal = JetStreamJournal::open(&NatsOptions::new(scene.nats.urls())).await?;
            let sequence = journal.head().await? - frames_before_head;
            let frame = journal.read_one(sequence).await?.and_then(Item::into_frame).expect("a frame");
            let mut other = journal.publisher(Derived::Events).await?;
            let message = Message {
                place: Place::of(Position::of(sequence, 0), 0),
                frame: Hash::of(&frame.bytes),
                subject: other.subject(frame.org, "TokenCreated"),
                headers: Vec::new(),
                body: bytes::Bytes::new(),
            };
            other.publish(last, &[message]).await?;
            Ok(())
        })
    };
    publish(0)?;
    signal(pid, "CONT")?;
    is_broken(&scene, "another relay tells something else")?;
    scene.relays.clear();
    // What the first relay had under way may have landed behind that, or not: this surely lies behind what comes later.
    publish(2)?;
    scene.relays.push(relay(&scene.command)?);
    is_broken(&scene, "which is not behind")?;
    repaired(&mut scene)
}

/// Nobody removes a message by the servers' API. From a file that lost its end the relay publishes what is missing again; a
/// message that is missing in between is nothing that it looks at, but the doctor does.
#[test]
fn what_is_missing_is_told_or_made_again() -> Result<()> {
    let mut scene = scene()?;
    for (verb, body) in [("MSG.DELETE", json!({"seq": 2})), ("PURGE", json!({}))] {
        let refused = scene.streams.ask(&format!("STREAM.{verb}.{EVENTS}"), &body)?;
        ensure!(refused["error"].is_object(), "{verb}: {refused}");
    }
    let whole = scene.settled()?;
    scene.nats.stop(0)?;
    nats::cut_tail(&scene.nats.store_dir(0), EVENTS, 1)?;
    scene.nats.start(0)?;
    ensure!(scene.streams.last(EVENTS)? < whole.len() as u64, "the last message is gone");
    write(&scene, "two")?;
    let again = scene.settled()?;
    ensure!(again.len() == whole.len() + 1, "{} messages", again.len());
    scene.nats.stop(0)?;
    nats::remove_message(&scene.nats.store_dir(0), EVENTS, 3)?;
    scene.nats.start(0)?;
    scene.streams.last(EVENTS)?;
    let said = scene.doctor(&[])?.to_string();
    ensure!(said.contains("1 of its messages is missing"), "{said}");
    Ok(())
}
