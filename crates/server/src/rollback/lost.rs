//! What was lost, as far as a view knows it: what took access away comes first.

use std::{path::Path, sync::Arc};

use grantbook_domain::{
    event::Event,
    id::{InstallationId, OrgId},
    model::{Effect, Group, Token, User},
    principal::{Actor, Grantee, Principal},
    record::Recorded,
};
use grantbook_journal::{
    Item, Journal,
    frame::{Frame, decode},
};
use grantbook_views::{AuditFilter, AuditPage, Order, Snapshot, ViewError, ViewWriter};
use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::burn;
use crate::{position, start::StartError};

/// Records read at once.
const RECORDS: usize = 1000;
/// No more events are listed; all are counted.
const LISTED: usize = 10_000;

/// The events of lost records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LostEvents {
    /// How many records.
    pub records: u64,
    /// How many events.
    pub count: u64,
    /// How many of them took access away.
    pub ends: u64,
    /// The events, those first that took access away; each kind in the order in which they happened. At most 10,000.
    pub listed: Vec<LostEvent>,
}

/// An event of a lost record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostEvent {
    /// Whether it took access away: until that is done again, somebody has what was taken.
    pub ends_access: bool,
    /// The organization's id.
    pub organization: String,
    /// Its name.
    pub organization_name: String,
    /// The position that the record had, and nothing will have.
    pub position: String,
    /// When, RFC 3339.
    pub at: String,
    /// Who did it.
    pub by: String,
    /// The event's name.
    pub event: String,
    /// What it was about, in words.
    pub about: String,
}

/// What a view holds and the journal does not; none if there is no view of this installation. The view's file must not be in
/// use.
pub(super) async fn listed<J: Journal>(journal: &J, view: &Path) -> Result<Option<LostEvents>, StartError> {
    let (view, installation) = (view.to_owned(), journal.identity().installation);
    let opened = spawn_blocking(move || {
        if !ViewWriter::would_resume(&view, installation)? {
            return Ok(None);
        }
        let (writer, _) = ViewWriter::open(&view, installation)?;
        writer.reader().snapshot().map(|snapshot| Some((writer, Arc::new(snapshot))))
    });
    let Some((_writer, snapshot)) = opened.await?? else { return Ok(None) };
    let (mut lost, mut others) = (LostEvents::default(), Vec::new());
    for organization in snapshot.organizations()? {
        let records = lost_of(journal, &snapshot, organization.id).await?;
        for recorded in records.iter().rev() {
            lost.records += 1;
            for event in &recorded.record.events {
                let event = told(&snapshot, installation, (recorded, &organization.name), event)?;
                lost.count += 1;
                lost.ends += u64::from(event.ends_access);
                let kind = if event.ends_access { &mut lost.listed } else { &mut others };
                if kind.len() < LISTED {
                    kind.push(event);
                }
            }
        }
    }
    lost.listed.append(&mut others);
    lost.listed.truncate(LISTED);
    Ok(Some(lost))
}

/// An organization's records that the journal does not hold, the latest first.
async fn lost_of<J: Journal>(
    journal: &J,
    snapshot: &Arc<Snapshot>,
    org: OrgId,
) -> Result<Vec<Recorded>, StartError> {
    let (mut lost, mut after) = (Vec::new(), None);
    let mut frame: Option<(u64, Option<Frame>)> = None;
    loop {
        let (own, page) =
            (Arc::clone(snapshot), AuditPage { after, order: Order::Descending, limit: RECORDS });
        let page = spawn_blocking(move || own.audit(org, &AuditFilter::default(), &page)).await??;
        for recorded in page.items {
            let sequence = recorded.position.sequence();
            if frame.as_ref().is_none_or(|(at, _)| *at != sequence) {
                let item = burn::item(journal, sequence).await?;
                let stored = item.and_then(Item::into_frame).filter(|stored| stored.org == org);
                frame = Some((sequence, stored.and_then(|stored| decode(&stored.bytes).ok())));
            }
            let index = usize::try_from(recorded.position.index()).unwrap_or(usize::MAX);
            let held = frame.as_ref().and_then(|(_, frame)| frame.as_ref()?.records.get(index));
            if held == Some(&recorded.record) {
                return Ok(lost);
            }
            lost.push(recorded);
        }
        after = page.next;
        if after.is_none() {
            return Ok(lost);
        }
    }
}

