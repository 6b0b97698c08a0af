//! Reading the stream in order: a pull consumer of our own, watched over, and a gap never believed before other replicas
//! and the leader were asked.

use std::{collections::VecDeque, fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use async_nats::{Message, Subscriber};
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    task::unconstrained,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    Item, READ_MAX_BYTES, ReadError, Tail,
    jetstream::{
        Inner, Reason,
        connection::{ApiError, TIMEOUT},
        stream::Judged,
    },
};

/// Most messages of one pull: far less than the client can hold back.
const PULL_MESSAGES: usize = 4096;
/// How long one pull may last.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
/// How often the server says that it is still there.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A consumer that says nothing for so long, two heartbeats, is left for a new one.
const SILENCE: Duration = Duration::from_millis(2500);
/// A server forgets a consumer that nobody reads for so long.
const INACTIVE: Duration = Duration::from_secs(30);
/// After so long without a frame the head is looked at: a damaged block makes consumers skip without a word.
const QUIET: Duration = Duration::from_secs(2);
/// So often a reader begins anew, each time on a replica that the servers choose, and asks replicas and leader, before
/// it is believed that a frame is nowhere.
const DOUBTS: u32 = 8;
/// Pauses between attempts.
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long a consumer may take to be made at first; then twice as long, and so on, up to [`TIMEOUT`]. Servers make one on
/// whichever replica they like, and for minutes also on one that stands still (nats-server 2.15, `checkRemoteServers`).
const MAKING: Duration = Duration::from_secs(1);

/// Reads a [`JetStreamJournal`](super::JetStreamJournal) in order.
pub struct JetStreamTail {
    inner: Arc<Inner>,
    /// The last sequence that is in `ready` or was handed out.
    cursor: u64,
    ready: VecDeque<Item>,
    pull: Option<Pull>,
    /// What the servers are being asked: whoever reads may have less patience than an answer takes.
    question: Option<BoxFuture<'static, Result<Answer, ReadError>>>,
    /// How long a consumer may take to be made.
    making: Duration,
    /// When a frame came last, or the head was looked at.
    moved_at: Instant,
    /// Behind which sequence the next frame seems to be missing, and how often that was so.
    doubt: Option<(u64, u32)>,
    /// Whether that has just been noticed once more.
    doubtful: bool,
    pause: Duration,
}

/// What the servers answer.
enum Answer {
    /// Where the stream ends.
    Head(u64),
    /// A consumer was made.
    Consumer(Pull),
}

/// A consumer and the pull that is under way.
struct Pull {
    messages: Subscriber,
    inbox: String,
    consumer: String,
    /// How many messages of the pull may still come.
    outstanding: usize,
    /// When anything was heard of it last.
    heard_at: Instant,
}

impl JetStreamTail {
    pub(super) fn new(inner: Arc<Inner>, after: u64) -> Self {
        Self {
            inner,
            cursor: after,
            ready: VecDeque::new(),
            pull: None,
            question: None,
            making: MAKING,
            moved_at: Instant::now(),
            doubt: None,
            doubtful: false,
            pause: PAUSE_MIN,
        }
    }

    /// Takes what has come already.
    fn drain(&mut self, limit: NonZeroUsize) -> Result<(), ReadError> {
        let mut bytes = 0;
        while self.ready.len() < limit.get() && bytes < READ_MAX_BYTES {
            let Some(pull) = self.pull.as_mut() else { break };
            // Without the runtime's budget: what is there is taken at once.
            let Some(next) = unconstrained(pull.messages.next()).now_or_never() else { break };
            bytes += next.as_ref().map_or(0, |message| message.payload.len());
            self.take(next)?;
        }
        Ok(())
    }

    /// At most as much as is asked for, of what is ready.
    fn hand_out(&mut self, limit: NonZeroUsize) -> Vec<Item> {
        let mut bytes = 0;
        let mut count = 0;
        for item in self.ready.iter().take(limit.get()) {
            bytes += item.bytes().len();
            if count > 0 && bytes > READ_MAX_BYTES {
                break;
            }
            count += 1;
        }
        self.ready.drain(..count).collect()
    }

