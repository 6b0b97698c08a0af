//! A consumer in the broker, asked in plain words of its API: durable, every message acknowledged, the next one only then.
//! Some acknowledgements are left out, so that messages come twice.

use std::time::Duration;

use super::Listener;
use crate::{checker::names_of, load::Load};
use anyhow::{Context, Result, ensure};
use async_nats::{Client, Message as Delivered};
use futures_util::StreamExt as _;
use grantbook_domain::position::Position;
use grantbook_journal::frame::decode;
use grantbook_server::wire::position;
use serde_json::{Value, json};

/// How long a message may stay without an acknowledgement.
const ACK_WAIT: Duration = Duration::from_secs(1);
/// How long an answer to a request for more may take, which itself waits a second.
const PATIENCE: Duration = Duration::from_secs(3);
/// A connection at whose end nobody answers is given up after two of these.
const PING_EVERY: Duration = Duration::from_secs(2);
/// Between two attempts to reach the brokers.
const PAUSE: Duration = Duration::from_millis(200);
/// Every how many messages one is not acknowledged.
const FORGETS: u64 = 50;

/// A stream, and how its messages are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) stream: &'static str,
    /// Which of its subjects; the first star stands for the organization.
    pub(super) subjects: &'static str,
    pub(super) read: fn(&Load, u64, &Delivered) -> Result<Vec<Got>>,
}

/// Position, place among those of one position, name.
type Got = (u64, u32, String);

/// The journal: a message is a frame of records, or foreign.
pub(super) const JOURNAL: Source =
    Source { stream: "GRANTBOOK", subjects: "grantbook.v1.*", read: of_journal };
/// Events, one a message.
pub(super) const EVENTS: Source =
    Source { stream: "GRANTBOOK_EVENTS", subjects: "grantbook.events.*.*", read: of_derived };
/// Changes of access, one a message.
pub(super) const CHANGES: Source =
    Source { stream: "GRANTBOOK_CHANGES", subjects: "grantbook.changes.*.*", read: of_derived };

/// Reads until nobody listens any more, however often it must begin anew.
pub(super) fn listen(listener: &Listener, load: &Load, brokers: &[String], source: Source) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let impatient = async_nats::ConnectOptions::new().ping_interval(PING_EVERY);
        let client = impatient.request_timeout(Some(PATIENCE)).connect(brokers).await?;
        while !load.has_ended() {
            // Brokers come and go; the consumer knows where it was.
            if let Err(error) = read(listener, load, &client, source).await {
                listener.stumbles(&error);
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    })
}

async fn read(listener: &Listener, load: &Load, client: &Client, source: Source) -> Result<()> {
    let (name, stream) = (listener.name, source.stream);
    let subjects = source.subjects.replacen('*', &load.org.to_string(), 1);
    // In order also after a redelivery: one at a time.
    let config = json!({"name": name, "durable_name": name, "ack_policy": "explicit", "max_ack_pending": 1,
        "ack_wait": u64::try_from(ACK_WAIT.as_nanos())?, "deliver_policy": "all", "filter_subject": subjects});
    let wanted = json!({"stream_name": stream, "config": config, "action": ""}).to_string();
    let made = client.request(format!("$JS.API.CONSUMER.CREATE.{stream}.{name}"), wanted.into()).await?;
    let made: Value = serde_json::from_slice(&made.payload)?;
    ensure!(made.get("error").is_none(), "{made}");
    let (inbox, next) = (client.new_inbox(), format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"));
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
        let reply = message.reply.clone().context("where to acknowledge")?;
        let (delivered, sequence) =
            delivery(&reply, stream).context("what the consumer says of the message")?;
        for (position, index, name) in (source.read)(load, sequence, &message)? {
            listener.got(load, (position, index), name);
        }
        if !(sequence.is_multiple_of(FORGETS) && delivered == 1) {
            client.publish(reply, "+ACK".into()).await?;
        }
    }
    Ok(())
}

/// How often a message was delivered, and its sequence in the stream: `$JS.ACK.`, in newer servers domain and account,
/// then stream, consumer, both numbers and three others; perhaps something random at the end.
fn delivery(reply: &str, stream: &str) -> Option<(u64, u64)> {
    let mut words = reply.split('.').skip_while(|word| *word != stream).skip(2);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

fn of_journal(_: &Load, sequence: u64, message: &Delivered) -> Result<Vec<Got>> {
    let stream = message.headers.as_ref().and_then(|headers| headers.get("Nats-Expected-Stream"));
    if stream.is_none_or(|stream| stream.as_str() != JOURNAL.stream) {
        // Nobody appended it.
        return Ok(Vec::new());
    }
    let frame = decode(&message.payload).with_context(|| format!("the frame at {sequence}"))?;
    let places = (0..).map(|index| Position::of(sequence, index).get());
    Ok(places
        .zip(&frame.records)
        .map(|(position, record)| (position, 0, names_of(record).join(",")))
        .collect())
}

/// The attributes of a cloud event are headers; its id is the position and the place, of a change with a `c`.
fn of_derived(load: &Load, _: u64, message: &Delivered) -> Result<Vec<Got>> {
    let header = |name: &str| {
        let value = message.headers.as_ref().and_then(|headers| headers.get(name));
        value.map(|value| value.as_str().to_owned()).with_context(|| format!("a header {name}"))
    };
    let (id, kind) = (header("ce-id")?, header("ce-type")?);
    let (position, place) = id.split_once('/').with_context(|| format!("a position and a place: {id}"))?;
    let position = position::decode(load.installation, position)?.get();
    let index = place.trim_start_matches('c').parse()?;
    let name = kind.strip_prefix("grantbook.").with_context(|| kind.clone())?;
    Ok(vec![(position, index, name.to_owned())])
}
