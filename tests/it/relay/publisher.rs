//! The fence by itself: what lands in a derived stream, and what does not.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use grantbook_domain::{
    id::{InstallationId, OrgId},
    position::Position,
    time::Timestamp,
};
use grantbook_journal::{
    Identity,
    hash::Hash,
    jetstream::{
        Derived, Interrupted, JetStreamError, JetStreamJournal, Message, NatsOptions, Place, Publisher,
    },
};
use grantbook_tests::nats::{Nats, streams::Streams};
use serde_json::json;

fn identity(number: u128) -> Identity {
    Identity { installation: InstallationId::from_u128(number), created_at: Timestamp::from_millis(1) }
}

/// Messages of the frames `from..to`.
fn messages(publisher: &Publisher, from: u64, to: u64) -> Vec<Message> {
    let message = |sequence| Message {
        place: Place::of(Position::of(sequence, 0), 0),
        frame: Hash::of(&sequence.to_be_bytes()),
        subject: publisher.subject(OrgId::from_u128(7), "GrantCreated"),
        headers: vec![("ce-id", format!("{sequence}/0"))],
        body: Bytes::from(format!("body {sequence}")),
    };
    (from..to).map(message).collect()
}

async fn two_publishers(nats: &Nats) -> Result<[Publisher; 2]> {
    let options = NatsOptions::new(nats.urls());
    let journal = JetStreamJournal::create(&options, identity(1), None).await?;
    journal.prepare().await?;
    let other = JetStreamJournal::open(&options).await?;
    Ok([journal.publisher(Derived::Events).await?, other.publisher(Derived::Events).await?])
}

async fn fence(nats: &Nats) -> Result<()> {
    let [mut one, mut other] = two_publishers(nats).await?;
    let empty = one.end().await?;
    ensure!((empty.sequence, empty.place, empty.frame) == (0, Place::START, None), "{empty:?}");
    one.publish(0, &messages(&one, 1, 1001)).await.context("the first thousand")?;
    let end = other.end().await?;
    ensure!((end.sequence, end.place.sequence, end.is_ours) == (1000, 1000, false), "{end:?}");
    ensure!(one.end().await?.is_ours, "whose message it is can be told");
    // Late: what was due earlier does not land, not even a part of it.
    for after in [0, 500, 699] {
        let late = other.publish(after, &messages(&other, after + 1, after + 301)).await;
        ensure!(matches!(late, Err(Interrupted::Fenced)), "{late:?}");
    }
    // A flight that overlaps what is there fails; what of it was due lands at its own sequence nevertheless.
    let overlapping = other.publish(989, &messages(&other, 990, 1000)).await;
    ensure!(matches!(overlapping, Err(Interrupted::Fenced)), "{overlapping:?}");
    // Early neither: a gap never comes to be.
    let early = other.publish(1001, &messages(&other, 1002, 1003)).await;
    ensure!(matches!(early, Err(Interrupted::Fenced)), "{early:?}");
    other.publish(1000, &messages(&other, 1001, 1301)).await.context("the other one goes on")?;
    let fenced = one.publish(1000, &messages(&one, 1001, 1301)).await;
    ensure!(matches!(fenced, Err(Interrupted::Fenced)), "{fenced:?}");
    // Both at once, many times: exactly one of them each time.
    for after in (1300..1500).step_by(10) {
        let (ours, theirs) = (messages(&one, after + 1, after + 11), messages(&other, after + 1, after + 11));
        let (mine, his) = tokio::join!(one.publish(after, &ours), other.publish(after, &theirs));
        ensure!(mine.is_err() || his.is_err(), "both succeeded at {after}");
        // A cluster may refuse either for being at it at once; then whoever looks finds where to go on.
        let end = one.end().await?;
        if end.sequence < after + 10 {
            let rest = messages(&one, end.sequence + 1, after + 11);
            one.publish(end.sequence, &rest)
                .await
                .with_context(|| format!("the rest behind {end:?}: {mine:?} {his:?}"))?;
        }
    }
    Ok(())
}

async fn in_order(nats: Nats) -> Result<()> {
    fence(&nats).await?;
    let told = tokio::task::spawn_blocking(move || Streams::of(&nats)?.all("GRANTBOOK_EVENTS")).await??;
    ensure!(told.len() == 1500, "{} messages", told.len());
    for (message, sequence) in told.iter().zip(1_u64..) {
        ensure!(
            message.sequence == sequence && message.body == format!("body {sequence}").as_bytes(),
            "{message:?}"
        );
        ensure!(message.header("nats-expected-last-sequence") == (sequence - 1).to_string(), "{message:?}");
        ensure!(message.header("grantbook-place") == format!("{sequence}.0.0"), "{message:?}");
        let other_guard =
            message.headers.keys().any(|name| name.contains("subject-sequence") || name == "nats-msg-id");
        ensure!(!other_guard, "one guard only: {message:?}");
    }
    Ok(())
}

