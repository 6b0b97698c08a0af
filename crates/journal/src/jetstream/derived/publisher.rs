//! Publishing into a derived stream: each message lands right behind the one before it, or nowhere.
//!
//! Every publish is guarded by the last sequence of the whole stream, and no other guard is ever used there. So of
//! several publishers one at a time makes progress, and a publish that is late, sent by a process that was killed or
//! stood still, lands only where the same message was due anyway. Of several that are under way a later one may land
//! although an earlier one was refused, if somebody else has put a message in its place: so what belongs at a sequence
//! must follow from the journal alone, for every publisher alike. Each message says from which place in the journal it
//! was made; after any doubt the stream's last message says where to go on.

use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use async_nats::{HeaderMap, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use grantbook_domain::id::OrgId;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    Cause, Identity, ReadError,
    hash::Hash,
    jetstream::{
        append::{HEAD_HEADER, STREAM_HEADER, WRONG_LAST_SEQUENCE},
        connection::parse,
        derived::{ApiError, Connection, Derived, Place, stream},
    },
    outcome::Reason,
};

/// Where in the journal a message was made from: a [`Place`].
const PLACE_HEADER: &str = "Grantbook-Place";
/// The hash of the frame at that place.
const FRAME_HEADER: &str = "Grantbook-Frame";
/// Which publisher it was.
const RELAY_HEADER: &str = "Grantbook-Relay";

/// Messages under way at once,
const WINDOW: usize = 256;
/// and bytes.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;
/// Questions about messages under way at once.
const QUESTIONS: usize = 32;
/// How long an acknowledgement may take: longer than a publish is answered, or the client notices that it is cut off.
const TIMEOUT: Duration = Duration::from_secs(5);

/// One message of a derived stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// From where in the journal.
    pub place: Place,
    /// The hash of the frame there.
    pub frame: Hash,
    /// Where it is published.
    pub subject: String,
    /// Its headers: names, and values without a line break.
    pub headers: Vec<(&'static str, String)>,
    /// What it says.
    pub body: Bytes,
}

/// The end of a derived stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The stream's last sequence, 0 if it is empty.
    pub sequence: u64,
    /// From where in the journal the last message was made.
    pub place: Place,
    /// The hash of the frame there; none if the stream is empty.
    pub frame: Option<Hash>,
    /// Whether this publisher published it.
    pub is_ours: bool,
}

/// Why messages were not, or may not have been, published. Some of them, from the first one on, may be there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Interrupted {
    /// The stream ends elsewhere: somebody else publishes, or what seemed lost has landed.
    #[error("the stream's last message is not the expected one")]
    Fenced,
    /// Nobody knows.
    #[error("it is unknown whether the messages were published: {0}")]
    Unknown(#[source] Cause),
}

/// Publishes into one derived stream. Two of them never both succeed at the same place.
pub struct Publisher {
    derived: Derived,
    connection: Connection,
    identity: Identity,
    created: String,
    /// Tells publishers apart.
    id: String,
    acks: Option<(String, Subscriber)>,
    /// How many messages were sent in all: the number of the next one.
    sent: u64,
}

#[derive(Debug, Deserialize)]
struct Ack {
    stream: String,
    seq: u64,
    #[serde(default)]
    duplicate: bool,
}

impl Publisher {
    pub(super) fn new(derived: Derived, connection: Connection, identity: Identity, created: String) -> Self {
        let inbox = connection.client().new_inbox();
        let id = inbox.rsplit('.').next().unwrap_or_default().to_owned();
        Self { derived, connection, identity, created, id, acks: None, sent: 0 }
    }

    /// Which stream it is.
    pub const fn derived(&self) -> Derived {
        self.derived
    }

    /// The subject of an organization's messages of this name.
    pub fn subject(&self, org: OrgId, name: &str) -> String {
        self.derived.subject(self.connection.options(), &org.to_string(), name)
    }

    /// The subject of what is of no organization, and says only how far the publisher has come.
    pub fn progress_subject(&self) -> String {
        self.derived.progress_subject(self.connection.options())
    }

    /// The stream's name.
    pub fn stream(&self) -> &str {
        self.connection.stream()
    }

