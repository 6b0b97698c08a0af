//! Routes, one file per noun, as in their URLs.

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod catalog;
mod changes;
pub(crate) mod check;
pub(crate) mod deliveries;
pub(crate) mod diff;
mod event_names;
pub(crate) mod explain;
pub(crate) mod grant_history;
pub(crate) mod grants;
pub(crate) mod groups;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod members;
pub(crate) mod names;
pub(crate) mod objects;
pub(crate) mod parse;
pub(crate) mod plan;
pub(crate) mod projects;
mod records;
pub(crate) mod render;
pub(crate) mod report;
pub(crate) mod reverse;
pub(crate) mod roles;
mod scope_words;
pub(crate) mod sessions;
pub(crate) mod timeline;
pub(crate) mod tokens;
pub(crate) mod unchanged;
pub(crate) mod users;
pub(crate) mod watch;
pub(crate) mod webhooks;
pub(crate) mod whoami;

use axum::{
    body::Bytes,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use grantbook_api::check::{CheckAnswer, CheckRequest, Reason};

use crate::http::{body, respond::json};

/// Reads a check and denies it without looking, in as many bytes as a real answer.
pub(crate) async fn noop_check(body: Bytes) -> Response {
    let asked = body::parse::<CheckRequest>(&body);
    let position = "AAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let answer = CheckAnswer { allowed: false, reason: Reason::NoGrant, position, as_of: None };
    match asked.and_then(|_| json(StatusCode::OK, &answer)) {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}