#[tokio::test]
async fn on_one_server_a_message_lands_behind_the_one_before_it_or_nowhere() -> Result<()> {
    in_order(Nats::single()?).await
}

#[tokio::test]
async fn on_three_servers_a_message_lands_behind_the_one_before_it_or_nowhere() -> Result<()> {
    in_order(Nats::cluster()?).await
}

#[tokio::test]
async fn a_stream_that_is_not_the_journals_or_has_drifted_is_refused() -> Result<()> {
    let nats = Nats::single()?;
    let options = NatsOptions::new(nats.urls());
    let journal = JetStreamJournal::create(&options, identity(1), None).await?;
    let missing = journal.publisher(Derived::Events).await.map(drop).unwrap_err().to_string();
    ensure!(
        missing.contains("there is no stream GRANTBOOK_EVENTS: run `grantbook nats prepare"),
        "{missing}"
    );
    let made = journal.prepare().await?;
    ensure!(made.iter().all(|one| one.is_new && one.messages == 0), "{made:?}");
    let again = journal.prepare().await?;
    ensure!(again.iter().all(|one| !one.is_new), "it may be run again: {again:?}");

    let client = async_nats::connect(nats.urls()).await?;
    let ask = async |verb: &str, body: &serde_json::Value| -> Result<serde_json::Value> {
        let answer = client.request(format!("$JS.API.{verb}"), body.to_string().into()).await?;
        Ok(serde_json::from_slice(&answer.payload)?)
    };
    let info = ask("STREAM.INFO.GRANTBOOK_CHANGES", &json!({})).await?;
    let good = info["config"].clone();
    for (setting, value) in [
        ("subjects", json!(["grantbook.changes.*"])),
        ("max_age", json!(3_600_000_000_000_u64)),
        ("max_msgs", json!(10)),
        ("max_msgs_per_subject", json!(1)),
        ("discard", json!("old")),
        ("allow_direct", json!(false)),
        ("republish", json!({"src": ">", "dest": "copy.>"})),
    ] {
        let mut drifted = good.clone();
        drifted[setting] = value;
        let updated = ask("STREAM.UPDATE.GRANTBOOK_CHANGES", &drifted).await?;
        ensure!(updated.get("error").is_none(), "{setting}: {updated}");
        let refused = journal.publisher(Derived::Changes).await.map(drop).unwrap_err().to_string();
        ensure!(refused.contains("GRANTBOOK_CHANGES has drifted") && refused.contains(setting), "{refused}");
        let refused = journal.prepare().await.map(drop).unwrap_err();
        ensure!(matches!(refused, JetStreamError::Drifted { .. }), "nothing is mended silently: {refused}");
        let mended = ask("STREAM.UPDATE.GRANTBOOK_CHANGES", &good).await?;
        ensure!(mended.get("error").is_none(), "{mended}");
    }
    journal.publisher(Derived::Changes).await.map(drop)?;

    // Another journal under the name: the streams beside it are still the first one's.
    ask("STREAM.DELETE.GRANTBOOK", &json!({})).await?;
    let other = JetStreamJournal::create(&options, identity(2), None).await?;
    for refused in [other.publisher(Derived::Events).await.map(drop), other.prepare().await.map(drop)] {
        let refused = refused.unwrap_err().to_string();
        ensure!(refused.contains("GRANTBOOK_EVENTS was made from another journal"), "{refused}");
    }
    ask("STREAM.DELETE.GRANTBOOK_EVENTS", &json!({})).await?;
    let plain = json!({"name": "GRANTBOOK_EVENTS", "subjects": ["grantbook.events.>"]});
    ask("STREAM.CREATE.GRANTBOOK_EVENTS", &plain).await?;
    let refused = other.publisher(Derived::Events).await.map(drop).unwrap_err();
    ensure!(matches!(refused, JetStreamError::Foreign { .. }), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_message_of_no_relay_stops_whoever_would_go_on_behind_it() -> Result<()> {
    let nats = Nats::single()?;
    let [one, _] = two_publishers(&nats).await?;
    let client = async_nats::connect(nats.urls()).await?;
    client.request("grantbook.events.x.Y", "by hand".into()).await?;
    let refused = one.end().await.unwrap_err().to_string();
    ensure!(refused.contains("is of no relay"), "{refused}");
    client.request("$JS.API.STREAM.DELETE.GRANTBOOK_EVENTS", "".into()).await.context("deleted")?;
    let refused = one.end().await.unwrap_err().to_string();
    ensure!(refused.contains("there is no stream GRANTBOOK_EVENTS any more"), "{refused}");
    Ok(())
}
