//! What a permission to publish does not keep out of the journal: an answer of the servers lands on whatever subject the
//! asker names. So a frame that was not appended to the journal is a foreign message, however well it fits: nobody believes
//! it, and everybody goes on.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use grantbook_domain::{
    event::Event,
    id::{OrgId, TokenId},
};
use grantbook_journal::{
    Journal as _,
    chain::Chains,
    frame::{decode, encode},
    jetstream::{Credentials, JetStreamJournal, NatsOptions},
};
use grantbook_tests::{frames, server::Server};
use serde_json::{Value, json};

use crate::project::nats_config::{Scene, scene, works};

const LIMIT: Duration = Duration::from_mins(1);
const FORGED: &str = "forged";

/// The frame that would come next, in which the last token is made once more, under another name.
async fn forged(journal: &JetStreamJournal) -> Result<(OrgId, bytes::Bytes)> {
    let mut chains = Chains::new(journal.identity().installation);
    let mut last = None;
    for item in frames::all(journal).await? {
        chains.take_item(&item)?;
        last = item.into_frame();
    }
    let last = last.context("a frame")?;
    let mut record = decode(&last.bytes)?.records.pop().context("a record")?;
    record.ordinal += 1;
    let Some(Event::TokenCreated { token }) = record.events.first_mut() else {
        anyhow::bail!("the last record is of a token: {record:?}");
    };
    token.id = TokenId::from_u128(7 << 64 | 7);
    FORGED.clone_into(&mut token.name);
    Ok((last.org, encode(chains.next_link(last.org), &[record])?))
}

/// Puts the frame where a maker of snapshots may publish, and has the servers send it to the journal's subject.
async fn smuggle(scene: &Scene) -> Result<u64> {
    let url = scene.nats.split(',').next().unwrap_or_default().to_owned();
    let seed = |role: &str| fs::read_to_string(scene.key(role));
    let options =
        NatsOptions { credentials: Credentials::Nkey(seed("read")?), ..NatsOptions::new(vec![url.clone()]) };
    let journal = JetStreamJournal::open(&options).await?;
    let head = journal.head().await?;
    let (org, frame) = forged(&journal).await?;
    let maker =
        async_nats::ConnectOptions::new().nkey(seed("snapshots")?.trim().to_owned()).connect(url).await?;
    let subject = "$O.GRANTBOOK_SNAPSHOTS.C.chunk";
    let taken = maker.request(subject, frame).await?;
    let sequence = serde_json::from_slice::<Value>(&taken.payload)?["seq"].as_u64().context("a sequence")?;
    let wish = json!({"seq": sequence}).to_string();
    let (bucket, journals) = ("$JS.API.DIRECT.GET.OBJ_GRANTBOOK_SNAPSHOTS", format!("grantbook.v1.{org}"));
    maker.publish_with_reply(bucket, journals, wish.into()).await?;
    maker.flush().await?;
    let deadline = Instant::now() + LIMIT;
    while journal.head().await? == head {
        ensure!(
            Instant::now() < deadline,
            "it does not land: this test and docs/operating.md can be changed"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(head + 1)
}

/// What a node tells of foreign messages, once it has met this one.
fn met(server: &Server, at: u64) -> Result<Value> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let told = server.http()?.send("GET", "/readyz", &Value::Null)?.json();
        if told["foreign_messages"]["last_sequence"] == at {
            return Ok(told);
        }
        ensure!(Instant::now() < deadline, "{told}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_frame_that_the_servers_were_made_to_deliver_is_believed_by_nobody() -> Result<()> {
    let scene = scene(false)?;
    let first = scene.found(&[])?;
    let (command, read) = (scene.start(&first, "command", "command")?, scene.start(&first, "read", "read")?);
    works(&command, &read, "the last one")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let at = runtime.block_on(smuggle(&scene))?;
    works(&command, &read, "behind it")?;
    for server in [&command, &read] {
        let told = met(server, at)?;
        ensure!(told["ready"] == true && told["foreign_messages"]["count"] == 1, "{told}");
    }
    let named = read.call("GET", "/v1/tokens", &Value::Null)?.expect(200)?;
    ensure!(!named.to_string().contains(FORGED), "{named}");
    Ok(())
}
