//! JSON bodies: read whole, within limits, strictly; complaints point at the member that is wrong.

use std::{future::poll_fn, pin::Pin, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody as _, to_bytes},
    http::{
        HeaderMap,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
};
use grantbook_api::strict;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::problem::Failure;

/// Largest body, in bytes.
pub(crate) const BODY_MAX: usize = 1 << 20;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// How much of a refused body is read, and for how long. This is twice the longest body that any call takes: a client that sends a
/// little too much gets its answer.
const DISCARDED_MAX: usize = 32 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// The bytes of a JSON body: of the right type, in time, not too many.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    require_json(headers)?;
    collect(headers, body).await
}

/// Refuses a body where none belongs.
pub(crate) async fn require_none(headers: &HeaderMap, body: Body) -> Result<(), Failure> {
    let bytes = collect(headers, body).await?;
    if bytes.is_empty() { Ok(()) } else { Err(Failure::invalid("this request takes no body")) }
}

/// A JSON value in which no object names a member twice.
pub(crate) fn value(bytes: &[u8]) -> Result<Value, Failure> {
    Ok(strict::value(bytes)?)
}

/// A `T` from a value.
pub(crate) fn shape<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    Ok(strict::read(value)?)
}

/// A `T` from text.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    Ok(strict::parse(bytes)?)
}

/// The bytes of a body of any type: in time, not too many.
pub(crate) async fn collect(headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > BODY_MAX as u64) {
        discard(body).await;
        return Err(Failure::body_too_large(BODY_MAX));
    }
    match tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_length(&error) => Err(Failure::body_too_large(BODY_MAX)),
        Ok(Err(_)) => Err(Failure::invalid("the body ended early")),
        Err(_) => Err(Failure::body_too_slow()),
    }
}

/// Reads what is left of a body that is refused, within bounds. A connection that is closed with a part of it unread is reset
/// (RFC 9112, section 9.6), and its peer may never read why.
pub(crate) async fn discard(mut body: Body) {
    let reading = async {
        let mut left = DISCARDED_MAX;
        while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    tokio::time::timeout(DISCARD_TIME, reading).await.unwrap_or_default();
}

/// Whether the limit was the cause: `to_bytes` tells only by the text of its source.
fn is_length(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.to_string().contains("length limit"))
}

fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Failure::not_json()) }
}
