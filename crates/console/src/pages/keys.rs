//! Keys and sessions: issued, rotated, revoked, ended. A key is shown once.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use grantbook_api::{
    client::Answer,
    nouns::{
        batch::BatchMethod,
        keys::{IssueKey, Key, RotateKey, an_hour},
    },
    words::{reference::PrincipalRef, secret::Secret},
};
use serde_json::Value;

use crate::{
    frame::{Done, Frame},
    review::{Change, command, review},
    shown::{form::Fields, grant::expiry, time::minute},
    visit::{Stop, Visit, after, is_ours, page_of, refusal, trouble},
};

#[derive(Template)]
#[template(path = "key_once.html")]
struct KeyOncePage {
    frame: Frame,
    is_key: bool,
    secret: Option<String>,
    back: String,
    old_until: Option<String>,
}

/// A key that was just made.
pub(crate) struct NewKey {
    pub(crate) title: String,
    /// Or else the secret that a webhook signs with.
    pub(crate) is_key: bool,
    pub(crate) part: &'static str,
    pub(crate) back: String,
    pub(crate) secret: Option<Secret>,
    pub(crate) old_until: Option<String>,
    pub(crate) position: Option<String>,
}

/// The page that shows it: the answer to the form itself, as a key is in no URL and nowhere kept. Sent again, the form makes
/// nothing, and the key is withheld.
pub(crate) fn once(visit: &Visit, key: NewKey) -> Response {
    let NewKey { title, is_key, part, back, secret, old_until, position } = key;
    let command = match part {
        "/console/tokens" => "grantbook token key NAME",
        "/console/webhooks" => "grantbook webhook create URL",
        _ => "grantbook user key EMAIL",
    };
    let mut frame = visit.frame(title, part, command);
    frame.done = position.map(|position| Done { text: "Created".to_owned(), position });
    let secret = secret.map(|secret| secret.expose().to_owned());
    page_of(&KeyOncePage { frame, is_key, secret, back, old_until: old_until.as_deref().map(minute) })
}

/// Issues a key; the refusal in words if there is one.
pub(crate) async fn issue(
    visit: &Visit,
    principal: &PrincipalRef,
    form: &Fields,
    (part, back): (&'static str, &str),
) -> Result<Result<Response, String>, Stop> {
    let request = form.text("request").ok_or_else(Stop::no_form)?;
    let expires_at = match expiry(form) {
        Ok(expires_at) => expires_at,
        Err(error) => return Ok(Err(trouble(&error)?)),
    };
    let body = IssueKey { name: form.text("name"), expires_at, narrow: None };
    match visit.once(&request).issue_key(principal, &body).await {
        Ok(answer) => Ok(Ok(shown(visit, answer, "Key issued", (part, back)))),
        Err(error) => Ok(Err(refusal(&error)?)),
    }
}

fn shown(visit: &Visit, answer: Answer<Key>, title: &str, (part, back): (&'static str, &str)) -> Response {
    let key = NewKey {
        title: title.to_owned(),
        is_key: true,
        part,
        back: back.to_owned(),
        secret: answer.value.secret.flatten(),
        old_until: answer.value.old_valid_until,
        position: answer.position,
    };
    once(visit, key)
}

/// Where a form came from.
fn back(form: &Fields) -> String {
    form.text("back").filter(|path| is_ours(path)).unwrap_or_else(|| "/console/tokens".to_owned())
}

pub(crate) async fn rotate(visit: Visit, Path(id): Path<String>, form: Fields) -> Result<Response, Stop> {
    let request = form.text("request").ok_or_else(Stop::no_form)?;
    let answer = visit.once(&request).rotate_key(&id, &RotateKey { grace_seconds: an_hour() }).await?;
    Ok(shown(&visit, answer, "Key rotated", ("/console/tokens", &back(&form))))
}

pub(crate) async fn revoke(visit: Visit, Path(id): Path<String>, form: Fields) -> Result<Response, Stop> {
    let change = Change {
        title: "Revoke key".to_owned(),
        commands: vec![command(BatchMethod::Delete, format!("/v1/keys/{id}"), Value::Null)],
        back: back(&form),
        part: "/console/tokens",
    };
    match review(&visit, &change).await? {
        Ok(page) => Ok(page),
        Err(text) => Err(Stop::failed(StatusCode::CONFLICT, "refused", text)),
    }
}

pub(crate) async fn end_session(
    visit: Visit,
    Path(id): Path<String>,
    form: Fields,
) -> Result<Response, Stop> {
    let answer = visit.client.end_session(&id).await?;
    Ok(after(&back(&form), answer.position.as_deref()))
}
