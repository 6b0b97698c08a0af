//! `GET /v1/grants/history`: what was ever granted, and what of it still holds

use axum::{http::Uri, response::Response};
use grantbook_api::{
    nouns::grants::Grant,
    questions::{
        audit::Order,
        explain::RecordRef,
        grant_history::{GrantHistoryQuery, GrantState, GrantedItem, Reach},
    },
    words::list::Page,
};
use grantbook_domain::{
    access::rights::Ask,
    event::{Event, kind::EventKind},
    model::{self, Gives},
    position::Position,
    record::Record,
};
use grantbook_views::{self as views, Granted, GrantedFilter, GrantedPage, GrantedPlace};

use crate::{
    http::{cursor::Cursor, problem::Failure, query},
    read::{
        context::{
            Permit, ReadContext,
            authz::{Authorizer, Resource},
            paging::{PageRoom, size},
        },
        questions::{audit, scope_words},
    },
    wire::{names, reference::grantee, render},
};

pub(crate) async fn get(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let mut query: GrantHistoryQuery = query::read(&uri)?;
        let mut authorizer = Authorizer::new(reading)?;
        let permit = authorizer.require(Ask::GrantHistory, &Resource::Whole)?;
        let limit = size(query.limit.take())?;
        let cursor = query.cursor.take();
        let list = format!("grant-history\n{query:?}");
        let cursor = reading.cursor(&list, cursor.as_deref())?;
        let at = cursor.as_ref().map_or(reading.position, |cursor| cursor.at);
        let page = GrantedPage {
            after: cursor.as_ref().and_then(|cursor| place(&cursor.after)),
            order: match query.order.unwrap_or_default() {
                Order::Asc => views::Order::Ascending,
                Order::Desc => views::Order::Descending,
            },
            limit,
        };
        let snapshot = permit.rows().as_of(at);
        let (found, more) = snapshot.granted(reading.org, &filter(&query)?, &page, reading.at())?;
        let (mut room, mut items) = (PageRoom::of(limit), Vec::new());
        for one in &found {
            let item = item(&mut authorizer, permit, one)?;
            if !room.takes(&item)? {
                break;
            }
            items.push(item);
        }
        let more = more || items.len() < found.len();
        let end = items.len().checked_sub(1).and_then(|last| found.get(last)).filter(|_| more);
        let next = end.map(|one| reading.cursor_text(&list, &Cursor { at, after: bytes(one.place) }));
        Ok(Page { items, next })
    });
    answer.await
}

fn filter(query: &GrantHistoryQuery) -> Result<GrantedFilter, Failure> {
    let wrong = |name: &str, form: &str| Failure::invalid(format!("the parameter {name} must be {form}"));
    let to = |text: &str| {
        let found = text.split_once(':').and_then(|(kind, id)| grantee(kind, id));
        found.ok_or_else(|| wrong("to", "user:ID, token:ID or group:ID"))
    };
    let project = query.project.as_deref().map(|text| text.parse().map_err(|_| wrong("project", "an id")));
    Ok(GrantedFilter {
        by: query.by.as_deref().map(|text| audit::actor("by", text)).transpose()?,
        to: query.to.as_deref().map(to).transpose()?,
        project: project.transpose()?,
    })
}

/// A place in the words of a cursor: the position, and how many events come before.
fn bytes((position, index): GrantedPlace) -> Vec<u8> {
    [&position.get().to_be_bytes()[..], &index.to_be_bytes()[..]].concat()
}

fn place(bytes: &[u8]) -> Option<GrantedPlace> {
    let (position, index) = bytes.split_first_chunk()?;
    Some((Position::from_u64(u64::from_be_bytes(*position)), u32::from_be_bytes(index.try_into().ok()?)))
}

fn item(authorizer: &mut Authorizer<'_>, permit: Permit<'_>, one: &Granted) -> Result<GrantedItem, Failure> {
    let Granted { given, grant, .. } = one;
    let role = match grant.gives {
        Gives::Role(id) => Some(authorizer.role(id)?),
        Gives::Permissions(_) => None,
    };
    let ended = match one.ended {
        Some(position) => {
            permit.rows().record(permit.reading().org, position)?.map(|record| (position, record))
        }
        None => None,
    };
    let ended = ended.map(|(position, record)| {
        let event = record.events.iter().find(|event| ends(event, grant)).or(record.events.first());
        reference(permit, (position, &record), event.map(Event::kind), "")
    });
    Ok(GrantedItem {
        grant: Grant { to: authorizer.grantee(grant.to)?, ..render::grant(grant) },
        role,
        scope: scope_words::words(authorizer, &grant.on)?,
        given: reference(permit, (given.position, &given.record), Some(EventKind::GrantCreated), "/grant")?,
        source_ip: given.record.source_ip.as_ref().map(names::clear),
        reach: one.reach.map(|reach| match reach {
            views::Reach::Project => Reach::Project,
            views::Reach::Below => Reach::Below,
        }),
        state: match one.state {
            views::GrantState::Revoked => GrantState::Revoked,
            views::GrantState::GranteeEnded => GrantState::GranteeEnded,
            views::GrantState::ObjectEnded => GrantState::ObjectEnded,
            views::GrantState::Expired => GrantState::Expired,
            views::GrantState::InForce => GrantState::InForce,
        },
        holds: one.holds,
        ended: ended.transpose()?,
    })
}

/// A record as in the audit log: the caller may read that, and so sees all of it.
fn reference(
    permit: Permit<'_>,
    (position, record): (Position, &Record),
    event: Option<EventKind>,
    about: &str,
) -> Result<RecordRef, Failure> {
    Ok(RecordRef {
        position: permit.reading().web.position_text(position),
        event: event.map(EventKind::name).unwrap_or_default().to_owned(),
        about: about.to_owned(),
        actor: permit.named_actor(record.actor)?,
        credential: record.credential.map(|id| id.to_string()),
        at: record.at.to_string(),
        reason: record.reason.clone(),
    })
}

/// Whether this is how a grant came to its end.
fn ends(event: &Event, grant: &model::Grant) -> bool {
    if let Event::GrantRevoked { grant: ended } = event {
        return ended.id == grant.id;
    }
    matches!(
        event.kind(),
        EventKind::UserDeactivated
            | EventKind::TokenDeleted
            | EventKind::GroupDeleted
            | EventKind::RoleDeleted
            | EventKind::ProjectDeleted
            | EventKind::ObjectRemoved
    )
}
