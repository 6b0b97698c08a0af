//! A request on this wire: its path, query and body, read as leniently as these clients need.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, RawPathParams, Request},
    http::{HeaderMap, header::CONTENT_LENGTH},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

use crate::{
    braintrust::{
        body::{require_no_reference, required, text},
        denial::Denial,
        native::Native,
    },
    http::{body, problem::Failure, query, respond::json},
    state::Web,
};

/// Most bytes of a body: it is read on the thread of the request. Rows of logs have a bound of their own.
const BODY_MAX: usize = 256 * 1024;
/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(30);

/// A request, read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) web: Arc<Web>,
    pub(crate) native: Native,
    pub(crate) headers: HeaderMap,
    /// Names and values of the query, decoded.
    query: Vec<(String, String)>,
    /// Variable segments of the path, decoded.
    path: Vec<String>,
    /// `null` if there is none.
    pub(crate) body: Value,
}

impl Call {
    /// Reads everything. A body is JSON whatever its type is said to be: one of the clients says nothing, another says JSON of
    /// no body.
    async fn read(request: Request, web: &Arc<Web>) -> Result<Self, Denial> {
        let (mut parts, content) = request.into_parts();
        let path =
            <RawPathParams as axum::extract::FromRequestParts<Arc<Web>>>::from_request_parts(&mut parts, web);
        let path = path.await.map(|all| all.iter().map(|(_, value)| value.to_owned()).collect());
        let path: Vec<String> = path.map_err(|_| Denial::forbidden())?;
        let native = Native::of(&parts.extensions, &parts.headers)?;
        let query = query::parameters(&parts.uri)?;
        let bytes = read_whole(&parts.headers, content, BODY_MAX).await?;
        let body = if bytes.is_empty() { Value::Null } else { body::value(&bytes)? };
        require_no_reference(&body)?;
        Ok(Self { web: Arc::clone(web), native, headers: parts.headers, query, path, body })
    }

    /// A variable segment of the path.
    pub(crate) fn at(&self, index: usize) -> &str {
        self.path.get(index).map_or("", String::as_str)
    }

    /// A parameter of the query that is given once.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.query.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a parameter, in both encodings: repeated, and separated by commas.
    pub(crate) fn parameters(&self, name: &str) -> Vec<&str> {
        let found = self.query.iter().filter(|(known, _)| known == name);
        found.flat_map(|(_, value)| value.split(',')).filter(|value| !value.is_empty()).collect()
    }

    /// A text of the body.
    pub(crate) fn text(&self, member: &str) -> Result<Option<&str>, Denial> {
        text(&self.body, member)
    }

    /// A text of the body that must be there.
    pub(crate) fn required(&self, member: &str) -> Result<&str, Denial> {
        required(&self.body, member)
    }

    /// A truth value of the body.
    pub(crate) fn is_set(&self, member: &str) -> bool {
        self.body.get(member).and_then(Value::as_bool).unwrap_or_default()
    }
}

impl FromRequest<Arc<Web>> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, Response> {
        Self::read(request, web).await.map_err(Denial::into_response)
    }
}

/// The bytes of a body, in time and not too many.
pub(crate) async fn read_whole(
    headers: &HeaderMap,
    content: axum::body::Body,
    most: usize,
) -> Result<Bytes, Denial> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > most) {
        body::discard(content).await;
        return Err(Failure::body_too_large(most).into());
    }
    match tokio::time::timeout(BODY_TIME, to_bytes(content, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Failure::body_too_large(most).into()),
        Err(_) => Err(Failure::body_too_slow().into()),
    }
}

/// Answers a call: success is exactly 200 on this wire.
pub(crate) fn answered(native: &Native, outcome: Result<Value, Denial>) -> Response {
    let response = match outcome.and_then(|body| Ok(json(axum::http::StatusCode::OK, &body)?)) {
        Ok(response) => response,
        Err(denial) => denial.into_response(),
    };
    native.at_position(response)
}