    /// Asks the stream's leader for its end. An answer that is out of date does no harm: what is published behind it
    /// does not land.
    pub async fn end(&self) -> Result<End, ReadError> {
        let name = self.stream();
        let info = match stream::info(&self.connection).await {
            Ok(Some(info)) => info,
            Ok(None) => return Err(ReadError::Replaced(format!("there is no stream {name} any more"))),
            Err(error) => return Err(ReadError::Unavailable(Arc::new(error))),
        };
        if info.created != self.created || info.identity() != Some(self.identity) {
            return Err(ReadError::Replaced(format!("the stream {name} was made anew or changed")));
        }
        let sequence = info.state.last_seq;
        let Some(last) = message(&self.connection, sequence).await? else {
            return Ok(End { sequence, place: Place::START, frame: None, is_ours: false });
        };
        let foreign =
            || ReadError::Replaced(format!("message {sequence} of the stream {name} is of no relay"));
        let place = place_of(&last).ok_or_else(foreign)?;
        let frame = last.header(FRAME_HEADER).and_then(|text| Hash::parse(&text)).ok_or_else(foreign)?;
        let is_ours = last.header(RELAY_HEADER).is_some_and(|id| id == self.id);
        Ok(End { sequence, place, frame: Some(frame), is_ours })
    }

    /// From where in the journal the messages of these sequences were made; none: it is of no relay. Those that the leader
    /// does not find are left out.
    pub async fn places(
        &self,
        sequences: RangeInclusive<u64>,
    ) -> Result<Vec<(u64, Option<Place>)>, ReadError> {
        let ask = |sequence| async move {
            let asked: Result<stream::Found, ApiError> =
                self.connection.api("STREAM.MSG.GET", &json!({ "seq": sequence })).await;
            match asked {
                Ok(found) => Ok(Some((sequence, place_of(&found.message)))),
                Err(ApiError::Refused { err_code: stream::NO_MESSAGE, .. }) => Ok(None),
                Err(error) => Err(ReadError::Unavailable(Arc::new(error))),
            }
        };
        let asking = futures_util::stream::iter(sequences).map(ask).buffered(QUESTIONS);
        let places: Vec<_> = asking.try_collect().await?;
        Ok(places.into_iter().flatten().collect())
    }

    /// Publishes messages in order behind the sequence `after`, several at a time. After an error whoever goes on asks
    /// for the [`Publisher::end`] first: nothing of what was sent is under way any more, or it was given up.
    pub async fn publish(&mut self, after: u64, messages: &[Message]) -> Result<(), Interrupted> {
        let (inbox, mut acks) = match self.acks.take() {
            Some(acks) => acks,
            None => self.subscribe().await?,
        };
        let first = self.sent;
        self.sent = first.saturating_add(u64::try_from(messages.len()).unwrap_or(u64::MAX));
        let flight = Flight { publisher: self, inbox: &inbox, after, first };
        let flown = flight.fly(messages, &mut acks).await;
        // A subscription that gave nothing may have ended with its connection: another one is made.
        if !matches!(flown, Err(Interrupted::Unknown(_))) {
            self.acks = Some((inbox, acks));
        }
        flown
    }

    async fn subscribe(&self) -> Result<(String, Subscriber), Interrupted> {
        let client = self.connection.client();
        let inbox = client.new_inbox();
        let acks = timeout(TIMEOUT, client.subscribe(format!("{inbox}.*"))).await;
        match acks {
            Ok(Ok(acks)) => Ok((inbox, acks)),
            Ok(Err(error)) => Err(Interrupted::Unknown(Arc::new(error))),
            Err(_) => Err(unknown("the NATS client is busy")),
        }
    }
}

/// Some messages on their way.
struct Flight<'a> {
    publisher: &'a Publisher,
    inbox: &'a str,
    after: u64,
    /// The number of the first one.
    first: u64,
}

