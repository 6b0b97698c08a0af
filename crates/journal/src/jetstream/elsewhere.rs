//! Asking for one frame wherever it may lie: each replica of the stream answers direct gets from its own copy.

use std::sync::{Arc, PoisonError};

use async_nats::{HeaderValue, Request};
use serde_json::json;

use crate::{
    Gaps, Item, ReadError,
    jetstream::{
        Inner,
        connection::{ApiError, TIMEOUT},
        stream::Judged,
    },
};

/// So often is a frame asked for: who answers is not ours to choose.
const ASKED: usize = 6;
/// Headers of an answer: what was asked for, as it is stored.
const SUBJECT: &str = "Nats-Subject";
const SEQUENCE: &str = "Nats-Sequence";

impl Inner {
    /// The frame from a replica that has it, or else from the leader; none if nobody has it who answers.
    pub(super) async fn elsewhere(&self, sequence: u64) -> Result<Option<Item>, ReadError> {
        for _ in 0..ASKED {
            // A replica that does not answer shows nothing: the leader is asked in the end.
            if let Ok(Some(stored)) = self.direct(sequence).await {
                return Ok(Some(stored));
            }
        }
        self.read_one(sequence).await
    }

    /// Every different frame that replicas and leader give for the sequence.
    pub(super) async fn copies(&self, sequence: u64) -> Result<Vec<Item>, ReadError> {
        let mut copies = Vec::new();
        let mut keep = |item: Item| {
            if !copies.contains(&item) {
                copies.push(item);
            }
        };
        for _ in 0..ASKED {
            if let Ok(Some(stored)) = self.direct(sequence).await {
                keep(stored);
            }
        }
        if let Some(stored) = self.read_one(sequence).await? {
            keep(stored);
        }
        Ok(copies)
    }

    /// What some replica has, which need not be the leader and may be behind.
    async fn direct(&self, sequence: u64) -> Result<Option<Item>, ReadError> {
        let subject = format!("$JS.API.DIRECT.GET.{}", self.connection.stream());
        let question = json!({ "seq": sequence }).to_string();
        let request = Request::new().payload(question.into()).timeout(Some(TIMEOUT));
        let unavailable = |error: ApiError| ReadError::Unavailable(Arc::new(error));
        let message = self.connection.request(subject, request).await.map_err(unavailable)?;
        let Some(headers) = message.headers.as_ref() else { return Ok(None) };
        // Behind what is stored: a foreign message may have headers of these names too. Its status proves nothing either, as
        // heartbeats are stored with theirs.
        let told = |name: &str| headers.get_all(name).last().map(HeaderValue::as_str);
        let (Some(found), Some(subject)) = (told(SEQUENCE), told(SUBJECT)) else { return Ok(None) };
        if found.parse() != Ok(sequence) {
            return Ok(None);
        }
        let judged = Judged::answered(self.connection.stream(), headers);
        judged.item(self.connection.options(), (sequence, subject), message.payload.clone()).map(Some)
    }

    /// Counts a frame that was not where it should be.
    pub(super) fn meet_gap(&self, sequence: u64) {
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner).meet(sequence);
    }

    /// All that were.
    pub(super) fn gaps(&self) -> Gaps {
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
