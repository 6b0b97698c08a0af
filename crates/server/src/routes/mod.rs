//! Routes, one file per noun, as in their URLs.

mod access;
mod audit;
pub(crate) mod batch;
mod catalog;
mod changes;
pub(crate) mod check;
mod deliveries;
mod diff;
mod event_names;
mod explain;
mod grant_history;
mod grants;
mod groups;
mod health;
mod keys;
mod lists;
mod members;
pub(crate) mod names;
pub(crate) mod noop;
mod objects;
mod openapi;
pub(crate) mod plan;
mod projects;
mod records;
pub(crate) mod render;
mod report;
mod reverse;
mod roles;
mod scope_words;
mod sessions;
pub(crate) mod sight;
mod timeline;
mod tokens;
pub(crate) mod turns;
mod users;
mod watch;
mod webhooks;
pub(crate) mod what_if;
mod whoami;

use std::sync::Arc;

use axum::{
    body::Bytes,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use grantbook_api::check::{CheckAnswer, CheckRequest, Reason};
use utoipa_axum::router::OpenApiRouter;

pub(crate) use self::openapi::completed;
use crate::{
    authzen,
    http::{Web, body, read::json},
};

/// Every route with its documentation.
pub(crate) fn documented() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::new()
        .merge(check::routes())
        .merge(explain::routes())
        .merge(access::routes())
        .merge(reverse::routes())
        .merge(diff::routes())
        .merge(report::routes())
        .merge(timeline::routes())
        .merge(audit::routes())
        .merge(watch::routes())
        .merge(whoami::routes())
        .merge(projects::routes())
        .merge(catalog::routes())
        .merge(objects::routes())
        .merge(users::routes())
        .merge(tokens::routes())
        .merge(keys::routes())
        .merge(sessions::routes())
        .merge(groups::routes())
        .merge(members::routes())
        .merge(roles::routes())
        .merge(grants::routes())
        .merge(grant_history::routes())
        .merge(webhooks::routes())
        .merge(batch::routes())
        .merge(what_if::routes())
        .merge(authzen::routes())
        .merge(health::routes())
}

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
