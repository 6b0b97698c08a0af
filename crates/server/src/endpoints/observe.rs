//! What happens to every request: its id, its log line, its count, and the writing out of failures.

use std::{cell::Cell, net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{
        HeaderMap, HeaderValue, Method,
        header::{CACHE_CONTROL, HeaderName},
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use grantbook_api::words::header;

use crate::{
    endpoints,
    http::{client_address::ClientAddress, head, problem::Failure},
    state::{
        Web,
        authn::{IDENTITY, RequestIdentity},
        security::{Aim, Event, Known, LoggedElsewhere, Named},
    },
    write::forwarded::RequestId,
};

/// Most requests under way at once; more are told to come again.
const IN_FLIGHT_MAX: usize = 8192;
/// How many more that end something: taking access away has places of its own.
const ENDING_MAX: usize = 512;
/// Longest request id of a caller's own.
const REQUEST_ID_MAX: usize = 128;

/// The outermost layer.
pub(crate) async fn observe(State(web): State<Arc<Web>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&web, request.headers());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    // A path that matched no route may hold anything: only templates are logged.
    let template = request.extensions().get::<MatchedPath>().cloned();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let client = peer.map(|peer| web.app.proxies.client(peer.ip(), request.headers()));
    if let Some(client) = client {
        request.extensions_mut().insert(ClientAddress(client));
    }
    request.extensions_mut().insert(RequestId(id.clone()));
    // A peer that is the client is named once.
    let client = client.filter(|client| peer.is_none_or(|peer| peer.ip().to_canonical() != *client));
    let answering = async {
        let places = if method == Method::DELETE { IN_FLIGHT_MAX + ENDING_MAX } else { IN_FLIGHT_MAX };
        let response = match (web.metrics.enter(places), head::judge(&mut request)) {
            (Some(_), Err(failure)) => failure.into_response(),
            (Some(_entered), Ok(())) => next.run(request).await,
            (None, _) => Failure::overloaded().into_answer(&id),
        };
        (response, IDENTITY.with(Cell::get))
    };
    let (mut response, asker) = IDENTITY.scope(Cell::new(RequestIdentity::default()), answering).await;
    let Refusal { code, pointer, aim } = written_out(&mut response, &id);
    let status = response.status().as_u16();
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(stale) = asker.stale
        && let Ok(value) = HeaderValue::from_str(&stale.to_string())
    {
        headers.insert(HeaderName::from_static(header::STALE), value);
        web.metrics.answered_stale();
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static(header::REQUEST_ID), value);
    }
    web.metrics.response(status);
    let event = Event {
        request_id: &id,
        method: &method,
        is_question: endpoints::is_question(&method, template.as_ref().map_or("-", MatchedPath::as_str)),
        template: template.as_ref().map_or("-", MatchedPath::as_str),
        uri: &uri,
        status,
        code,
        pointer: pointer.as_deref(),
        aim: aim.as_ref(),
        asker,
        peer,
        client,
    };
    // The command service has written the line, if there is one.
    if response.extensions_mut().remove::<LoggedElsewhere>().is_none() {
        web.security.note(&event);
    }
    log(&event, started);
    response
}

/// The layer around operations that a page asks for in this process: failures are written out, and what is of interest is
/// noted, as if they had come from outside.
pub(crate) async fn within(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(|RequestId(id)| id.clone()).unwrap_or_default();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let template = request.extensions().get::<MatchedPath>().cloned();
    let client = request.extensions().get::<ClientAddress>().map(|ClientAddress(client)| *client);
    let mut response = next.run(request).await;
    let Refusal { code, pointer, aim } = written_out(&mut response, &id);
    let template = template.as_ref().map_or("-", MatchedPath::as_str);
    let event = Event {
        request_id: &id,
        method: &method,
        is_question: endpoints::is_question(&method, template),
        template,
        uri: &uri,
        status: response.status().as_u16(),
        code,
        pointer: pointer.as_deref(),
        aim: aim.as_ref(),
        asker: IDENTITY.try_with(Cell::get).unwrap_or_default(),
        peer: None,
        client,
    };
    if response.extensions_mut().remove::<LoggedElsewhere>().is_none() {
        web.security.note(&event);
    }
    response
}

/// What the log says of a failure.
struct Refusal {
    code: Option<&'static str>,
    pointer: Option<String>,
    aim: Option<Aim>,
}

/// Writes a failure out as the body of its answer.
fn written_out(response: &mut Response, id: &str) -> Refusal {
    let aim = response.extensions_mut().remove::<Aim>();
    let Some(failure) = response.extensions_mut().remove::<Failure>() else {
        return Refusal { code: None, pointer: None, aim };
    };
    let (code, pointer) = (Some(failure.code()), failure.pointer().map(str::to_owned));
    *response = merged(response, head::answer(failure, id));
    Refusal { code, pointer, aim }
}

/// What is told of a failure, with the headers that the route set (position, `Allow`).
fn merged(empty: &Response, mut told: Response) -> Response {
    for (name, value) in empty.headers() {
        if !told.headers().contains_key(name) && name != axum::http::header::CONTENT_LENGTH {
            told.headers_mut().insert(name.clone(), value.clone());
        }
    }
    told
}

/// Answers to questions are logged at debug level, writes and refusals at info, our own failures at warn.
fn log(event: &Event<'_>, started: Instant) {
    let Event { request_id: id, template: path, status, asker, client, .. } = event;
    let (method, code) = (event.method.as_str(), event.code.unwrap_or("-"));
    let duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let (principal, key) = (Known(asker.principal.map(Named)), Known(asker.key));
    let (peer, client) = (Known(event.peer), client.map(tracing::field::display));
    // A transfer coding that is not understood (501) is no failure of ours.
    match *status {
        500 | 502.. => tracing::warn!(
            request.id = id, method, path, status, code, %principal, %key, %peer, client, duration_us, "request failed"
        ),
        400.. => tracing::info!(
            request.id = id, method, path, status, code, %principal, %key, %peer, client, duration_us, "request refused"
        ),
        // Who reads the audit log is of interest in itself.
        _ if event.is_question && *path != "/v1/audit" => {
            tracing::debug!(
                request.id = id, method, path, status, %principal, %key, %peer, client, duration_us, "request answered"
            );
        }
        _ => tracing::info!(
            request.id = id, method, path, status, %principal, %key, %peer, client, duration_us, "request answered"
        ),
    }
}

/// The caller's own id of the request if it is fit to be repeated and logged, else a new one.
fn request_id(web: &Web, headers: &HeaderMap) -> String {
    let sent = headers.get(header::REQUEST_ID).and_then(|value| value.to_str().ok());
    match sent {
        Some(text) if is_fit(text) => text.to_owned(),
        _ => web.app.ids.request_id(),
    }
}

fn is_fit(text: &str) -> bool {
    let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let secret = text.contains("gb_st_") || text.contains("gb_pk_");
    !text.is_empty() && text.len() <= REQUEST_ID_MAX && printable && !secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_repeated_only_if_it_is_fit_for_a_log() {
        assert!(is_fit("build 17/a"));
        let long = "x".repeat(129);
        for text in ["", "a\tb", "caf\u{e9}", "gb_st_abc", long.as_str()] {
            assert!(!is_fit(text), "{text}");
        }
    }
}
