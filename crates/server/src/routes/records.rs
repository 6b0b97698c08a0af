//! The records behind an answer: who, when, why.

use grantbook_api::explain::RecordRef;
use grantbook_domain::{
    event::Event,
    id::{GrantId, GroupId, KeyId, ProjectId, RoleId},
    position::Position,
    principal::{Grantee, Principal},
    record::Record,
};
use grantbook_views::{AuditFilter, AuditPage, Order};

use crate::{
    http::{problem::Failure, read::Reading},
    routes::{names, render},
};

/// Most records looked through for the one that ended something.
const SEARCH_MAX: usize = 1000;

/// What a record is wanted for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    /// A grant.
    Grant(GrantId),
    /// A membership.
    Member(Grantee, GroupId),
    /// A role.
    Role(RoleId),
    /// A project.
    Project(ProjectId),
}

/// The record at `position`, with the event in it that matters; none if the view has no such record.
pub(super) fn at(
    reading: &Reading,
    position: Position,
    of: Of,
    about: String,
) -> Result<Option<RecordRef>, Failure> {
    let Some(record) = reading.snapshot.record(reading.org, position)? else { return Ok(None) };
    let event = record.events.iter().find(|event| concerns(event, of)).or(record.events.first());
    let name = event.map(render::name_of).unwrap_or_default();
    reference(reading, position, &record, name, about).map(Some)
}

/// The record that revoked a key.
pub(super) fn of_revocation(
    reading: &Reading,
    owner: Principal,
    key: KeyId,
) -> Result<Option<RecordRef>, Failure> {
    let ended = |event: &Event| matches!(event, Event::KeyRevoked { key: ended } if ended.id == key);
    last(reading, owner, "KeyRevoked", ended)
}

/// The record that ended a principal.
pub(super) fn of_end(reading: &Reading, who: Principal) -> Result<Option<RecordRef>, Failure> {
    match who {
        Principal::User(id) => last(
            reading,
            who,
            "UserDeactivated",
            |event| matches!(event, Event::UserDeactivated { user } if user.id == id),
        ),
        Principal::Token(id) => last(
            reading,
            who,
            "TokenDeleted",
            |event| matches!(event, Event::TokenDeleted { token } if token.id == id),
        ),
    }
}

fn last(
    reading: &Reading,
    who: Principal,
    name: &'static str,
    wanted: impl Fn(&Event) -> bool,
) -> Result<Option<RecordRef>, Failure> {
    let filter = AuditFilter { principal: Some(who), event: Some(name.to_owned()), ..AuditFilter::default() };
    let page = AuditPage { after: None, order: Order::Descending, limit: SEARCH_MAX };
    let found = reading.snapshot.audit(reading.org, &filter, &page)?;
    let record = found.items.iter().find(|recorded| recorded.record.events.iter().any(&wanted));
    let told = record.map(|found| reference(reading, found.position, &found.record, name, String::new()));
    told.transpose()
}

fn reference(
    reading: &Reading,
    position: Position,
    record: &Record,
    event: &str,
    about: String,
) -> Result<RecordRef, Failure> {
    Ok(RecordRef {
        position: reading.web.position_text(position),
        event: event.to_owned(),
        about,
        actor: names::actor(reading, record.actor)?,
        credential: record.credential.map(|id| id.to_string()),
        at: record.at.to_string(),
        reason: record.reason.clone(),
    })
}

fn concerns(event: &Event, of: Of) -> bool {
    match (event, of) {
        (Event::GrantCreated { grant }, Of::Grant(id)) => grant.id == id,
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
