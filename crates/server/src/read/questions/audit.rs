//! `GET /v1/audit`: what was decided, by whom, when, why

pub(crate) mod days;

use std::collections::BTreeSet;

use axum::{
    http::{
        HeaderMap, HeaderValue, Uri,
        header::{ACCEPT, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use grantbook_api::questions::audit::{
    AuditEnd, AuditItem, AuditLog, AuditQuery, AuditTotal, End, NDJSON, Order,
};
use grantbook_domain::{
    access::rights::Ask,
    event::kind::EventKind,
    position::Position,
    principal::{Actor, Grantee},
    record::Recorded,
    scope::ObjectRef,
    time::Timestamp,
};
use grantbook_views::{self as views, AuditFilter, AuditPage, AuditRecords};

use crate::{
    http::{
        cursor::Cursor,
        instant::{self, NoInstant},
        problem::Failure,
        query,
        respond::with_position,
    },
    read::context::{
        Permit, ReadContext,
        authz::{Authorizer, Resource},
        paging::{PAGE_BYTES, size},
        streaming::{self, Sink, Streamed},
    },
    schedule::Class,
    wire::{event_names, names, position, reference::grantee, render},
};

/// Most records in a chunk of a stream.
const CHUNK_RECORDS: usize = 500;
/// A chunk of a stream ends with the record that makes it this long, in bytes.
const CHUNK_BYTES: usize = 256 << 10;
/// Most records in memory before they are shown.
const FETCH: usize = 64;

/// A query that was understood.
#[derive(Debug)]
struct Search {
    filter: AuditFilter,
    order: views::Order,
    /// The first and the last position that count.
    within: (Position, Position),
    /// Where the list was begun: what came later is not in it.
    newest: Position,
    /// Names the list for its cursors.
    list: String,
    /// Whether the page ends where the cursor stands, instead of beginning there: it is gathered backwards.
    back: bool,
    /// The place of the last record given.
    after: Option<Position>,
    /// Whether a stream's last line says that it is whole.
    end: bool,
}

/// First byte of a cursor that leads back.
const BACK: u8 = 1;

pub(crate) async fn get(reading: ReadContext, uri: Uri, headers: HeaderMap) -> Response {
    let wants_stream = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| {
        accept
            .split(',')
            .any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(NDJSON)))
    });
    if wants_stream {
        return all(reading, uri).await;
    }
    let answer = reading.respond_blocking(move |reading| {
        let (search, limit) = understand(reading, &uri)?;
        if search.end {
            return Err(Failure::invalid(
                "the parameter end is for streams, with Accept: application/x-ndjson",
            ));
        }
        page(reading, search, limit)
    });
    answer.await
}

/// One page; both its neighbours are found from it.
fn page(reading: &ReadContext, mut search: Search, limit: usize) -> Result<AuditLog, Failure> {
    let begun = search.after;
    let (mut items, mut bytes, mut first) = (Vec::new(), 0, None);
    let permit = permit(reading)?;
    let more = search.each(permit, limit, |recorded| {
        let (item, text) = written(permit, recorded)?;
        first = first.or(Some(recorded.position));
        items.push(item);
        bytes += text.len();
        Ok(bytes < PAGE_BYTES)
    })?;
    // There are records on the side that a cursor came from, and on the other if there is more.
    let (mut prev, mut next) = (first.filter(|_| begun.is_some()), search.after.filter(|_| more));
    if search.back {
        items.reverse();
        (prev, next) = (next, prev);
    }
    let cursor = |place: Option<Position>, back: u8| {
        let after = [&[back][..], &place?.get().to_be_bytes()[..]].concat();
        let cursor = Cursor { at: search.newest, after };
        Some(reading.cursor_text(&search.list, &cursor))
    };
    Ok(AuditLog { items, next: cursor(next, 0), prev: cursor(prev, BACK) })
}

async fn all(reading: ReadContext, uri: Uri) -> Response {
    let position = reading.position_text.clone();
    let begun = reading.on_thread(Class::Questions, move |reading| {
        understand(&reading, &uri).map(|(search, _)| (reading, search))
    });
    let streamed = begun
        .await
        .and_then(|(reading, search)| reading.stream(move |reading, sink| stream_all(reading, search, sink)));
    let answer = streamed.map(|mut response| {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
        response
    });
    with_position(answer.unwrap_or_else(IntoResponse::into_response), &position)
}

