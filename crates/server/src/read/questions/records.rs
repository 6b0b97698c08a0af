//! The records behind an answer: who, when, why.

use std::{collections::HashMap, rc::Rc};

use grantbook_api::questions::explain::RecordRef;
use grantbook_domain::{
    access::{check::Reason, rights::Ask},
    event::{Event, kind::EventKind},
    id::{GroupId, KeyId, ProjectId, RoleId},
    model::{Grant, Key, Token},
    position::Position,
    principal::{Grantee, Principal},
    record::{Record, Recorded},
};
use grantbook_views::{AuditFilter, AuditPage, Order};

use crate::{
    http::problem::Failure,
    read::context::{
        Permit,
        authz::{Authorizer, Resource},
    },
};

/// Most records looked through for the one that ended something.
const SEARCH_MAX: usize = 1000;

/// Most events held in memory for one answer.
const EVENTS_MAX: usize = 20_000;

/// What a record is wanted for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'a> {
    /// A grant.
    Grant(&'a Grant),
    /// A membership.
    Member(Grantee, GroupId),
    /// A role.
    Role(RoleId),
    /// A project.
    Project(ProjectId),
    /// A principal or a key of it.
    Person(Principal),
}

/// Records read for one answer, each parsed once: many memberships may come from one record of a batch.
#[derive(Debug, Default)]
pub(crate) struct RecordCache {
    known: HashMap<Position, Option<Rc<Record>>>,
    /// How many events are held.
    events: usize,
}

