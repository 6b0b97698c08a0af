//! Copying a journal into a stream: every item at its own sequence, each frame with its own guard, or not at all.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use async_nats::Subscriber;
use futures_util::StreamExt;
use grantbook_domain::id::OrgId;
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Identity, Item,
    jetstream::{
        Connection, Inner, JetStreamError, JetStreamJournal,
        append::{headers_of_copy, headers_of_foreign, is_busy},
        connection::{ApiError, parse},
        stream::{self, Marks},
    },
};

/// Frames under way at once.
const WINDOW: usize = 256;
/// And bytes.
const WINDOW_BYTES: usize = 8 * 1024 * 1024;
/// How long the acknowledgements of a window may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long it waits before it sends again what the servers were too busy for.
const BACKOFF: Duration = Duration::from_millis(2);

/// A stream into which a journal is being copied. No service opens it before [`CopyInto::finish`].
#[derive(Debug)]
pub struct CopyInto {
    journal: JetStreamJournal,
    replicas: u64,
    head: u64,
    last: HashMap<OrgId, u64>,
    /// How many frames are sent before their acknowledgements are waited for.
    window: usize,
}

#[derive(Deserialize)]
struct Ack {
    seq: u64,
}

impl CopyInto {
    /// Makes the stream, or goes on with an unfinished copy of the same journal.
    pub(super) async fn begin(
        options: &super::NatsOptions,
        identity: Identity,
        replicas: Option<u8>,
    ) -> Result<Self, JetStreamError> {
        let connection = Connection::open(options).await?;
        let info = stream::provision(&connection, Marks { identity, copying: true }, replicas).await?;
        let found = stream::recognized(&connection, &info)?;
        let stream = options.stream.clone();
        if !info.is_copying() {
            return Err(JetStreamError::NotEmpty { stream });
        }
        if found != identity {
            return Err(JetStreamError::OtherJournal { stream });
        }
        let (created, replicas, head) = (info.created.clone(), info.replicas(), info.state.last_seq);
        let (replaced, gaps) = (OnceLock::new(), Mutex::default());
        let inner = Inner { connection, identity, created, replaced, gaps };
        let journal = JetStreamJournal { inner: Arc::new(inner) };
        Ok(Self { journal, replicas, head, last: HashMap::new(), window: WINDOW })
    }

    /// What was copied so far, to be compared.
    pub const fn journal(&self) -> &JetStreamJournal {
        &self.journal
    }

    /// The last sequence that is there.
    pub const fn head(&self) -> u64 {
        self.head
    }

    /// An item of an earlier attempt that was compared: the next frame of its organization is guarded with it.
    pub fn is_there(&mut self, item: &Item) {
        if let Some(org) = item.org() {
            self.last.insert(org, item.sequence());
        }
    }

    /// Copies the next items. After an error what landed is found again by beginning anew.
    pub async fn take(&mut self, items: &[Item]) -> Result<(), JetStreamError> {
        let mut rest = items;
        let mut moved_at = Instant::now();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |item: &&Item| {
                bytes += item.bytes().len();
                bytes <= WINDOW_BYTES
            };
            let count = rest.iter().take(self.window).take_while(fits).count().max(1);
            let (window, _) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            let landed = self.send(window).await?;
            if landed > 0 {
                moved_at = Instant::now();
            }
            if landed < count {
                if moved_at.elapsed() > TIMEOUT {
                    let sequence = self.head.saturating_add(1);
                    let fault = "the servers are busy all the time".to_owned();
                    return Err(JetStreamError::Copy { sequence, fault });
                }
                // A cluster takes no append to a subject while another one is under way.
                self.window = (count / 2).max(1);
                sleep(BACKOFF).await;
            }
            rest = rest.get(landed..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sends a window in order and waits for what became of every frame of it; how many have landed, each at its
    /// sequence. The others have not, and may be sent again.
    async fn send(&mut self, window: &[Item]) -> Result<usize, JetStreamError> {
        let mut acks = self.publish(window).await?;
        let fail = |sequence: u64, fault: String| JetStreamError::Copy { sequence, fault };
        let first = window.first().map_or(0, Item::sequence);
        let mut answers = BTreeMap::new();
        for _ in window {
            let Ok(Some(message)) = timeout(TIMEOUT, acks.next()).await else {
                return Err(fail(first, format!("no acknowledgement within {TIMEOUT:?}")));
            };
            let sent = message.subject.rsplit('.').next().and_then(|text| text.parse::<u64>().ok());
            let answer = match message.status {
                Some(_) => Err(ApiError::NoResponders),
                None => parse::<Ack>(&message.payload),
            };
            answers.insert(sent.unwrap_or_default(), answer);
        }
        for (landed, item) in window.iter().enumerate() {
            let sequence = item.sequence();
            match answers.remove(&sequence) {
                Some(Ok(Ack { seq })) if seq == sequence => {
                    self.head = sequence;
                    self.is_there(item);
                }
                Some(Ok(Ack { seq })) => return Err(fail(sequence, format!("it landed at {seq}"))),
                Some(Err(error)) if is_busy(&error) => return Ok(landed),
                Some(Err(error)) => return Err(fail(sequence, error.to_string())),
                None => return Err(fail(sequence, "it was not acknowledged".to_owned())),
            }
        }
        Ok(window.len())
    }

    /// Sends a window; the answers come to what is given, each to the sequence at the end of its subject.
    async fn publish(&self, window: &[Item]) -> Result<Subscriber, JetStreamError> {
        let connection = &self.journal.inner.connection;
        let (client, options) = (connection.client(), connection.options());
        let fail = |sequence: u64, fault: String| JetStreamError::Copy { sequence, fault };
        let inbox = client.new_inbox();
        let acks = client.subscribe(format!("{inbox}.*")).await;
        let acks = acks.map_err(|error| fail(self.head, error.to_string()))?;
        let mut last: HashMap<OrgId, u64> = HashMap::new();
        for (item, expected) in window.iter().zip(self.head.saturating_add(1)..) {
            let sequence = item.sequence();
            if sequence != expected {
                return Err(fail(sequence, format!("expected sequence {expected}")));
            }
            let guard = item.org().map_or(0, |org| {
                let before = self.last.get(&org).copied().unwrap_or_default();
                last.insert(org, sequence).unwrap_or(before)
            });
            let (subject, headers) = match item {
                Item::Frame(stored) => {
                    (options.subject(stored.org), headers_of_copy(connection.stream(), sequence, guard))
                }
                Item::Foreign(foreign) => {
                    (options.subject_of_token(&foreign.token), headers_of_foreign(sequence.saturating_sub(1)))
                }
            };
            let reply = format!("{inbox}.{sequence}");
            let sent = client.publish_with_reply_and_headers(subject, reply, headers, item.bytes().clone());
            sent.await.map_err(|error| fail(sequence, error.to_string()))?;
        }
        Ok(acks)
    }

    /// The copy is whole: from now on services open it.
    pub async fn finish(self) -> Result<(), JetStreamError> {
        let Inner { connection, identity, .. } = self.journal.inner.as_ref();
        stream::mark(connection, Marks { identity: *identity, copying: false }, self.replicas).await?;
        Ok(())
    }
}