impl Flight<'_> {
    async fn fly(&self, messages: &[Message], acks: &mut Subscriber) -> Result<(), Interrupted> {
        let mut rest = messages.iter().zip(0_u64..).peekable();
        let (mut under_way, mut bytes) = (0_usize, 0_usize);
        // What went wrong with the first message that did not land.
        let mut trouble: Option<(u64, Interrupted)> = None;
        loop {
            while trouble.is_none() && under_way < WINDOW && (under_way == 0 || bytes < WINDOW_BYTES) {
                let Some((message, index)) = rest.next() else { break };
                self.send(message, index).await?;
                (under_way, bytes) = (under_way + 1, bytes + message.body.len());
            }
            if under_way == 0 {
                return trouble.map_or(Ok(()), |(_, why)| Err(why));
            }
            let answer = match timeout(TIMEOUT, acks.next()).await {
                Ok(Some(answer)) => answer,
                Ok(None) => return Err(unknown("the connection's subscription has ended")),
                Err(_) => {
                    let complaint = self.publisher.connection.complaint();
                    return Err(Interrupted::Unknown(Arc::new(ApiError::TimedOut(complaint))));
                }
            };
            let number = answer.subject.rsplit('.').next().and_then(|text| text.parse::<u64>().ok());
            // Of an earlier flight that was given up, if it is below.
            let Some(index) = number.and_then(|number| number.checked_sub(self.first)) else { continue };
            let body = usize::try_from(index).ok().and_then(|index| messages.get(index));
            bytes = bytes.saturating_sub(body.map_or(0, |message| message.body.len()));
            under_way = under_way.saturating_sub(1);
            if let Err(why) = self.judge(&answer, index)
                && trouble.as_ref().is_none_or(|(earlier, _)| index < *earlier)
            {
                trouble = Some((index, why));
            }
        }
    }

    async fn send(&self, message: &Message, index: u64) -> Result<(), Interrupted> {
        let Publisher { connection, id, .. } = self.publisher;
        let mut headers = HeaderMap::new();
        for (name, value) in &message.headers {
            headers.insert(*name, value.as_str());
        }
        headers.insert(PLACE_HEADER, message.place.to_string());
        headers.insert(FRAME_HEADER, message.frame.to_string());
        headers.insert(RELAY_HEADER, id.as_str());
        headers.insert(STREAM_HEADER, connection.stream());
        headers.insert(HEAD_HEADER, self.after.saturating_add(index).to_string());
        let reply = format!("{}.{}", self.inbox, self.first.saturating_add(index));
        let publish = connection.client().publish_with_reply_and_headers(
            message.subject.clone(),
            reply,
            headers,
            message.body.clone(),
        );
        match timeout(TIMEOUT, publish).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Interrupted::Unknown(Arc::new(error))),
            Err(_) => Err(unknown("the NATS client takes nothing")),
        }
    }

    /// What the answer says about message `index`.
    fn judge(&self, answer: &async_nats::Message, index: u64) -> Result<(), Interrupted> {
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(Interrupted::Unknown(Arc::new(ApiError::NoResponders)));
        }
        let expected = self.after.saturating_add(index).saturating_add(1);
        match parse::<Ack>(&answer.payload) {
            Ok(Ack { stream, seq, duplicate: false })
                if stream == self.publisher.stream() && seq == expected =>
            {
                Ok(())
            }
            Ok(ack) => {
                tracing::warn!(?ack, expected, "a publish was acknowledged oddly");
                Err(unknown("the acknowledgement is not of this publish"))
            }
            Err(ApiError::Refused { err_code: WRONG_LAST_SEQUENCE, .. }) => Err(Interrupted::Fenced),
            Err(error) => Err(Interrupted::Unknown(Arc::new(error))),
        }
    }
}

/// The message of this sequence, of the stream's leader.
async fn message(connection: &Connection, sequence: u64) -> Result<Option<stream::FoundMessage>, ReadError> {
    if sequence == 0 {
        return Ok(None);
    }
    let asked = connection.api::<stream::Found>("STREAM.MSG.GET", &json!({ "seq": sequence })).await;
    asked.map(|found| Some(found.message)).map_err(|error| {
        // Whatever keeps the leader from reading it, it says so. As long as it does, nobody knows from where to go on, and
        // nothing is published (docs/adr/0015-a-fenced-relay.md).
        if matches!(error, ApiError::Refused { err_code: stream::NO_MESSAGE, .. }) {
            let why = "the leader of a derived stream does not have its last message";
            return ReadError::Unavailable(Arc::new(Reason(why)));
        }
        ReadError::Unavailable(Arc::new(error))
    })
}

/// From where in the journal a message was made; none: it is of no relay.
fn place_of(message: &stream::FoundMessage) -> Option<Place> {
    message.header(PLACE_HEADER)?.parse().ok()
}

/// From where in the journal the last message was made.
pub(super) async fn last_place(connection: &Connection, last: u64) -> Result<Option<Place>, ReadError> {
    Ok(message(connection, last).await?.as_ref().and_then(place_of))
}

fn unknown(why: &'static str) -> Interrupted {
    Interrupted::Unknown(Arc::new(Reason(why)))
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, id, sent, .. } = self;
        f.debug_struct("Publisher")
            .field("stream", &connection.stream())
            .field("id", id)
            .field("sent", sent)
            .finish_non_exhaustive()
    }
}
