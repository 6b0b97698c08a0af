//! Appending: one guarded publish, and what is known after its answer.

use std::sync::Arc;

use async_nats::{HeaderMap, Request};
use bytes::Bytes;
use grantbook_domain::id::OrgId;
use serde::Deserialize;

use crate::{
    AppendError,
    frame::FRAME_MAX_BYTES,
    jetstream::{
        Guard, Reason,
        connection::{ApiError, Connection, TIMEOUT, parse},
        stream::GUARD_HEADER,
    },
};

/// Refuses an append that another stream's subjects would take.
pub(super) const STREAM_HEADER: &str = "Nats-Expected-Stream";
/// The guard over all subjects: of an organization's first frame, and of every message of a derived stream.
pub(super) const HEAD_HEADER: &str = "Nats-Expected-Last-Sequence";

// Numbers of refusals, from the server's list of errors.
/// The last sequence is another one.
pub(super) const WRONG_LAST_SEQUENCE: u64 = 10071;
/// So it seems, as another append is under way; a cluster answers so to the only writer too.
const WRONG_LAST_SEQUENCE_IN_FLIGHT: u64 = 10164;
/// An append with the same id is under way; the stream is not ready; the cluster is not; the leader is just changing.
const AGAIN: [u64; 6] = [WRONG_LAST_SEQUENCE_IN_FLIGHT, 10158, 10163, 10008, 10009, 10118];
/// The message is longer than the stream takes.
const TOO_LONG: u64 = 10054;
/// The subject is another stream's.
const OTHER_STREAM: u64 = 10060;

#[derive(Debug, Deserialize)]
struct Ack {
    stream: String,
    seq: u64,
    #[serde(default)]
    duplicate: bool,
}

/// Appends a frame behind the guard.
pub(super) async fn append(
    connection: &Connection,
    org: OrgId,
    guard: Guard,
    frame: Bytes,
) -> Result<u64, AppendError> {
    if frame.len() > FRAME_MAX_BYTES {
        return Err(AppendError::TooLarge { bytes: frame.len(), limit: FRAME_MAX_BYTES });
    }
    let subject = connection.options().subject(org);
    publish(connection, subject, headers(connection.stream(), guard), frame).await
}

/// Puts a foreign message behind the stream's last sequence.
pub(super) async fn put_foreign(
    connection: &Connection,
    token: &str,
    head: u64,
    bytes: Bytes,
) -> Result<u64, AppendError> {
    let subject = connection.options().subject_of_token(token);
    publish(connection, subject, headers_of_foreign(head), bytes).await
}

async fn publish(
    connection: &Connection,
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
) -> Result<u64, AppendError> {
    let request = Request::new().headers(headers).payload(payload).timeout(Some(TIMEOUT));
    let answer =
        connection.request(subject, request).await.and_then(|message| parse::<Ack>(&message.payload));
    match answer {
        Ok(ack) if ack.stream == connection.stream() && !ack.duplicate => Ok(ack.seq),
        Ok(ack) => {
            tracing::warn!(?ack, "an append was acknowledged oddly");
            Err(AppendError::OutcomeUnknown(Arc::new(Reason("the acknowledgement is not of this append"))))
        }
        Err(error) => Err(meaning(error)),
    }
}

pub(super) fn headers(stream: &str, guard: Guard) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(STREAM_HEADER, stream);
    let own = match guard {
        Guard::Organization(after) => after,
        Guard::Stream(head) => {
            headers.insert(HEAD_HEADER, head.to_string());
            0
        }
    };
    headers.insert(GUARD_HEADER, own.to_string());
    headers
}

/// The headers of a copied frame: it lands at its own sequence or nowhere, and keeps its guard.
pub(super) fn headers_of_copy(stream: &str, sequence: u64, guard: u64) -> HeaderMap {
    let mut headers = headers(stream, Guard::Organization(guard));
    headers.insert(HEAD_HEADER, sequence.saturating_sub(1).to_string());
    headers
}

/// The headers of a foreign message that is put in its place: it lands behind this sequence or nowhere. It names no stream,
/// or it would be an append.
pub(super) fn headers_of_foreign(head: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HEAD_HEADER, head.to_string());
    headers
}

/// Whether an append was certainly refused and may be taken a moment later.
pub(super) fn is_busy(error: &ApiError) -> bool {
    match error {
        ApiError::NoResponders => true,
        ApiError::Refused { err_code, .. } => AGAIN.contains(err_code),
        ApiError::TimedOut(_) | ApiError::Other(_) => false,
    }
}

/// What is known about the frame. Whatever is not plainly a refusal leaves it unknown.
fn meaning(error: ApiError) -> AppendError {
    match error {
        ApiError::Refused { err_code: WRONG_LAST_SEQUENCE, ref description } => {
            // "wrong last sequence: 17"
            let actual = description.rsplit(' ').next().and_then(|number| number.parse().ok());
            AppendError::Conflict { actual }
        }
        _ if is_busy(&error) => AppendError::Busy(Arc::new(error)),
        ApiError::Refused { err_code: TOO_LONG | OTHER_STREAM, .. } => {
            AppendError::Unavailable(Arc::new(error))
        }
        ApiError::Refused { .. } | ApiError::NoResponders | ApiError::TimedOut(_) | ApiError::Other(_) => {
            AppendError::OutcomeUnknown(Arc::new(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(err_code: u64, description: &str) -> AppendError {
        meaning(ApiError::Refused { err_code, description: description.to_owned() })
    }

    #[test]
    fn every_guard_looks_at_the_frames_own_subject() {
        for guard in [Guard::Organization(7), Guard::Stream(7)] {
            let headers = headers("S", guard);
            assert_eq!(headers.get("Nats-Expected-Stream").unwrap().as_str(), "S");
            assert!(headers.get(GUARD_HEADER).is_some());
            assert!(headers.get("Nats-Expected-Last-Subject-Sequence-Subject").is_none());
            assert!(headers.get("Nats-Msg-Id").is_none());
        }
        let first = headers("S", Guard::Stream(7));
        assert_eq!(first.get(GUARD_HEADER).unwrap().as_str(), "0");
        assert_eq!(first.get(HEAD_HEADER).unwrap().as_str(), "7");
    }

    #[test]
    fn only_plain_refusals_are_certain() {
        let conflict = refused(10071, "wrong last sequence: 17");
        assert!(matches!(conflict, AppendError::Conflict { actual: Some(17) }), "{conflict:?}");
        assert!(matches!(refused(10071, "wrong last sequence"), AppendError::Conflict { actual: None }));
        for again in AGAIN {
            assert!(matches!(refused(again, ""), AppendError::Busy(_)), "{again}");
        }
        assert!(matches!(meaning(ApiError::NoResponders), AppendError::Busy(_)));
        assert!(matches!(refused(10060, ""), AppendError::Unavailable(_)));
        for unknown in [10077, 10023, 10047, 10201, 1] {
            assert!(matches!(refused(unknown, ""), AppendError::OutcomeUnknown(_)), "{unknown}");
        }
        assert!(matches!(meaning(ApiError::TimedOut(String::new())), AppendError::OutcomeUnknown(_)));
    }
}