/// Sends everything, a chunk a page, until there is no more or nobody listens.
fn stream_all(reading: &ReadContext, mut search: Search, sink: &Sink) -> Result<Streamed, Failure> {
    let permit = permit(reading)?;
    let mut count = 0;
    loop {
        let mut chunk = Vec::new();
        let more = search.each(permit, CHUNK_RECORDS, |recorded| {
            let (_, text) = written(permit, recorded)?;
            count += 1;
            chunk.extend(text);
            chunk.push(b'\n');
            Ok(chunk.len() < CHUNK_BYTES)
        })?;
        if !more && search.end {
            let position = reading.web.position_text(search.newest);
            let last = serde_json::to_vec(&AuditEnd { end: AuditTotal { count, position } });
            chunk.extend(last.unwrap_or_default());
            chunk.push(b'\n');
        }
        if !chunk.is_empty() && !streaming::send_bytes(sink, chunk) {
            return Ok(Streamed::NobodyListens);
        }
        if !more {
            return Ok(Streamed::Whole);
        }
    }
}

impl Search {
    /// Shows the next records, at most `limit`, or until `show` has enough; afterwards `after` is the place of the
    /// last. Answers whether there are more.
    fn each(
        &mut self,
        permit: Permit<'_>,
        limit: usize,
        mut show: impl FnMut(&Recorded) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let (first, last) = self.within;
        let mut left = limit;
        let mut after = self.after.or_else(|| self.before_the_first());
        loop {
            let page = AuditPage { after, order: self.order, limit: FETCH.min(left + 1) };
            let AuditRecords { items, next } =
                permit.rows().audit(permit.reading().org, &self.filter, &page)?;
            for recorded in &items {
                let beyond = match self.order {
                    views::Order::Ascending => recorded.position > last,
                    views::Order::Descending => recorded.position < first,
                };
                if beyond {
                    return Ok(false);
                }
                if left == 0 {
                    return Ok(true);
                }
                left = if show(recorded)? { left - 1 } else { 0 };
                self.after = Some(recorded.position);
            }
            after = next;
            if after.is_none() {
                return Ok(false);
            }
        }
    }

    /// The place just before the first record that counts, in the order asked for.
    fn before_the_first(&self) -> Option<Position> {
        match self.order {
            views::Order::Ascending => self.within.0.get().checked_sub(1).map(Position::from_u64),
            views::Order::Descending => self.within.1.get().checked_add(1).map(Position::from_u64),
        }
    }
}

fn permit(reading: &ReadContext) -> Result<Permit<'_>, Failure> {
    Authorizer::new(reading)?.require(Ask::Audit, &Resource::Whole)
}

fn understand(reading: &ReadContext, uri: &Uri) -> Result<(Search, usize), Failure> {
    let mut query: AuditQuery = query::read(uri)?;
    let _permit = permit(reading)?;
    let limit = size(query.limit.take())?;
    let cursor = query.cursor.take();
    let behind = behind(reading, query.after.take().as_deref())?;
    let list = format!("audit\n{query:?}");
    let cursor = reading.cursor(&list, cursor.as_deref())?;
    let place = cursor.as_ref().and_then(|cursor| cursor.after.split_first());
    let back = place.is_some_and(|(back, _)| *back == BACK);
    let place = place.and_then(|(_, bytes)| bytes.try_into().ok());
    let place = place.map(|bytes| Position::from_u64(u64::from_be_bytes(bytes)));
    let (from, not_before) = bound(reading, "from", query.from.as_deref())?;
    let (to, before) = bound(reading, "to", query.to.as_deref())?;
    let newest = cursor.map_or(reading.position, |cursor| cursor.at);
    let filter = AuditFilter { from: not_before, to: before, ..filter(&query)? };
    let order = match (query.order.unwrap_or_default(), back) {
        (Order::Asc, false) | (Order::Desc, true) => views::Order::Ascending,
        (Order::Desc, false) | (Order::Asc, true) => views::Order::Descending,
    };
    let within = (from.unwrap_or(Position::START), to.unwrap_or(newest).min(newest));
    let end = query.end == Some(End::Line);
    let mut search = Search { filter, order, within, newest, list, back, after: place.or(behind), end };
    let first = search.before_the_first();
    search.after = match order {
        views::Order::Ascending => search.after.max(search.after.and(first)),
        views::Order::Descending => search.after.min(search.after.and(first).or(search.after)),
    };
    Ok((search, limit))
}

