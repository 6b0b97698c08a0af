//! The relay: every event, and every change of access, once and in the journal's order, whatever befalls relays and
//! brokers; and what it refuses.

mod broken;
mod changes;
mod consumers;
mod publisher;
mod refused;
mod scene;

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use grantbook_tests::nats::{Nats, signal};
use serde_json::json;

pub(crate) use self::consumers::python;
use self::scene::{Scene, until};

const EVENTS: &str = "GRANTBOOK_EVENTS";

#[test]
fn an_event_comes_as_a_cloud_event_with_its_record() -> Result<()> {
    let scene = Scene::start(Nats::single()?, 1)?;
    let reason = [("grantbook-reason", "for the demo"), ("idempotency-key", "once")];
    let mut http = scene.command.http()?.as_bearer(&scene.command.owner_key);
    let made = http.send_with("POST", "/v1/tokens", &reason, &json!({"name": "bot"}))?;
    let position = made.header("grantbook-position").unwrap_or_default().to_owned();
    let token = made.expect(201)?;
    let told = scene.settled()?;
    let last = told.last().expect("an event");
    let org = scene.command.init["organization"]["id"].as_str().unwrap_or_default();
    assert_eq!(last.subject, format!("grantbook.events.{org}.TokenCreated"));
    for (header, value) in [
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", format!("{position}/0")),
        ("ce-source", format!("urn:grantbook:organization:{org}")),
        ("ce-type", "grantbook.TokenCreated".to_owned()),
        ("ce-subject", format!("token:{}", token["id"].as_str().unwrap_or_default())),
        ("ce-datacontenttype", "application/json".to_owned()),
        ("content-type", "application/json".to_owned()),
    ] {
        assert_eq!(last.header(header), value, "{header}");
    }
    let data = last.json()?;
    assert_eq!(data["position"], position.as_str());
    assert_eq!((&data["reason"], &data["request_id"]), (&json!("for the demo"), &json!("once")));
    assert_eq!(data["actor"]["id"], scene.command.init["user"]["id"]);
    assert_eq!(data["at"], last.header("ce-time"));
    // The audit log says the same of it.
    let page = scene.relays[0].call("GET", "/v1/audit?order=desc&limit=1", &json!(null))?.expect(200)?;
    assert_eq!(page["items"][0]["events"][0], data["event"]);
    Ok(())
}

#[test]
fn a_relay_that_is_killed_again_and_again_leaves_nothing_out_and_repeats_nothing() -> Result<()> {
    let mut scene = Scene::start(Nats::single()?, 1)?;
    let rounds: usize = std::env::var("FAULT_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    scene.under_load(|scene, load| {
        for _ in 0..rounds {
            load.progress(10)?;
            scene.relays[0].kill()?;
            load.progress(10)?;
            scene.relays[0].spawn()?;
            load.progress(10)?;
        }
        Ok(())
    })?;
    scene.settled().map(drop)
}

#[test]
fn of_two_relays_one_publishes_and_the_other_takes_over() -> Result<()> {
    let mut scene = Scene::start(Nats::single()?, 2)?;
    scene.under_load(|scene, load| {
        load.progress(10)?;
        let first = until(|| scene.active(EVENTS), Option::is_some)?.expect("one of them");
        let pid = scene.relays[first].pid().expect("it runs");
        signal(pid, "STOP")?;
        until(|| scene.active_of(1 - first, EVENTS), |active| *active)?;
        load.progress(10)?;
        // What it had under way when it stood still, and all that it would go on with, is refused.
        signal(pid, "CONT")?;
        until(|| scene.state_of(first, EVENTS), |state| state == "standby")?;
        load.progress(10)?;
        ensure!(scene.active_of(1 - first, EVENTS)?, "the other one goes on");
        scene.relays[1 - first].kill()?;
        until(|| scene.active_of(first, EVENTS), |active| *active)?;
        load.progress(10)?;
        scene.relays[1 - first].spawn()?;
        load.progress(10)
    })?;
    let log = scene.relays.iter().map(grantbook_tests::server::Server::log).collect::<String>();
    for words in ["this relay is the active one", "another relay publishes: this one stands by"] {
        ensure!(log.contains(words), "the log says: {words}");
    }
    scene.settled().map(drop)
}

#[test]
fn on_three_brokers_that_come_and_go_every_event_and_change_comes_once() -> Result<()> {
    let mut scene = Scene::start(Nats::cluster()?, 2)?;
    let befallen = scene.under_load(|scene, load| {
        load.progress(10)?;
        // The derived stream's leader changes; then brokers die, one after another.
        for stream in ["GRANTBOOK_EVENTS", "GRANTBOOK_CHANGES"] {
            scene.streams.done(&format!("STREAM.LEADER.STEPDOWN.{stream}"), &json!({}))?;
        }
        load.progress(10)?;
        for index in 0..scene.nats.len() {
            scene.nats.kill(index)?;
            thread::sleep(Duration::from_secs(1));
            scene.nats.spawn(index)?;
            scene.recover(index)?;
            load.progress(10)?;
        }
        scene.relays[0].kill()?;
        load.progress(10)?;
        scene.relays[0].spawn()?;
        (0..scene.nats.len()).try_for_each(|index| scene.nats.kill(index))?;
        (0..scene.nats.len()).try_for_each(|index| scene.nats.spawn(index))?;
        (0..scene.nats.len()).try_for_each(|index| scene.recover(index))?;
        load.progress(10)
    });
    let complete = || scene.settled().map(drop).and_then(|()| changes::complete(&scene).map(drop));
    befallen.and_then(|()| complete()).with_context(|| scene.brokers())
}

#[test]
fn how_far_the_relay_is_can_be_read() -> Result<()> {
    let scene = Scene::start(Nats::single()?, 1)?;
    scene.command.call("POST", "/v1/tokens", &json!({"name": "bot"}))?.expect(201)?;
    scene.settled()?;
    let ready = until(|| scene.ready_of(0), |ready| ready["relay"][0]["lag_frames"] == 0)?;
    assert_eq!(ready["relay"][0]["stream"], EVENTS, "{ready}");
    assert_eq!(ready["relay"][0]["state"], "active", "{ready}");
    assert_eq!(ready["relay"][0]["position"], ready["head"], "{ready}");
    let metrics = scene.relays[0].http()?.send("GET", "/metrics", &json!(null))?;
    let metrics = String::from_utf8(metrics.body)?;
    for line in [
        "grantbook_relay_position{stream=\"events\"} 2\n",
        "grantbook_relay_lag_frames{stream=\"events\"} 0\n",
        "grantbook_relay_active{stream=\"events\"} 1\n",
        "grantbook_relay_fenced_total{stream=\"events\"} 0\n",
    ] {
        ensure!(metrics.contains(line), "{line} in {metrics}");
    }
    let told = scene.doctor(&["--node", scene.relays[0].base()])?;
    let found = |check: &str| {
        told.as_array().into_iter().flatten().filter(|one| one["check"] == check).collect::<Vec<_>>()
    };
    assert_eq!(found(EVENTS)[0]["status"], "ok", "{told}");
    ensure!(found(EVENTS)[0]["found"].to_string().contains("the last of frame 2 of 2"), "{told}");
    ensure!(
        found("relay")[0]["found"].to_string().contains("GRANTBOOK_EVENTS active, 0 frames behind"),
        "{told}"
    );
    Ok(())
}
