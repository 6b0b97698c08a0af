//! Records and changes of access as they come, over as many connections as it takes.

use std::time::Duration;

use reqwest::{
    Method, Response, StatusCode,
    header::{ACCEPT, HeaderMap, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;

use crate::{
    client::{Client, ClientError, lines::STREAM_TIMEOUT, successful},
    questions::{
        audit::AuditItem,
        feed::AccessChange,
        watch::{EVENT_STREAM, WatchEnd, WatchQuery, WatchStale},
    },
    words::header,
};

/// The pause before a second attempt to connect; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The header with which a stream goes on.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// Where to go on behind it: kept, it makes `from` of a later watch.
    pub id: String,
    /// What.
    pub message: WatchMessage,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum WatchMessage {
    /// A record.
    Record(Box<AuditItem>),
    /// What a record changed of access.
    Change(Box<AccessChange>),
    /// From here on the node that tells is beyond its bounds, or is not any more, or another goes on that is not.
    Stale(WatchStale),
}

/// A stream of messages, each once and in order. A connection that breaks off, or a node that cannot go on, is followed by
/// another attempt, without end; what cannot get better by that is an error.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    query: WatchQuery,
    /// Up to where everything came.
    last: Option<String>,
    open: Option<Events>,
    pause: Duration,
    /// Whether what comes was last said to come from a stale node.
    stale: bool,
}

impl Client {
    /// Watches; nothing is asked before [`Watch::next`].
    pub fn watch(&self, query: WatchQuery) -> Watch {
        Watch { client: self.clone(), query, last: None, open: None, pause: PAUSE_MIN, stale: false }
    }
}

impl Watch {
    /// Up to where everything came, as far as the filters take it: also beyond the last message. None before the first
    /// connection.
    pub fn last_id(&self) -> Option<&str> {
        self.last.as_deref()
    }

    /// The next message.
    ///
    /// # Errors
    /// [`ClientError::WatchEnded`] once the caller may watch no more, and [`ClientError::Problem`] if the query is
    /// refused; of transport only if there has not been a connection yet.
    pub async fn next(&mut self) -> Result<Watched, ClientError> {
        loop {
            let event = match &mut self.open {
                Some(events) => events.next().await,
                None => match self.connect().await {
                    Ok(events) => {
                        let still = events.response.headers().contains_key(header::STALE);
                        self.open = Some(events);
                        if self.stale && !still {
                            let fresh = WatchStale { stale: false, lag_frames: 0, age_ms: 0 };
                            return Ok(self.marked(fresh));
                        }
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match event {
                Ok(Some(event)) => {
                    if let Some(message) = self.take(event)? {
                        return Ok(message);
                    }
                }
                Ok(None) => self.again().await,
                Err(error) if self.is_passing(&error) => self.again().await,
                Err(error) => return Err(error),
            }
        }
    }

    async fn connect(&self) -> Result<Events, ClientError> {
        let url = self.client.url(&["v1", "watch"], Some(&self.query))?;
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(EVENT_STREAM))]);
        if let Some(last) = self.last.as_deref().and_then(|last| HeaderValue::from_str(last).ok()) {
            headers.insert(LAST_EVENT_ID, last);
        }
        let request = self.client.request(Method::GET, url)?.headers(headers).timeout(STREAM_TIMEOUT);
        Ok(Events { response: successful(self.client.execute(request).await?).await?, waiting: Vec::new() })
    }

    /// What an event says, if it is a message.
    fn take(&mut self, event: Event) -> Result<Option<Watched>, ClientError> {
        self.pause = PAUSE_MIN;
        let message = match event.name.as_str() {
            "record" => Some(WatchMessage::Record(Box::new(parsed(&event.data)?))),
            "change" => Some(WatchMessage::Change(Box::new(parsed(&event.data)?))),
            "stale" => return Ok(Some(self.marked(parsed(&event.data)?))),
            "end" => {
                let end: WatchEnd = parsed(&event.data)?;
                if matches!(
                    end.reason.as_str(),
                    "key_revoked" | "key_expired" | "inactive_principal" | "forbidden"
                ) {
                    return Err(ClientError::WatchEnded(end));
                }
                None
            }
            // What a later server adds is not for this client.
            _ => None,
        };
        if event.id.is_some() {
            self.last = event.id;
        }
        let id = self.last.clone().unwrap_or_default();
        Ok(message.map(|message| Watched { id, message }))
    }

    fn marked(&mut self, told: WatchStale) -> Watched {
        self.stale = told.stale;
        Watched { id: self.last.clone().unwrap_or_default(), message: WatchMessage::Stale(told) }
    }

    /// Whether another attempt may succeed, and there was one that did.
    fn is_passing(&self, error: &ClientError) -> bool {
        let begun = self.last.is_some();
        let busy = |status| status == StatusCode::TOO_MANY_REQUESTS.as_u16() || status >= 500;
        begun && (matches!(error, ClientError::Transport(_)) || error.status().is_some_and(busy))
    }

    async fn again(&mut self) {
        self.open = None;
        tokio::time::sleep(self.pause).await;
        self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
    }
}

fn parsed<T: DeserializeOwned>(data: &str) -> Result<T, ClientError> {
    serde_json::from_str(data).map_err(ClientError::Malformed)
}

/// Server-sent events of one connection.
#[derive(Debug)]
struct Events {
    response: Response,
    waiting: Vec<u8>,
}

/// One of them; without data it only moves the id on.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    id: Option<String>,
    name: String,
    data: String,
}

impl Events {
    /// The next whole event; none after the last.
    async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        let mut looked: usize = 0;
        loop {
            let from = looked.saturating_sub(1);
            let ahead = self.waiting.get(from..).unwrap_or_default();
            if let Some(end) = ahead.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.waiting.drain(..from + end + 2).collect();
                return Ok(Some(Event::parse(&String::from_utf8_lossy(&event))));
            }
            looked = self.waiting.len();
            match self.response.chunk().await? {
                Some(bytes) => self.waiting.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
}

impl Event {
    fn parse(text: &str) -> Self {
        let mut event = Self::default();
        for line in text.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => event.id = Some(value.to_owned()),
                "event" => value.clone_into(&mut event.name),
                "data" => {
                    if !event.data.is_empty() {
                        event.data.push('\n');
                    }
                    event.data.push_str(value);
                }
                _ => {}
            }
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_field_by_field_and_comments_are_none() {
        let event = Event::parse(": at x\nid: x\n\n");
        assert_eq!(event, Event { id: Some("x".into()), ..Event::default() });
        let event = Event::parse("id: p.1\nevent: change\ndata: {\"a\":\ndata: 1}\nretry: 5\n\n");
        assert_eq!((event.id.as_deref(), event.name.as_str()), (Some("p.1"), "change"));
        assert_eq!(event.data, "{\"a\":\n1}");
    }
}
