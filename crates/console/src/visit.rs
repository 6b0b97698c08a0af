//! One request of somebody who has signed in, and the ways in which it may end without a page.

use std::{fmt::Write as _, sync::Arc, time::Instant};

use askama::Template;
use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{
        HeaderValue, StatusCode,
        header::{LOCATION, REFRESH, RETRY_AFTER, SET_COOKIE},
        request::Parts,
    },
    response::{Html, IntoResponse, Response},
};
use grantbook_api::{
    client::{Client, ClientError, InProcess, Options},
    people::names::NameError,
    questions::{
        access::AccessQuery,
        check::{CheckBatch, CheckObject, CheckRequest},
    },
    words::{list::ListQuery, secret::Secret},
};

use crate::{
    Console,
    frame::{Done, Frame, Viewer},
    gate::{cookie, place::Place},
};

/// Somebody who has signed in, and what was asked for.
#[derive(Debug)]
pub(crate) struct Visit {
    /// Asks with the session's key.
    pub(crate) client: Client,
    pub(crate) viewer: Viewer,
    /// Id of the session.
    pub(crate) session: String,
    /// Id of the organization.
    organization: String,
    pub(crate) place: Place,
    /// The position of what was done just now: a redirect leads from there to here.
    done: Option<String>,
}

impl Visit {
    /// The frame of a page about something in one of the parts.
    pub(crate) fn frame(
        &self,
        title: impl Into<String>,
        part: &'static str,
        command: impl Into<String>,
    ) -> Frame {
        let done = self.done.clone().map(|position| Done { text: "Saved".to_owned(), position });
        Frame {
            title: title.into(),
            viewer: Some(self.viewer.clone()),
            part,
            done,
            command: command.into(),
            ..Frame::default()
        }
    }

    /// Which of these the caller holds: permission, type and id of an object; no id stands for the organization's, which
    /// things have that exist once. Pages leave out what would be refused. It is a courtesy: the API decides.
    pub(crate) async fn holds(&self, asked: &[(&str, &str, &str)]) -> Result<Vec<bool>, Stop> {
        let check = |(permission, object_type, id): &(&str, &str, &str)| CheckRequest {
            principal: None,
            key: None,
            permission: (*permission).to_owned(),
            object: CheckObject {
                object_type: (*object_type).to_owned(),
                id: if id.is_empty() { self.organization.clone() } else { (*id).to_owned() },
                project: None,
            },
        };
        let batch = CheckBatch { checks: asked.iter().map(check).collect() };
        let answer = self.client.check_batch(&batch).await?;
        Ok(answer.value.results.into_iter().map(|result| result.allowed).collect())
    }

    /// The same of one.
    pub(crate) async fn may(&self, permission: &str, object_type: &str, id: &str) -> Result<bool, Stop> {
        Ok(self.holds(&[(permission, object_type, id)]).await?.contains(&true))
    }

