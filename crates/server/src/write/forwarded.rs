//! What a read node does with operations of the command side: it passes them on, if it has a command URL.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::Extensions,
    response::{IntoResponse as _, Response},
};
use grantbook_api::words::header;
use grantbook_command::SubmitError;

use crate::{
    forward::{Forwarder, Outgoing, Undelivered},
    http::{body, client_address::ClientAddress, problem::Failure},
    state::{Web, authn, security::LoggedElsewhere},
    wire::position,
};

/// What an operation does, and so what a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It may have written.
    Writes,
    /// It has changed nothing, whatever became of it.
    Asks,
}

/// The id of a request, which both processes log: an extension of the request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Where a request comes from and its id, for others that are made on its behalf in this process.
pub(crate) fn origin(extensions: &Extensions) -> Extensions {
    let mut origin = Extensions::new();
    if let Some(client) = extensions.get::<ClientAddress>() {
        origin.insert(*client);
    }
    if let Some(id) = extensions.get::<RequestId>() {
        origin.insert(id.clone());
    }
    origin
}

/// Passes the request on, with the caller's own key, and hands the answer back.
pub(crate) async fn forward(web: Arc<Web>, request: Request, effect: Effect) -> Response {
    let passed_on = match &web.app.forwarder {
        Some(forwarder) => pass_on(&web, forwarder, request, effect).await,
        None => web.commands().map(|_| Failure::no_route().into_response()),
    };
    passed_on.unwrap_or_else(Failure::into_response)
}

async fn pass_on(
    web: &Web,
    forwarder: &Forwarder,
    request: Request,
    effect: Effect,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    if parts.headers.contains_key(header::FORWARDED) {
        return Err(Failure::forwarding_loop());
    }
    // What is no key is refused here. The rest is judged by the command service, which may know newer keys.
    let key = authn::presented(web, &parts.headers)?;
    let org = authn::note_if_known(web, &key);
    let place = forwarder.enter(&parts.method).ok_or_else(Failure::overloaded)?;
    let body = body::collect(&parts.headers, body).await?;
    let id = parts.extensions.get::<RequestId>().map(|RequestId(id)| id.clone()).unwrap_or_default();
    let outgoing = Outgoing {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        request_id: &id,
        client: parts.extensions.get::<ClientAddress>().map(|ClientAddress(client)| *client),
        body,
    };
    let mut response = forwarder.send(outgoing, place).await.map_err(|why| failure(why, effect))?;
    response.extensions_mut().insert(LoggedElsewhere);
    // Later reads here see what the command service had decided by then, the caller's own write included.
    let told = response.headers().get(header::POSITION).and_then(|value| value.to_str().ok());
    if let Some(position) = told.and_then(|text| position::decode(web.app.installation, text).ok()) {
        forwarder.note(org.or_else(|| authn::note_if_known(web, &key)), position, web.node()?.sequence());
    }
    Ok(response)
}

fn failure(why: Undelivered, effect: Effect) -> Failure {
    match (why, effect) {
        (Undelivered::Unknown, Effect::Writes) => SubmitError::OutcomeUnknown.into(),
        (Undelivered::NotSent, Effect::Writes | Effect::Asks) | (Undelivered::Unknown, Effect::Asks) => {
            Failure::command_unreachable()
        }
        (Undelivered::Unsendable, Effect::Writes | Effect::Asks) => Failure::invalid(
            "a segment of the path is . or ..: a read node cannot pass it on, ask the command service itself",
        ),
    }
}