    /// One step towards the next frame: may be dropped at any moment, no frame is lost.
    async fn step(&mut self) -> Result<(), ReadError> {
        if self.doubtful {
            return self.resolve().await;
        }
        if let Some(question) = self.question.as_mut() {
            let answer = question.await;
            self.question = None;
            return self.learn(answer);
        }
        let inner = Arc::clone(&self.inner);
        if self.moved_at.elapsed() >= QUIET {
            self.question = Some(Box::pin(async move { inner.head().await.map(Answer::Head) }));
            return Ok(());
        }
        if self.pull.is_none() {
            let (cursor, making) = (self.cursor, self.making);
            let opening = async move { Pull::open(&inner, cursor, making).await.map(Answer::Consumer) };
            self.question = Some(Box::pin(opening));
            return Ok(());
        }
        let Some(pull) = self.pull.as_mut() else { return Ok(()) };
        if pull.outstanding == 0 {
            pull.ask(&self.inner).await?;
        }
        let wake_at = (pull.heard_at + SILENCE).min(self.moved_at + QUIET);
        match timeout_at(wake_at, pull.messages.next()).await {
            Ok(next) => self.take(next),
            Err(_) if pull.heard_at.elapsed() >= SILENCE => {
                self.pull = None;
                Err(unavailable("the consumer fell silent"))
            }
            Err(_) => Ok(()),
        }
    }

