//! Signing in with a user's key, which starts a session; and out, which ends it.

use std::sync::Arc;

use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::{IntoResponse as _, Response},
};
use grantbook_api::{
    client::{ClientError, InProcess},
    words::secret::Secret,
};

use crate::{
    Console,
    frame::Frame,
    gate::{cookie, place::Place},
    shown::form::{Asked, Fields},
    visit::{Stop, Visit, client_with, is_ours, page_of, refusal, see},
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    can: bool,
    next: String,
}

const ENDED: &str = "The session has ended: sign in again.";
const NO_KEY: &str = "The key is wrong, revoked or expired.";
const NOT_A_PERSON: &str = "This is the key of a service token. Service tokens are for programs and cannot sign in: use the key of your user.";

fn page(place: Place, next: Option<String>, trouble: Option<String>) -> Response {
    let status = if trouble.is_some() && place != Place::Plain {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let frame = Frame { title: "Sign in".to_owned(), trouble, ..Frame::default() };
    let next = next.filter(|path| is_ours(path)).unwrap_or_else(|| "/console".to_owned());
    (status, page_of(&SignInPage { frame, can: place != Place::Plain, next })).into_response()
}

/// The form.
pub(crate) async fn show(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    Asked(asked): Asked,
) -> Response {
    let place = Place::of(&headers, console.public.as_ref());
    let ended = asked.text("ended").map(|_| ENDED.to_owned());
    let mut response = page(place, asked.text("next"), ended);
    *response.status_mut() = StatusCode::OK;
    response
}

/// Starts a session, whose key the browser keeps. An earlier one of the browser's ends.
pub(crate) async fn sign_in(
    State(console): State<Arc<Console>>,
    Extension(server): Extension<InProcess>,
    headers: HeaderMap,
    form: Fields,
) -> Result<Response, Stop> {
    let place = Place::of(&headers, console.public.as_ref());
    let next = form.text("next").filter(|path| is_ours(path));
    if place == Place::Plain {
        return Ok(page(place, next, None));
    }
    let Some(key) = form.text("key") else {
        return Ok(page(place, next, Some("Write a key.".to_owned())));
    };
    let started = client_with(&console, &server, Secret::new(key)).start_session().await;
    let session = match started {
        Ok(answer) => answer.value,
        Err(error) => return Ok(page(place, next, Some(refused(&error)?))),
    };
    let secret = session.secret.flatten().ok_or_else(|| Stop::internal("the session has no key"))?;
    if let Some(earlier) = cookie::read(&headers, place) {
        let client = client_with(&console, &server, earlier);
        if let Ok(who) = client.whoami().await {
            // It ends in twelve hours anyway.
            let _ended = client.end_session(&who.value.key.id).await;
        }
    }
    let mut response = see(next.as_deref().unwrap_or("/console"));
    response.headers_mut().extend(cookie::set(&secret, place).map(|line| (SET_COOKIE, line)));
    Ok(response)
}

fn refused(error: &ClientError) -> Result<String, Stop> {
    match error.status() {
        Some(401) => Ok(NO_KEY.to_owned()),
        None => Ok(NO_KEY.to_owned()),
        Some(_) if error.code() == Some("not_a_user") => Ok(NOT_A_PERSON.to_owned()),
        Some(_) => refusal(error),
    }
}

/// Ends the session.
pub(crate) async fn sign_out(visit: Visit) -> Result<Response, Stop> {
    visit.client.end_session(&visit.session).await?;
    let mut response = see("/console/sign-in");
    response.headers_mut().extend(cookie::clear(visit.place).map(|line| (SET_COOKIE, line)));
    Ok(response)
}