impl RecordCache {
    /// The record at `position`, with the event in it that matters; none if the view has no such record. Its reason is
    /// told to those who see the thing that it is wanted for.
    pub(crate) fn at(
        &mut self,
        authorizer: &mut Authorizer<'_>,
        permit: Permit<'_>,
        (position, of): (Position, Of<'_>),
        about: String,
    ) -> Result<Option<RecordRef>, Failure> {
        let Some(record) = self.read(permit, position)? else { return Ok(None) };
        let event = record.events.iter().find(|event| concerns(event, of)).or(record.events.first());
        let event = event.map(Event::kind);
        reference(authorizer, (position, &record), event, of, about).map(Some)
    }

    fn read(&mut self, permit: Permit<'_>, position: Position) -> Result<Option<Rc<Record>>, Failure> {
        if let Some(known) = self.known.get(&position) {
            return Ok(known.clone());
        }
        let record = permit.rows().record(permit.reading().org, position)?.map(Rc::new);
        let events = record.as_ref().map_or(0, |record| record.events.len());
        if self.events + events > EVENTS_MAX {
            self.known.clear();
            self.events = 0;
        }
        self.events += events;
        self.known.insert(position, record.clone());
        Ok(record)
    }
}

/// The same for one record alone.
pub(crate) fn at(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    wanted: (Position, Of<'_>),
    about: String,
) -> Result<Option<RecordRef>, Failure> {
    RecordCache::default().at(authorizer, permit, wanted, about)
}

/// The record behind a denial that is not for want of a grant: of the end, of the notice that a time has passed, or
/// that which set the time or the narrowing.
pub(crate) fn of_denial(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    reason: Reason,
    (principal, key): (Option<Principal>, Option<KeyId>),
) -> Result<Option<RecordRef>, Failure> {
    let key: Option<Key> = match key {
        Some(id) => permit.rows().get(permit.reading().org, &id)?,
        None => None,
    };
    let (who, found) = match (reason, principal, key) {
        (Reason::KeyRevoked, _, Some(key)) => (key.principal, of_revocation(permit, &key)?),
        (Reason::KeyExpired, _, Some(key)) => (key.principal, of_key_expiry(permit, &key)?),
        (Reason::KeyNarrowed, _, Some(key)) => (key.principal, of_narrowing(permit, key)?),
        (Reason::InactivePrincipal, Some(who), _) => (who, of_end(permit, who)?),
        _ => return Ok(None),
    };
    let Some(Found { recorded: Recorded { position, record, .. }, event }) = found else { return Ok(None) };
    reference(authorizer, (position, &record), event, Of::Person(who), String::new()).map(Some)
}

/// A record and the event in it that matters.
struct Found {
    recorded: Recorded,
    event: Option<EventKind>,
}

fn of_revocation(permit: Permit<'_>, key: &Key) -> Result<Option<Found>, Failure> {
    let ended = |event: &Event| matches!(event, Event::KeyRevoked { key: ended } if ended.id == key.id);
    last(permit, key.principal, EventKind::KeyRevoked, ended)
}

fn of_key_expiry(permit: Permit<'_>, key: &Key) -> Result<Option<Found>, Failure> {
    let until = key.expires_at;
    let noted = |event: &Event| matches!(event, Event::KeyExpired { key: noted } if noted.id == key.id && noted.expires_at == until);
    if let Some(found) = last(permit, key.principal, EventKind::KeyExpired, noted)? {
        return Ok(Some(found));
    }
    let set = |event: &Event| {
        let old = if let Event::KeyRotated { old, .. } = event { Some(old.as_ref()) } else { None };
        let (Event::KeyIssued { key: made } | Event::KeyRotated { key: made, .. }) = event else {
            return None;
        };
        let ours = [old, Some(made)].into_iter().flatten().find(|one| one.id == key.id);
        ours.map(|one| one.expires_at)
    };
    setter(permit, key.principal, [EventKind::KeyRotated, EventKind::KeyIssued], |event| {
        set(event).map(|at| at == until)
    })
}

/// A rotation hands the narrowing on: it was decided when the first key of the line was issued.
fn of_narrowing(permit: Permit<'_>, mut key: Key) -> Result<Option<Found>, Failure> {
    for _ in 0..SEARCH_MAX {
        let Some(id) = key.replaces else { break };
        let Some(before) = permit.rows().get::<Key>(permit.reading().org, &id)? else { break };
        key = before;
    }
    let issued = |event: &Event| matches!(event, Event::KeyIssued { key: made } if made.id == key.id);
    last(permit, key.principal, EventKind::KeyIssued, issued)
}

/// What ended a principal: somebody, or the time that it was given.
fn of_end(permit: Permit<'_>, who: Principal) -> Result<Option<Found>, Failure> {
    let id = match who {
        Principal::User(id) => {
            let ended = |event: &Event| matches!(event, Event::UserDeactivated { user } if user.id == id);
            return last(permit, who, EventKind::UserDeactivated, ended);
        }
        Principal::Token(id) => id,
    };
    let ended = |event: &Event| matches!(event, Event::TokenDeleted { token } if token.id == id);
    if let Some(found) = last(permit, who, EventKind::TokenDeleted, ended)? {
        return Ok(Some(found));
    }
    let Some(token) = permit.rows().get::<Token>(permit.reading().org, &id)? else { return Ok(None) };
    let until = token.expires_at;
    let noted = |event: &Event| matches!(event, Event::TokenExpired { token } if token.id == id && token.expires_at == until);
    if let Some(found) = last(permit, who, EventKind::TokenExpired, noted)? {
        return Ok(Some(found));
    }
    setter(permit, who, [EventKind::TokenUpdated, EventKind::TokenCreated], |event| {
        let (Event::TokenCreated { token } | Event::TokenUpdated { token }) = event else { return None };
        (token.id == id).then_some(token.expires_at == until)
    })
}

/// The last record with an event of this kind that is wanted.
fn last(
    permit: Permit<'_>,
    who: Principal,
    event: EventKind,
    wanted: impl Fn(&Event) -> bool,
) -> Result<Option<Found>, Failure> {
    let records = latest(permit, who, event)?;
    let found = records.into_iter().find(|recorded| recorded.record.events.iter().any(&wanted));
    Ok(found.map(|recorded| Found { recorded, event: Some(event) }))
}

/// The record since which something is as it is: of the events that `holds` knows about, the first of those without a
/// break up to now for which it says yes. Events of the first kind come after those of the second.
fn setter(
    permit: Permit<'_>,
    who: Principal,
    events: [EventKind; 2],
    holds: impl Fn(&Event) -> Option<bool>,
) -> Result<Option<Found>, Failure> {
    let mut since = None;
    for event in events {
        for recorded in latest(permit, who, event)? {
            let ours = |one: &&Event| one.kind() == event;
            match recorded.record.events.iter().rev().filter(ours).find_map(&holds) {
                Some(true) => since = Some(Found { recorded, event: Some(event) }),
                Some(false) => return Ok(since),
                None => {}
            }
        }
    }
    Ok(since)
}

/// The newest records about a principal that hold an event of this kind, newest first.
fn latest(permit: Permit<'_>, who: Principal, event: EventKind) -> Result<Vec<Recorded>, Failure> {
    let filter = AuditFilter { principal: Some(who), events: vec![event], ..AuditFilter::default() };
    let page = AuditPage { after: None, order: Order::Descending, limit: SEARCH_MAX };
    Ok(permit.rows().audit(permit.reading().org, &filter, &page)?.items)
}

fn reference(
    authorizer: &mut Authorizer<'_>,
    (position, record): (Position, &Record),
    event: Option<EventKind>,
    of: Of<'_>,
    about: String,
) -> Result<RecordRef, Failure> {
    let seen = match of {
        Of::Grant(grant) => authorizer.may(Ask::Grant, &Resource::Grant(grant))?,
        Of::Member(_, group) => authorizer.may(Ask::Group, &Resource::Group(group))?,
        Of::Role(id) => authorizer.may(Ask::Role, &Resource::Role(id))?,
        Of::Project(id) => authorizer.may(Ask::Project, &Resource::Project(id))?,
        Of::Person(who) => authorizer.may(Ask::Members, &Resource::Person(who))?,
    };
    Ok(RecordRef {
        position: authorizer.reading().web.position_text(position),
        event: event.map(EventKind::name).unwrap_or_default().to_owned(),
        about,
        actor: authorizer.actor(record.actor)?,
        credential: record.credential.map(|id| id.to_string()),
        at: record.at.to_string(),
        reason: record.reason.clone().filter(|_| seen),
    })
}

fn concerns(event: &Event, of: Of<'_>) -> bool {
    match (event, of) {
        (Event::GrantCreated { grant }, Of::Grant(wanted)) => grant.id == wanted.id,
        (Event::MemberAdded { membership }, Of::Member(member, group)) => {
            membership.member == member && membership.group == group
        }
        (Event::RoleCreated { role } | Event::RoleUpdated { role }, Of::Role(id)) => role.id == id,
        (Event::ProjectCreated { project } | Event::ProjectUpdated { project }, Of::Project(id)) => {
            project.id == id
        }
        _ => false,
    }
}
