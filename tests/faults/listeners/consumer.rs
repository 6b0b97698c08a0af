//! A consumer in the broker, asked in plain words of its API: durable, every message acknowledged, the next one only then.
//! Some acknowledgements are left out, so that messages come twice.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_nats::Client;
use futures_util::StreamExt as _;
use grantbook_domain::position::Position;
use grantbook_journal::frame::decode;
use serde_json::{Value, json};

use super::Listener;
use crate::{
    checker::names_of,
    history::{Entry, Message},
    load::Load,
};

/// How long a message may stay without an acknowledgement.
const ACK_WAIT: Duration = Duration::from_secs(1);
/// How long an answer to a request for more may take, which itself waits a second.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two attempts to reach the brokers.
const PAUSE: Duration = Duration::from_millis(200);
/// Every how many messages one is not acknowledged.
const FORGETS: u64 = 50;
const STREAM: &str = "GRANTBOOK";

/// Reads until nobody listens any more, however often it must begin anew.
pub(super) fn listen(listener: &Listener, load: &Load, brokers: &[String]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = async_nats::connect(brokers).await?;
        while !load.has_ended() {
            // Brokers come and go; the consumer knows where it was.
            if let Err(error) = read(listener, load, &client).await {
                listener.stumbles(&error);
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    })
}

async fn read(listener: &Listener, load: &Load, client: &Client) -> Result<()> {
    let name = listener.name;
    // In order also after a redelivery: one at a time.
    let config = json!({"name": name, "durable_name": name, "ack_policy": "explicit", "max_ack_pending": 1,
        "ack_wait": u64::try_from(ACK_WAIT.as_nanos())?, "deliver_policy": "all"});
    let wanted = json!({"stream_name": STREAM, "config": config, "action": ""}).to_string();
    let made = client.request(format!("$JS.API.CONSUMER.CREATE.{STREAM}.{name}"), wanted.into()).await?;
    let made: Value = serde_json::from_slice(&made.payload)?;
    ensure!(made.get("error").is_none(), "{made}");
    let (inbox, next) = (client.new_inbox(), format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{name}"));
    let mut messages = client.subscribe(inbox.clone()).await?;
    while !load.has_ended() {
        let wanted = json!({"batch": 1, "expires": 1_000_000_000}).to_string();
        client.publish_with_reply(next.clone(), inbox.clone(), wanted.into()).await?;
        let message =
            tokio::time::timeout(PATIENCE, messages.next()).await?.context("the connection is there")?;
        if message.status.is_some_and(|status| status.as_u16() == 408 || status.as_u16() == 404) {
            continue;
        }
        ensure!(message.status.is_none(), "{:?}", message.status);
        let reply = message.reply.context("where to acknowledge")?;
        let (delivered, sequence) = delivery(&reply).context("what the consumer says of the message")?;
        take(listener, load, sequence, &message.payload)?;
        if !(sequence.is_multiple_of(FORGETS) && delivered == 1) {
            client.publish(reply, "+ACK".into()).await?;
        }
    }
    Ok(())
}

/// How often a message was delivered, and its sequence in the stream: `$JS.ACK.`, in newer servers domain and account,
/// then stream, consumer, both numbers and three others; perhaps something random at the end.
fn delivery(reply: &str) -> Option<(u64, u64)> {
    let mut words = reply.split('.').skip_while(|word| *word != STREAM).skip(2);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

fn take(listener: &Listener, load: &Load, sequence: u64, bytes: &bytes::Bytes) -> Result<()> {
    let frame = decode(bytes).with_context(|| format!("the frame at {sequence}"))?;
    for (index, record) in (0..).zip(&frame.records) {
        let position = Position::of(sequence, index).get();
        let (subscriber, name) = (listener.name.to_owned(), names_of(record).join(","));
        let at = load.history.now();
        load.history.add(Entry::Message(Message { subscriber, position, index: 0, name, at }));
        listener.has(position);
    }
    Ok(())
}