fn told(
    snapshot: &Snapshot,
    installation: InstallationId,
    (recorded, name): (&Recorded, &str),
    event: &Event,
) -> Result<LostEvent, ViewError> {
    let Recorded { position, org, record } = recorded;
    // An event is written as an object of one member, its name.
    let text = serde_json::to_value(event)?;
    let kind = text.as_object().and_then(|members| members.keys().next()).cloned().unwrap_or_default();
    let by = match record.actor {
        Actor::User(id) => of(snapshot, *org, Grantee::User(id))?,
        Actor::Token(id) => of(snapshot, *org, Grantee::Token(id))?,
        Actor::System => "the system".to_owned(),
        Actor::Operator => "the operator".to_owned(),
    };
    Ok(LostEvent {
        ends_access: ends_access(event),
        organization: org.to_string(),
        organization_name: name.to_owned(),
        position: position::encode(installation, *position),
        at: record.at.to_string(),
        by,
        about: about(snapshot, *org, event, text.get(&kind))?,
        event: kind,
    })
}

/// Whether somebody has less than before by it.
fn ends_access(event: &Event) -> bool {
    match event {
        Event::KeyRevoked { .. }
        | Event::KeyRotated { .. }
        | Event::MemberRemoved { .. }
        | Event::GrantRevoked { .. }
        | Event::TokenDeleted { .. }
        | Event::UserDeactivated { .. }
        | Event::GroupDeleted { .. }
        | Event::ProjectDeleted { .. }
        | Event::ObjectRemoved { .. } => true,
        Event::GrantCreated { grant } => grant.effect == Effect::Deny,
        _ => false,
    }
}

/// The thing that an event is about.
fn about(snapshot: &Snapshot, org: OrgId, event: &Event, text: Option<&Value>) -> Result<String, ViewError> {
    Ok(match event {
        Event::KeyRevoked { key } | Event::KeyIssued { key } | Event::KeyExpired { key } => {
            format!("key {} of {}", key.id, of_principal(snapshot, org, key.principal)?)
        }
        Event::KeyRotated { key, old } => {
            format!("key {} of {}", old.id, of_principal(snapshot, org, key.principal)?)
        }
        Event::MemberAdded { membership }
        | Event::MemberRemoved { membership }
        | Event::MemberExpired { membership } => {
            let member = of(snapshot, org, membership.member)?;
            format!("{member} in {}", of(snapshot, org, Grantee::Group(membership.group))?)
        }
        Event::GrantCreated { grant } | Event::GrantRevoked { grant } | Event::GrantExpired { grant } => {
            let effect = if grant.effect == Effect::Deny { "deny" } else { "grant" };
            format!("{effect} {} to {}", grant.id, of(snapshot, org, grant.to)?)
        }
        _ => text.map(thing).unwrap_or_default(),
    })
}

/// Of the thing in an event's text: its id, and what people call it.
fn thing(text: &Value) -> String {
    let inner = text.as_object().and_then(|members| members.values().find(|value| value.is_object()));
    let thing = inner.unwrap_or(text);
    let word = |name: &str| {
        let value = thing.get(name)?;
        value.get("clear").unwrap_or(value).as_str().map(str::to_owned)
    };
    let words = ["name", "email", "id"].into_iter().filter_map(word);
    words.collect::<Vec<_>>().join(" ")
}

fn of_principal(snapshot: &Snapshot, org: OrgId, principal: Principal) -> Result<String, ViewError> {
    of(snapshot, org, principal.into())
}

/// As the command line names it.
fn of(snapshot: &Snapshot, org: OrgId, grantee: Grantee) -> Result<String, ViewError> {
    let (kind, id, name) = match grantee {
        Grantee::User(id) => {
            let user = snapshot.get::<User>(org, &id)?;
            ("user", id.to_string(), user.map(|user| user.email.clear().unwrap_or("(sealed)").to_owned()))
        }
        Grantee::Token(id) => {
            let token = snapshot.get::<Token>(org, &id)?;
            ("token", id.to_string(), token.map(|token| token.name))
        }
        Grantee::Group(id) => {
            let group = snapshot.get::<Group>(org, &id)?;
            ("group", id.to_string(), group.map(|group| group.name))
        }
    };
    Ok(format!("{kind}:{}", name.unwrap_or(id)))
}
