//! `/v1/sessions`: short-lived keys of people

use std::sync::Arc;

use axum::{http::Uri, response::Response};
use grantbook_api::{
    keys::Key,
    list::{Page, PageQuery},
    sessions::{Session, SessionQuery, StartSession},
};
use grantbook_domain::{
    command::{Command, SessionCommand},
    id::KeyId,
    model,
    refusal::Kind,
};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{Web, body::shape, problem::Failure, query, read::Reading, write::Write},
    routes::{
        keys,
        lists::Wanted,
        names,
        plan::{Intake, Made, Plan, id_in_path},
        render,
        sight::Sight,
    },
    secret::{KeyKind, Secret},
};

pub(super) fn routes() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::new().routes(routes!(list, post)).routes(routes!(delete_one))
}

/// A session is a key of the user who starts it.
pub(super) fn start(body: Value, intake: &Intake<'_>) -> Result<Plan, Failure> {
    let StartSession {} = shape(body)?;
    let id = intake.ids.id();
    let secret = Secret::mint(KeyKind::User, id).map_err(|error| Failure::internal(&error))?;
    let command = Command::Session(SessionCommand::Start { id, hash: secret.hash() });
    Ok(Plan { secret: Some(Made::Key(id, secret)), ..Plan::new(command, id.to_string()) })
}

pub(super) fn end(id: &str) -> Result<Plan, Failure> {
    let id: KeyId = id_in_path(id, Kind::Session)?;
    Ok(Plan::new(Command::Session(SessionCommand::End { id }), id.to_string()))
}

/// The sessions of a user that work, without their secrets. One's own are always seen, but by a narrowed key only
/// itself.
#[utoipa::path(get, path = "/v1/sessions", tag = "keys", operation_id = "list_sessions",
    params(SessionQuery), responses((status = 200, body = Page<Session>, description = "One page.")))]
async fn list(reading: Reading, uri: Uri) -> Response {
    let answer = reading.answer_at_leisure(move |reading| {
        let SessionQuery { user, limit, cursor } = query::read(&uri)?;
        let named = user.map(|id| keys::user(&id)).transpose()?;
        let principal = named.unwrap_or(reading.caller.principal);
        let list = format!("sessions\n{principal:?}");
        let wanted = Wanted::plain(list, PageQuery { limit, cursor, as_of: None })?;
        let mut sight = Sight::new(reading)?;
        keys::require_seen(&mut sight, principal)?;
        let sees = keys::seen_keys(&mut sight, principal)?;
        let owner = names::principal(reading, principal)?;
        let show = |key: &model::Key| {
            let works = sees.has(key.id) && reading.today.key_works(key.id, reading.now)?;
            let shown = render::session(key).filter(|_| works);
            Ok(shown.map(|session| Session { principal: owner.clone(), ..session }))
        };
        wanted.page(reading, |listing| reading.snapshot.keys_of(reading.org, principal, listing), show)
    });
    answer.await
}

/// Starts a session with the user's key that is presented. The answer is the only one that ever holds its secret.
#[utoipa::path(post, path = "/v1/sessions", tag = "keys", operation_id = "start_session",
    request_body = StartSession, responses((status = 201, body = Session, description = "Started.")))]
async fn post(write: Write) -> Response {
    write.run().await
}

/// Ends a session: one's own, or anybody's with the right to revoke keys.
#[utoipa::path(delete, path = "/v1/sessions/{id}", tag = "keys", operation_id = "end_session",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, body = Key, description = "The session's key as it was at its end.")))]
async fn delete_one(write: Write) -> Response {
    write.run().await
}
