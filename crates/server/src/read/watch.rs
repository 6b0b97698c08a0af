//! `GET /v1/watch`: records and changes of access as they come

mod send;
mod watcher;

use axum::{
    http::{
        HeaderMap, HeaderValue, Uri,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use grantbook_api::questions::watch::{EVENT_STREAM, START, WatchKind, WatchQuery};
use grantbook_domain::{access::rights::Ask, id::ProjectId, position::Position};
use grantbook_views::Work;

use self::{send::send_all, watcher::Watcher};
use crate::{
    http::{problem::Failure, query, respond::with_position, stream},
    read::{
        context::{
            Named, ReadContext,
            authz::{Authorizer, Resource},
            streaming::too_many,
        },
        questions::access::known,
    },
    schedule::cancel::CancelOnDrop,
    subscribe::feed::{Filter, Kinds, Place},
    wire::{event_names, position::PositionError},
};

/// The header with which a stream goes on.
const LAST_EVENT_ID: &str = "last-event-id";

pub(crate) async fn get(reading: ReadContext, uri: Uri, headers: HeaderMap) -> Response {
    let position = reading.position_text.clone();
    match begin(reading, &uri, &headers).await {
        Ok(response) => response,
        Err(failure) => with_position(failure.into_response(), &position),
    }
}

async fn begin(reading: ReadContext, uri: &Uri, headers: &HeaderMap) -> Result<Response, Failure> {
    let query: WatchQuery = query::read(uri)?;
    let headers = headers.clone();
    let understood = reading.understood(move |reading| async move {
        let filter = filter(&reading, &query)?;
        let place = place(&reading, &query, &headers)?;
        let reading = reading.reaching(Named::Position(place.position)).await?;
        Ok((reading, (filter, place)))
    });
    let (reading, (filter, place)) = understood.await?;
    if place.position > reading.position {
        return Err(Failure::invalid("the position to go on from is beyond the last record"));
    }
    let work = Work::unlimited();
    let slot = reading.web.watchers.enter(reading.party(), &work).map_err(too_many)?;
    let position = reading.position_text.clone();
    let (sink, body) = stream::body_of(1, CancelOnDrop::of(work));
    let watcher = Watcher::new(&reading, filter, (place, slot));
    tokio::spawn(async move { send_all(watcher, &sink).await });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // For proxies that would hold messages back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(with_position(response, &position))
}

/// What the caller wants, if he may.
fn filter(reading: &ReadContext, query: &WatchQuery) -> Result<Filter, Failure> {
    let mut authorizer = Authorizer::new(reading)?;
    let permit = authorizer.require(Ask::Watch, &Resource::Whole)?;
    let kinds = match query.kind {
        None => Kinds::Both,
        Some(WatchKind::Record) => Kinds::Records,
        Some(WatchKind::Change) => Kinds::Changes,
    };
    let events = query.event.as_deref().map(event_names::of_messages).transpose()?.unwrap_or_default();
    if kinds != Kinds::Records && query.principal.is_some() {
        let _permit = authorizer.require(Ask::Timeline, &Resource::Whole)?;
    }
    let principal = query.principal.as_deref().map(|text| known(permit, text)).transpose()?;
    let project = query.project.as_deref().map(|text| project(&mut authorizer, text)).transpose()?;
    let filter = Filter { kinds, events, principal, project };
    for (ask, thing) in asked(&filter) {
        let _permit = authorizer.require(ask, &thing)?;
    }
    Ok(filter)
}

/// What a watch of changes needs besides the audit log: to see the access that the filter names.
fn asked(filter: &Filter) -> Vec<(Ask, Resource<'static>)> {
    let mut asked = Vec::new();
    if filter.wants_changes() {
        asked.extend(filter.project.map(|id| (Ask::ProjectTimeline, Resource::Project(id))));
        if filter.principal.is_some() || filter.project.is_none() {
            asked.push((Ask::Timeline, Resource::Whole));
        }
    }
    asked
}

/// The project, living or ended, if the caller may see it.
fn project(authorizer: &mut Authorizer<'_>, text: &str) -> Result<ProjectId, Failure> {
    let id: ProjectId = text.parse().map_err(|_| Failure::invalid("the parameter project must be an id"))?;
    let _permit = authorizer.project_seen(id)?;
    Ok(id)
}

/// Where to go on.
fn place(reading: &ReadContext, query: &WatchQuery, headers: &HeaderMap) -> Result<Place, Failure> {
    let read = |name: &str, text: &str| {
        Place::parse(reading.web.app.installation, text).map_err(|error| {
            let wrong = match error {
                PositionError::Malformed => "is not the id of a message",
                PositionError::Foreign => "is of another journal, or of this one before it was restored",
            };
            Failure::invalid(format!("{name} {wrong}"))
        })
    };
    if let Some(last) = headers.get(LAST_EVENT_ID).filter(|last| !last.is_empty()) {
        return read("Last-Event-ID", last.to_str().unwrap_or("?"));
    }
    match query.from.as_deref() {
        None => Ok(Place::behind(reading.position)),
        Some(START) => Ok(Place::behind(Position::START)),
        Some(text) => read("the parameter from", text),
    }
}