/// The position behind which a list goes on.
fn behind(reading: &ReadContext, text: Option<&str>) -> Result<Option<Position>, Failure> {
    let read = |text| position::decode(reading.web.app.installation, text);
    let wrong = |error| Failure::invalid(format!("the parameter after: {error}"));
    text.map(|text| read(text).map_err(wrong)).transpose()
}

/// A bound is a time or a position.
fn bound(
    reading: &ReadContext,
    name: &str,
    text: Option<&str>,
) -> Result<(Option<Position>, Option<Timestamp>), Failure> {
    let Some(text) = text else { return Ok((None, None)) };
    match instant::parse(text) {
        Ok(at) => return Ok((None, Some(at))),
        Err(NoInstant::Malformed) => {}
        Err(wrong) => return Err(Failure::invalid(format!("the parameter {name} {}", wrong.detail()))),
    }
    let position = position::decode(reading.web.app.installation, text).map_err(|error| {
        Failure::invalid(format!("the parameter {name} is neither a time nor a position ({error})"))
    })?;
    Ok((Some(position), None))
}

/// An actor that a parameter names.
pub(crate) fn actor(parameter: &str, text: &str) -> Result<Actor, Failure> {
    let named = || text.split_once(':').and_then(|(kind, id)| grantee(kind, id));
    let found = match text {
        "system" => Some(Actor::System),
        "operator" => Some(Actor::Operator),
        _ => named().and_then(Grantee::principal).map(Actor::from),
    };
    let wrong = || format!("the parameter {parameter} must be user:ID, token:ID, system or operator");
    found.ok_or_else(|| Failure::invalid(wrong()))
}

fn filter(query: &AuditQuery) -> Result<AuditFilter, Failure> {
    let wrong = |name: &str, form: &str| Failure::invalid(format!("the parameter {name} must be {form}"));
    let named = |text: &str| text.split_once(':').and_then(|(kind, id)| grantee(kind, id));
    let principal = |text: &String| {
        named(text).and_then(Grantee::principal).ok_or_else(|| wrong("principal", "user:ID or token:ID"))
    };
    let object = |text: &String| -> Result<ObjectRef, Failure> {
        let (object_type, id) = text.split_once(':').ok_or_else(|| wrong("object", "type:id"))?;
        Ok(ObjectRef::new(object_type, id))
    };
    let home = query.object_project.as_ref();
    if home.is_some() && query.object.is_none() {
        return Err(wrong("object_project", "given together with object"));
    }
    let id = |name: &'static str| move |_| wrong(name, "an id");
    // Each name once: every one is looked for at every step.
    let events: BTreeSet<EventKind> =
        query.event.as_deref().map(event_names::of_records).transpose()?.unwrap_or_default();
    Ok(AuditFilter {
        actor: query.actor.as_deref().map(|text| actor("actor", text)).transpose()?,
        credential: query
            .credential
            .as_ref()
            .map(|text| text.parse().map_err(id("credential")))
            .transpose()?,
        principal: query.principal.as_ref().map(principal).transpose()?,
        group: query.group.as_ref().map(|text| text.parse().map_err(id("group"))).transpose()?,
        project: query.project.as_ref().map(|text| text.parse().map_err(id("project"))).transpose()?,
        object: match (query.object.as_ref().map(object).transpose()?, home) {
            (Some(object), Some(text)) => {
                Some(object.within(Some(text.parse().map_err(id("object_project"))?)))
            }
            (object, _) => object,
        },
        events: events.into_iter().collect(),
        from: None,
        to: None,
    })
}

/// An item with its text, which says how long it is.
fn written(permit: Permit<'_>, recorded: &Recorded) -> Result<(AuditItem, Vec<u8>), Failure> {
    let item = item(permit, recorded)?;
    let text = serde_json::to_vec(&item).map_err(|error| Failure::internal(&error))?;
    Ok((item, text))
}

fn item(permit: Permit<'_>, recorded: &Recorded) -> Result<AuditItem, Failure> {
    let record = &recorded.record;
    Ok(AuditItem {
        position: permit.reading().web.position_text(recorded.position),
        at: record.at.to_string(),
        actor: permit.named_actor(record.actor)?,
        credential: record.credential.map(|id| id.to_string()),
        source_ip: record.source_ip.as_ref().map(names::clear),
        request_id: record.request_id.clone(),
        reason: record.reason.clone(),
        events: record.events.iter().map(render::event).collect(),
    })
}
