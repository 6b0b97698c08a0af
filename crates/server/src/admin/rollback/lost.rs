//! What was lost, as far as a view knows it: what took access away comes first.

use std::{collections::VecDeque, path::Path, sync::Arc};

use grantbook_domain::{
    event::Event,
    id::{InstallationId, OrgId},
    model::{Effect, Group, Token, User},
    principal::{Actor, Grantee, Principal},
    record::Recorded,
};
use grantbook_journal::{
    Item, Journal,
    follow::burned,
    frame::{Frame, decode},
};
use grantbook_views::{AuditFilter, AuditPage, Order, Snapshot, ViewError, ViewWriter};
use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::{admin::error::AdminError, wire::position};

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
    /// Whether it took access away, or may have: until that is done again, somebody has what was taken.
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

/// What a view holds and the journal does not, and the highest of its positions up to `kept`, which name other records
/// now; none if there is no view of this installation. The view's file must not be in use.
pub(super) async fn listed<J: Journal>(
    journal: &J,
    view: &Path,
    kept: u64,
) -> Result<Option<(LostEvents, Option<u64>)>, AdminError> {
    let (view, installation) = (view.to_owned(), journal.identity().installation);
    let opened = spawn_blocking(move || {
        if !ViewWriter::would_resume(&view, installation)? {
            return Ok(None);
        }
        let (writer, _) = ViewWriter::open(&view, installation)?;
        writer.reader().snapshot().map(|snapshot| Some((writer, Arc::new(snapshot))))
    });
    let Some((_writer, snapshot)) = opened.await?? else { return Ok(None) };
    let mut lost = Listing::default();
    for organization in snapshot.organizations()? {
        let of = Of { installation, org: organization.id, name: organization.name, kept };
        let one = lost_of(journal, &snapshot, of).await?;
        lost.add(one);
    }
    let reused = lost.reused;
    Ok(Some((lost.finish(), reused)))
}

/// The organization whose lost records are looked for.
struct Of {
    installation: InstallationId,
    org: OrgId,
    name: String,
    /// Up to where the journal was kept.
    kept: u64,
}

/// Lost events, however many: all are counted, and so many kept as are listed.
#[derive(Default)]
struct Listing {
    records: u64,
    count: u64,
    ends: u64,
    /// The highest position at which another record stands now.
    reused: Option<u64>,
    /// Those that took access away, and the others.
    kept: [VecDeque<LostEvent>; 2],
}

impl Listing {
    /// Takes an event that happened before all that were taken so far.
    fn take(&mut self, event: LostEvent) {
        self.count += 1;
        self.ends += u64::from(event.ends_access);
        let [ends, others] = &mut self.kept;
        let kind = if event.ends_access { ends } else { others };
        kind.push_front(event);
        kind.truncate(LISTED);
    }

    /// Adds those of another organization.
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.count += other.count;
        self.ends += other.ends;
        self.reused = self.reused.max(other.reused);
        for (kind, mut more) in self.kept.iter_mut().zip(other.kept) {
            kind.append(&mut more);
            kind.truncate(LISTED);
        }
    }

    fn finish(self) -> LostEvents {
        let Self { records, count, ends, kept, .. } = self;
        let listed = kept.into_iter().flatten().take(LISTED).collect();
        LostEvents { records, count, ends, listed }
    }
}

/// An organization's records that the journal does not hold: looked for from the end backwards.
async fn lost_of<J: Journal>(journal: &J, snapshot: &Arc<Snapshot>, of: Of) -> Result<Listing, AdminError> {
    let (mut lost, mut after, org) = (Listing::default(), None, of.org);
    let mut frame: Option<(u64, Option<Frame>)> = None;
    loop {
        let (own, page) =
            (Arc::clone(snapshot), AuditPage { after, order: Order::Descending, limit: RECORDS });
        let page = spawn_blocking(move || own.audit(org, &AuditFilter::default(), &page)).await??;
        for recorded in page.items {
            let sequence = recorded.position.sequence();
            if frame.as_ref().is_none_or(|(at, _)| *at != sequence) {
                let item = burned::item(journal, sequence).await?;
                let stored = item.and_then(Item::into_frame).filter(|stored| stored.org == org);
                frame = Some((sequence, stored.and_then(|stored| decode(&stored.bytes).ok())));
            }
            let index = usize::try_from(recorded.position.index()).unwrap_or(usize::MAX);
            let held = frame.as_ref().and_then(|(_, frame)| frame.as_ref()?.records.get(index));
            if held == Some(&recorded.record) {
                return Ok(lost);
            }
            lost.records += 1;
            if sequence <= of.kept {
                lost.reused = lost.reused.max(Some(sequence));
            }
            for event in recorded.record.events.iter().rev() {
                lost.take(told(snapshot, of.installation, (&recorded, &of.name), event)?);
            }
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
        ends_access: event.may_take_away(),
        organization: org.to_string(),
        organization_name: name.to_owned(),
        position: position::encode(installation, *position),
        at: record.at.to_string(),
        by,
        about: about(snapshot, *org, event, text.get(&kind))?,
        event: kind,
    })
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
        Event::OrganizationCreated { .. }
        | Event::OrganizationUpdated { .. }
        | Event::RollbackAccepted { .. }
        | Event::CatalogExtended { .. }
        | Event::UserCreated { .. }
        | Event::UserUpdated { .. }
        | Event::UserDeactivated { .. }
        | Event::TokenCreated { .. }
        | Event::TokenUpdated { .. }
        | Event::TokenDeleted { .. }
        | Event::TokenExpired { .. }
        | Event::GroupCreated { .. }
        | Event::GroupUpdated { .. }
        | Event::GroupDeleted { .. }
        | Event::RoleCreated { .. }
        | Event::RoleUpdated { .. }
        | Event::RoleDeleted { .. }
        | Event::ProjectCreated { .. }
        | Event::ProjectUpdated { .. }
        | Event::ProjectDeleted { .. }
        | Event::ObjectRegistered { .. }
        | Event::ObjectUpdated { .. }
        | Event::ObjectRemoved { .. }
        | Event::WebhookCreated { .. }
        | Event::WebhookUpdated { .. }
        | Event::WebhookRotated { .. }
        | Event::WebhookDeleted { .. } => text.map(thing).unwrap_or_default(),
    })
}

/// The id of the thing in an event's text, and what people call it.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize, ends_access: bool) -> LostEvent {
        let (position, text) = (number.to_string(), String::new);
        LostEvent {
            ends_access,
            organization: text(),
            organization_name: text(),
            position,
            at: text(),
            by: text(),
            event: text(),
            about: text(),
        }
    }

    #[test]
    fn all_are_counted_and_the_earliest_kept_those_first_that_took_access_away() {
        let (mut one, mut other) = (Listing::default(), Listing::default());
        for number in (0..LISTED + 5).rev() {
            one.take(event(number, number % 2 == 0));
            other.take(event(number, false));
        }
        assert!(other.kept.iter().all(|kind| kind.len() <= LISTED));
        one.add(other);
        let LostEvents { count, ends, listed, .. } = one.finish();
        assert_eq!((count, ends), (2 * (LISTED + 5) as u64, LISTED.div_ceil(2) as u64 + 3));
        let ended = listed.iter().take_while(|event| event.ends_access).count();
        assert_eq!((ended as u64, listed.len()), (ends, LISTED));
        assert_eq!((listed[0].position.as_str(), listed[ended].position.as_str()), ("0", "1"));
    }
}