    /// What the servers answered.
    fn learn(&mut self, answer: Result<Answer, ReadError>) -> Result<(), ReadError> {
        match answer {
            Ok(Answer::Head(head)) => {
                self.moved_at = Instant::now();
                self.doubtful = head > self.cursor;
            }
            Ok(Answer::Consumer(pull)) => self.pull = Some(pull),
            Err(error) => {
                self.making = (self.making * 2).min(TIMEOUT);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes a message of the consumer.
    fn take(&mut self, next: Option<Message>) -> Result<(), ReadError> {
        let Some(message) = next else {
            self.pull = None;
            return Err(unavailable("the connection's subscription has ended"));
        };
        let Some(pull) = self.pull.as_mut() else { return Ok(()) };
        pull.heard_at = Instant::now();
        let Some(sequence) = message.reply.as_deref().and_then(sequence_in) else {
            // Only what lies in no stream has no sequence: a heartbeat that landed in the journal is stored with its status.
            let Some(status) = message.status else {
                return Err(unavailable("a message came that is not of the consumer"));
            };
            return self.take_status(status.as_u16(), message.description.as_deref().unwrap_or_default());
        };
        pull.outstanding = pull.outstanding.saturating_sub(1);
        if sequence <= self.cursor {
            return Err(ReadError::Damaged { sequence });
        }
        if sequence > self.cursor.saturating_add(1) {
            // Another replica may have what is missing here.
            self.inner.meet_gap(self.cursor.saturating_add(1));
            self.pull = None;
            self.doubtful = true;
            return Ok(());
        }
        let connection = &self.inner.connection;
        let judged = Judged::delivered(connection.stream(), message.headers.as_ref());
        let item = judged.item(connection.options(), (sequence, &message.subject), message.payload)?;
        self.push(item);
        Ok(())
    }

    fn take_status(&mut self, status: u16, description: &str) -> Result<(), ReadError> {
        let Some(pull) = self.pull.as_mut() else { return Ok(()) };
        match status {
            // The heartbeat.
            100 => Ok(()),
            // The pull has come to its end: nothing was there, its time is over, or the next message needs another one.
            404 | 408 => {
                pull.outstanding = 0;
                Ok(())
            }
            409 if description.contains("MaxBytes") || description.contains("Batch Completed") => {
                pull.outstanding = 0;
                Ok(())
            }
            _ => {
                self.pull = None;
                tracing::debug!(status, description, "the consumer has ended; another one is made");
                Err(unavailable("the consumer has ended"))
            }
        }
    }

    fn push(&mut self, item: Item) {
        self.cursor = item.sequence();
        self.moved_at = Instant::now();
        (self.doubt, self.pause, self.making) = (None, PAUSE_MIN, MAKING);
        self.ready.push_back(item);
    }

    /// The next frame seems to be missing: begins anew, then asks replicas and leader for it, and so again. Whoever gets
    /// the frame sees whether it continues the chain; here it only has the right sequence.
    async fn resolve(&mut self) -> Result<(), ReadError> {
        let times = self.doubt.filter(|(cursor, _)| *cursor == self.cursor).map_or(0, |(_, times)| times);
        let next = self.cursor.saturating_add(1);
        if times > 0 {
            self.inner.meet_gap(next);
            tracing::warn!(sequence = next, "a frame is missing: replicas and leader are asked for it");
            if let Some(item) = self.inner.elsewhere(next).await? {
                (self.pull, self.question) = (None, None);
                self.doubtful = false;
                self.push(item);
                return Ok(());
            }
            if times >= DOUBTS {
                return Err(ReadError::Damaged { sequence: next });
            }
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
        (self.pull, self.question) = (None, None);
        self.doubt = Some((self.cursor, times + 1));
        self.doubtful = false;
        self.moved_at = Instant::now();
        Ok(())
    }
}

impl Tail for JetStreamTail {
    async fn next(&mut self, limit: NonZeroUsize, patience: Duration) -> Result<Vec<Item>, ReadError> {
        let deadline = Instant::now() + patience;
        let mut trouble = None;
        loop {
            match self.drain(limit) {
                Ok(()) => {}
                Err(error @ ReadError::Unavailable(_)) => trouble = Some(error),
                Err(error) if self.ready.is_empty() => return Err(error),
                // What came before is good; the error comes again.
                Err(_) => self.doubtful = true,
            }
            if !self.ready.is_empty() {
                return Ok(self.hand_out(limit));
            }
            if patience.is_zero() {
                return Ok(Vec::new());
            }
            match timeout_at(deadline, self.step()).await {
                Ok(Ok(())) => trouble = None,
                Ok(Err(error @ ReadError::Unavailable(_))) => {
                    trouble = Some(error);
                    self.pause = (self.pause * 2).min(PAUSE_MAX);
                    if timeout_at(deadline, sleep(self.pause)).await.is_err() {
                        return trouble.map_or(Ok(Vec::new()), Err);
                    }
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => return trouble.map_or(Ok(Vec::new()), Err),
            }
        }
    }
}

impl Pull {
    /// Makes a consumer that begins behind the cursor, if that does not take too long.
    async fn open(inner: &Inner, cursor: u64, making: Duration) -> Result<Self, ReadError> {
        /// All that is needed of the answer: that there is one.
        #[derive(Deserialize)]
        struct Made {}
        let (client, stream) = (inner.connection.client(), inner.connection.stream());
        let inbox = client.new_inbox();
        let consumer = format!("grantbook-{}", inbox.rsplit('.').next().unwrap_or_default());
        let messages =
            client.subscribe(inbox.clone()).await.map_err(|error| ReadError::Unavailable(Arc::new(error)))?;
        let config = json!({
            "stream_name": stream,
            "action": "create",
            "config": {
                "name": consumer,
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": cursor.saturating_add(1),
                "ack_policy": "none",
                "replay_policy": "instant",
                "mem_storage": true,
                "num_replicas": 1,
                "inactive_threshold": nanoseconds(INACTIVE),
            },
        });
        let body = serde_json::to_vec(&config).map_err(|error| ReadError::Unavailable(Arc::new(error)))?;
        let subject = format!("$JS.API.CONSUMER.CREATE.{stream}.{consumer}");
        let asked = timeout(making, inner.connection.ask::<Made>(subject, body)).await;
        match asked.unwrap_or_else(|_| Err(ApiError::TimedOut(String::new()))) {
            Ok(Made {}) => {
                // After it was made, so that it is of the stream that was opened and not of another one in its place.
                inner.head().await?;
                Ok(Self { messages, inbox, consumer, outstanding: 0, heard_at: Instant::now() })
            }
            // It may be that the stream is gone: then the head says so.
            Err(error @ ApiError::Refused { .. }) => {
                inner.head().await?;
                Err(ReadError::Unavailable(Arc::new(error)))
            }
            Err(error) => Err(ReadError::Unavailable(Arc::new(error))),
        }
    }

    /// Asks for the next messages.
    async fn ask(&mut self, inner: &Inner) -> Result<(), ReadError> {
        let question = json!({
            "batch": PULL_MESSAGES,
            "max_bytes": READ_MAX_BYTES,
            "expires": nanoseconds(PULL_EXPIRES),
            "idle_heartbeat": nanoseconds(HEARTBEAT),
        });
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", inner.connection.stream(), self.consumer);
        (self.outstanding, self.heard_at) = (PULL_MESSAGES, Instant::now());
        let published = inner.connection.client().publish_with_reply(
            subject,
            self.inbox.clone(),
            question.to_string().into(),
        );
        published.await.map_err(|error| ReadError::Unavailable(Arc::new(error)))
    }
}

/// The stream's sequence in a message's reply subject: `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>. ...`, or
/// with domain and account before the stream (ADR-15 of the NATS architecture).
fn sequence_in(reply: &str) -> Option<u64> {
    let rest = reply.strip_prefix("$JS.ACK.")?;
    let tokens = rest.split('.').count();
    let place = if tokens >= 9 { 5 } else { 3 };
    rest.split('.').nth(place)?.parse().ok()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn unavailable(why: &'static str) -> ReadError {
    ReadError::Unavailable(Arc::new(Reason(why)))
}

impl fmt::Debug for JetStreamTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JetStreamTail").field("cursor", &self.cursor).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_found_in_both_forms_of_the_reply() {
        assert_eq!(sequence_in("$JS.ACK.GRANTBOOK.c.1.17.3.1700000000.5"), Some(17));
        assert_eq!(sequence_in("$JS.ACK.hub.ABC.GRANTBOOK.c.1.17.3.1700000000.5"), Some(17));
        assert_eq!(sequence_in("$JS.ACK.hub.ABC.GRANTBOOK.c.1.17.3.1700000000.5.token"), Some(17));
        assert_eq!(sequence_in("_INBOX.1"), None);
    }
}