    /// Which of these permissions the caller holds on this object, or on any other: enough to offer what may be done on some
    /// scope.
    pub(crate) async fn holds_somewhere(
        &self,
        asked: [&str; 2],
        (object_type, id): (&str, &str),
    ) -> Result<[bool; 2], Stop> {
        let here = self.holds(&asked.map(|permission| (permission, object_type, id))).await?;
        let mut held = [here.first() == Some(&true), here.get(1) == Some(&true)];
        if held == [true; 2] {
            return Ok(held);
        }
        let query = AccessQuery {
            principal: self.viewer.id.clone(),
            limit: Some(LOOKED_AT),
            cursor: None,
            as_of: None,
        };
        match self.client.access(&query).await {
            // Permissions come in the order of the catalog, and those that every type has come first: they are on this page.
            Ok(access) => {
                for (held, permission) in held.iter_mut().zip(asked) {
                    *held |= access.value.permissions.iter().any(|entry| entry.permission == permission);
                }
            }
            // A caller without `read_acls` may not ask for all of its access, and a very long answer is refused. Both may check projects.
            Err(error) if error.status() == Some(403) || error.code() == Some("too_costly") => {
                let query = ListQuery { limit: Some(LOOKED_AT), ..ListQuery::default() };
                let projects = self.client.projects(&query).await?.value.items;
                for (held, permission) in held.iter_mut().zip(asked) {
                    let checks: Vec<_> =
                        projects.iter().map(|project| (permission, "project", project.id.as_str())).collect();
                    *held |= !checks.is_empty() && self.holds(&checks).await?.contains(&true);
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(held)
    }

    /// A client that sends one write, once, however often the form is sent.
    pub(crate) fn once(&self, request: &str) -> Client {
        let options = Options { idempotency_key: Some(request.to_owned()), ..Options::default() };
        self.client.with(options)
    }
}

impl FromRequestParts<Arc<Console>> for Visit {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Stop> {
        let place = Place::of(&parts.headers, console.public.as_ref());
        let Some(secret) = cookie::read(&parts.headers, place) else {
            let came_from_elsewhere =
                parts.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
            return Err(if came_from_elsewhere && !query(parts).contains("once=1") {
                // The browser keeps the cookie back on the way from another site: it is here now, so ask again.
                Stop::Again(path(parts))
            } else {
                Stop::SignIn { next: path(parts), note: "" }
            });
        };
        let server = parts.extensions.get::<InProcess>().cloned();
        let server = server.ok_or_else(|| Stop::internal("the API is not at hand"))?;
        let client = console.clients.in_process(server, secret);
        let known = client.whoami().await;
        let whoami = known.map_err(|error| Stop::of(&error).signing_in(path(parts)))?.value;
        if whoami.key.session.is_none() {
            // Somebody put a key of their own into the cookie: nothing but sign-in makes sessions.
            return Err(Stop::SignIn { next: path(parts), note: ENDED });
        }
        if !console.idle.uses(&whoami.key.id, Instant::now()) {
            // It ends whether or not this succeeds: this node does not take it any more.
            let _ended = client.end_session(&whoami.key.id).await;
            return Err(Stop::SignIn { next: path(parts), note: RESTED });
        }
        let done = position_in(query(parts));
        let at_least = done.clone();
        Ok(Self {
            client: client.with(Options { at_least, ..Options::default() }),
            viewer: Viewer::new(whoami.organization.name, &whoami.principal),
            session: whoami.key.id,
            organization: whoami.organization.id,
            place,
            done,
        })
    }
}

impl OptionalFromRequestParts<Arc<Console>> for Visit {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Option<Self>, Stop> {
        Ok(<Self as FromRequestParts<Arc<Console>>>::from_request_parts(parts, console).await.ok())
    }
}

/// Most entries of the caller's own access, or projects, that are looked through.
const LOOKED_AT: u32 = 1000;

const RESTED: &str = "The session had not been used for half an hour, so it was ended. Sign in again.";
const ENDED: &str = "The session has ended. Sign in again.";

fn query(parts: &Parts) -> &str {
    parts.uri.query().unwrap_or_default()
}

/// Where a page is found again.
fn path(parts: &Parts) -> String {
    parts.uri.path_and_query().map_or_else(|| "/console".to_owned(), ToString::to_string)
}

/// `at=POSITION` in a query, if it is shaped like a position.
fn position_in(query: &str) -> Option<String> {
    let given = query.split('&').find_map(|pair| pair.strip_prefix("at="))?;
    let is_plain =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (!given.is_empty() && given.len() <= 64 && is_plain(given)).then(|| given.to_owned())
}

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Ask once more, from here.
    Again(String),
    /// Sign in first.
    SignIn { next: String, note: &'static str },
    /// It failed, and this says why.
    Failed(Box<Failed>),
}

/// A failure, as its page shows it.
#[derive(Debug, Template)]
#[template(path = "failed.html")]
pub(crate) struct Failed {
    frame: Frame,
    status: u16,
    code: String,
    detail: String,
    retry_after: Option<u64>,
}

#[derive(Template)]
#[template(path = "again.html")]
struct Again {
    frame: Frame,
    path: String,
}

impl Stop {
    pub(crate) fn failed(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let title = match status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::FORBIDDEN => "Not permitted",
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "Not now",
            _ => "This did not work",
        };
        let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        Self::Failed(Box::new(Failed {
            frame: Frame { title: title.to_owned(), is_inside: true, ..Frame::default() },
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            retry_after: busy.then_some(1),
        }))
    }

    /// A form that no page of the console sends.
    pub(crate) fn no_form() -> Self {
        let detail = "the form is not one of this console's: open its page and send it again";
        Self::failed(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    pub(crate) fn internal(detail: &str) -> Self {
        tracing::error!(detail, "a page of the console failed");
        Self::failed(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// What the API's refusal means for a page.
    pub(crate) fn of(error: &ClientError) -> Self {
        let status = error.status().and_then(|status| StatusCode::from_u16(status).ok());
        match status {
            Some(StatusCode::UNAUTHORIZED) => Self::SignIn { next: "/console".to_owned(), note: ENDED },
            Some(status) => Self::failed(status, error.code().unwrap_or("unknown"), words(error)),
            None if matches!(error, ClientError::BadId) => {
                Self::failed(StatusCode::NOT_FOUND, "not_found", "there is nothing with this id")
            }
            None => Self::internal(&words(error)),
        }
    }

    /// The same; who has to sign in comes back here.
    fn signing_in(self, next: String) -> Self {
        match self {
            Self::SignIn { note, .. } => Self::SignIn { next, note },
            other @ (Self::Again(_) | Self::Failed(_)) => other,
        }
    }
}

/// A refusal in the words of the API, with the field that it is about.
pub(crate) fn words(error: &ClientError) -> String {
    let ClientError::Problem(problem) = error else { return error.to_string() };
    let detail = without_number(&problem.detail);
    match problem.pointer.as_deref().and_then(member) {
        Some(member) => format!("{member}: {detail}"),
        None => detail.to_owned(),
    }
}

/// A refusal of a batch without the number of the command, which means nothing to the person who filled in the form.
fn without_number(detail: &str) -> &str {
    let rest = detail.strip_prefix("command ").and_then(|rest| rest.split_once(" of the batch: "));
    rest.filter(|(number, _)| number.parse::<usize>().is_ok()).map_or(detail, |(_, rest)| rest)
}

/// The name of the innermost member that a JSON pointer (RFC 6901) leads to, as people read it; nothing if it leads to a whole
/// command of a batch.
fn member(pointer: &str) -> Option<String> {
    let mut names = pointer.split('/').filter(|name| name.parse::<usize>().is_err());
    let name = names.rfind(|name| !name.is_empty())?;
    (!["commands", "body", "path"].contains(&name)).then(|| name.replace('_', " "))
}

/// What a form may have done wrong: shown above it, with what was typed. Everything else is a page of its own.
pub(crate) fn trouble(error: &NameError) -> Result<String, Stop> {
    match error {
        NameError::Client(error) => refusal(error),
        NameError::Unknown { .. } | NameError::Several { .. } | NameError::Malformed(_) => {
            Ok(error.to_string())
        }
    }
}

/// Shown where the id of the form's request was used before, with another body.
pub(crate) const SENT_BEFORE: &str =
    "This form was sent before, and what it made is there. Look for it; send the form again to make another.";

/// The same of a command that the API refused.
pub(crate) fn refusal(error: &ClientError) -> Result<String, Stop> {
    if error.code() == Some("idempotency_mismatch") {
        return Ok(SENT_BEFORE.to_owned());
    }
    match error.status() {
        Some(400 | 403 | 404 | 409 | 413 | 415 | 422 | 429 | 503) => Ok(words(error)),
        Some(_) => Err(Stop::of(error)),
        None if matches!(error, ClientError::BadHeader { .. } | ClientError::BadId) => Ok(error.to_string()),
        None => Err(Stop::of(error)),
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        Self::of(&error)
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::Again(path) => {
                let separator = if path.contains('?') { '&' } else { '?' };
                let path = format!("{path}{separator}once=1");
                let refresh = HeaderValue::try_from(format!("0; url={path}"));
                let page =
                    Again { frame: Frame { title: "One moment".to_owned(), ..Frame::default() }, path };
                let mut response = page_of(&page);
                if let Ok(refresh) = refresh {
                    response.headers_mut().insert(REFRESH, refresh);
                }
                response
            }
            Self::SignIn { next, note } => {
                let query = if note.is_empty() { String::new() } else { "&ended=1".to_owned() };
                let mut response = see(&format!("/console/sign-in?next={}{query}", encoded(&next)));
                for place in [Place::Secure, Place::Loopback] {
                    if !note.is_empty()
                        && let Some(line) = cookie::clear(place)
                    {
                        response.headers_mut().append(SET_COOKIE, line);
                    }
                }
                response
            }
            Self::Failed(failed) => {
                let status = StatusCode::from_u16(failed.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut response = (status, page_of(failed.as_ref())).into_response();
                if let Some(seconds) = failed.retry_after {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                response
            }
        }
    }
}

/// The answer to a form that another site sent.
pub(crate) fn cross_site<E>(_: E) -> Response {
    let detail =
        "this form came from another site, so nothing was done: open the page here and send it again";
    Stop::failed(StatusCode::FORBIDDEN, "cross_site", detail).into_response()
}

/// A page.
pub(crate) fn page_of(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page of the console cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// On to another page, which is asked for by GET (RFC 9110, section 15.4.4).
pub(crate) fn see(path: &str) -> Response {
    let path = if is_ours(path) { path } else { "/console" };
    match HeaderValue::from_str(path) {
        Ok(path) => (StatusCode::SEE_OTHER, [(LOCATION, path)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether a path leads to a page of the console: nobody is sent elsewhere by what a form or a link says.
pub(crate) fn is_ours(path: &str) -> bool {
    let rest = path.strip_prefix("/console");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        && !path.contains(['\\', '\r', '\n'])
}

/// A page with what was done just now.
pub(crate) fn after(path: &str, position: Option<&str>) -> Response {
    let separator = if path.contains('?') { '&' } else { '?' };
    match position {
        Some(position) => see(&format!("{path}{separator}at={position}")),
        None => see(path),
    }
}

/// A text as a value in a query, or as a segment of a path.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A new id of a request.
pub(crate) fn new_request() -> Result<String, Stop> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| Stop::internal("there is no randomness"))?;
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("console-{}", hex.concat()))
}

/// A client for somebody who is about to sign in with a key.
pub(crate) fn client_with(console: &Console, server: &InProcess, key: Secret) -> Client {
    console.clients.in_process(server.clone(), key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for ours in ["/console", "/console/tokens?at=x", "/console?x=1"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in [
            "//evil.example",
            "https://evil.example",
            "/console.evil",
            "/v1/x",
            "/console/\\x",
            "/console/\r\nx",
            "",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_refusal_names_the_field() {
        for (pointer, expected) in [
            ("/name", Some("name")),
            ("/permissions/1", Some("permissions")),
            ("/commands/0/body/expires_at", Some("expires at")),
            ("/commands/3", None),
            ("/commands/3/body", None),
            ("/commands/3/path", None),
            ("", None),
        ] {
            assert_eq!(member(pointer).as_deref(), expected, "{pointer}");
        }
        assert_eq!(without_number("command 12 of the batch: must not be empty"), "must not be empty");
        assert_eq!(without_number("command line"), "command line");
    }

    #[test]
    fn a_status_is_said_of_positions_alone() {
        assert_eq!(position_in("a=b&at=AbC-_9").as_deref(), Some("AbC-_9"));
        for query in ["at=", "at=a%20b", "at=<b>", "xat=1"] {
            assert_eq!(position_in(query), None, "{query}");
        }
    }
}
