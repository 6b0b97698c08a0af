//! Responses of JSON, and the header that says at which position an answer holds.

use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use grantbook_api::words::header;
use serde::Serialize;

use crate::http::problem::Failure;

/// A JSON answer.
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Response, Failure> {
    let bytes = serde_json::to_vec(body).map_err(|error| Failure::internal(&error))?;
    let mut response = Response::new(bytes.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The answer with the position at which it holds.
pub(crate) fn with_position(mut response: Response, position: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(position) {
        response.headers_mut().insert(header::POSITION, value);
    }
    response
}
