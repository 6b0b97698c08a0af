//! One watcher: where it is, and its next messages. It reads the view at its own pace; nothing is queued for it.

use std::{fmt::Write as _, sync::Arc};

use axum::body::Bytes;
use grantbook_api::questions::watch::WatchEnd;
use grantbook_domain::{
    access::{
        check::{Reason, Target},
        rights::Ask,
    },
    catalog::Permission,
    event::kind::EventKind,
    position::Position,
};
use grantbook_views::{AuditFilter, AuditPage, Order, Snapshot};

use crate::{
    http::problem::Failure,
    read::{
        context::{
            Permit, ReadContext,
            authz::{Authorizer, Resource},
        },
        watch::asked,
    },
    schedule::slots::Slot,
    state::{Web, authn::Authenticated},
    subscribe::feed::{Filter, Place},
};
use axum::http::StatusCode;

/// Most records looked at before the caller's right is asked for again.
const RECORDS: usize = 64;
/// A piece ends with the message that makes it this long, in bytes.
const PIECE_BYTES: usize = 16 << 10;

/// Somebody who watches.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) web: Arc<Web>,
    who: Authenticated,
    filter: Filter,
    /// What the index of the history knows of the filter.
    skip: AuditFilter,
    place: Place,
    slot: Arc<Slot>,
}

/// The next messages.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) text: Bytes,
    /// Whether there are more already.
    pub(crate) more: bool,
}

/// Why there are no more messages.
#[derive(Debug)]
pub(crate) struct Ended {
    reason: &'static str,
    detail: String,
    /// Whether something is wrong with the node.
    is_error: bool,
}

impl Watcher {
    pub(crate) fn new(reading: &ReadContext, filter: Filter, (place, slot): (Place, Slot)) -> Self {
        // Changes are found at records that have nothing else to do with the filter.
        let skip = if filter.wants_changes() {
            AuditFilter::default()
        } else {
            AuditFilter {
                events: filter.events.iter().filter_map(|name| EventKind::named(name)).collect(),
                principal: filter.principal,
                project: filter.project,
                ..AuditFilter::default()
            }
        };
        let who = Authenticated { org: reading.org, caller: reading.caller, has_waited: false };
        Self { web: Arc::clone(&reading.web), who, filter, skip, place, slot: Arc::new(slot) }
    }

    /// Its slot, until which is dropped it counts.
    pub(crate) fn slot(&self) -> Arc<Slot> {
        Arc::clone(&self.slot)
    }

    /// A comment that says up to where nothing was left out.
    pub(crate) fn heartbeat(&self) -> Bytes {
        let place = self.place.text(self.web.app.installation);
        Bytes::from(format!(": at {place}\nid: {place}\n\n"))
    }

    /// The next messages, from one state of the view that the caller may watch.
    pub(crate) fn next(&mut self) -> Result<Piece, Ended> {
        let mut reading = ReadContext::now(&self.web, self.who)?;
        reading.meter(self.slot.work());
        let rows = self.permitted(&reading)?.rows();
        let page = AuditPage { after: Some(self.place.after()), order: Order::Ascending, limit: RECORDS };
        let found = rows.audit_positions(reading.org, &self.skip, &page);
        let (positions, next) = found.map_err(Failure::from)?;
        let mut text = String::new();
        for position in positions {
            let whole = self.record(rows, position, next.is_none(), &mut text)?;
            if !whole || text.len() >= PIECE_BYTES {
                return Ok(Piece { text: text.into(), more: true });
            }
        }
        if next.is_none() {
            self.place = Place::behind(self.place.position.max(reading.position));
        }
        Ok(Piece { text: text.into(), more: next.is_some() })
    }

    /// Writes a record's messages, as many as fit; whether that was all.
    fn record(
        &mut self,
        snapshot: &Snapshot,
        position: Position,
        is_new: bool,
        text: &mut String,
    ) -> Result<bool, Failure> {
        let told = self.web.newest.get(snapshot, (self.who.org, position), is_new)?;
        let first = self.place.first_of(position);
        let mut messages = Vec::new();
        if first == 0 && self.filter.takes_record(&told.recorded.record) {
            messages.push((0, "record", std::borrow::Cow::from(told.text())));
        }
        if self.filter.wants_changes() {
            for (number, (changed, words)) in (1_u32..).zip(told.changes(snapshot)?) {
                if number < first || !self.filter.takes_change(&changed.change) {
                    continue;
                }
                let words = match self.filter.project {
                    None => words.into(),
                    Some(id) => serde_json::to_string(&changed.within(id)).unwrap_or_default().into(),
                };
                messages.push((number, "change", words));
            }
        }
        let last = messages.len().saturating_sub(1);
        for (index, (number, name, data)) in messages.into_iter().enumerate() {
            let given = (index < last).then_some(number);
            self.place = Place { position, given };
            let id = self.place.text(self.web.app.installation);
            write!(text, "id: {id}\nevent: {name}\ndata: {data}\n\n").unwrap_or_default();
            if given.is_some() && text.len() >= PIECE_BYTES {
                return Ok(false);
            }
        }
        self.place = Place::behind(position);
        Ok(true)
    }

    /// The caller's permit, if it may still watch.
    fn permitted<'r>(&self, reading: &'r ReadContext) -> Result<Permit<'r>, Ended> {
        let mut authorizer = Authorizer::new(reading)?;
        let mut permit = authorizer.require(Ask::Watch, &Resource::Whole);
        for (ask, thing) in asked(&self.filter) {
            permit = permit.and_then(|_| authorizer.require(ask, &thing));
        }
        match permit {
            Ok(permit) => Ok(permit),
            Err(failure) if failure.status() == StatusCode::FORBIDDEN => {
                Err(Ended::of(why(&mut authorizer)?))
            }
            Err(failure) => Err(failure.into()),
        }
    }
}

/// The answer to whether the caller may read the audit log.
fn why(authorizer: &mut Authorizer<'_>) -> Result<Reason, Failure> {
    let log = authorizer.reading().org.to_string();
    let object = Target { object_type: "org_audit_logs", id: &log, project: None };
    authorizer.reason(Permission::READ, object)
}

impl Ended {
    fn of(reason: Reason) -> Self {
        let (reason, detail) = if reason == Reason::KeyRevoked {
            ("key_revoked", "the key was revoked")
        } else if reason == Reason::KeyExpired {
            ("key_expired", "the key has expired")
        } else if reason == Reason::InactivePrincipal {
            ("inactive_principal", "the key's principal is not active")
        } else {
            ("forbidden", "the right to watch this is gone")
        };
        Self { reason, detail: detail.to_owned(), is_error: false }
    }

    /// The process ends.
    pub(crate) fn stopping() -> Self {
        Self { reason: "stopping", detail: "this node ends: go on with another".to_owned(), is_error: false }
    }

    /// Others had less, and needed the slot.
    pub(crate) fn cut_off() -> Self {
        let detail = "too many watches of this organization at once: others needed one. Go on after a while";
        Self { reason: "busy", detail: detail.to_owned(), is_error: false }
    }

    /// Whether there is no time to wait for a slow reader: the process ends, or the slot is another's.
    pub(crate) fn is_urgent(&self) -> bool {
        matches!(self.reason, "stopping" | "busy")
    }

    /// The last messages.
    pub(crate) fn text(&self) -> Bytes {
        let end = WatchEnd { reason: self.reason.to_owned(), detail: self.detail.clone() };
        let end = serde_json::to_string(&end).unwrap_or_default();
        let mut text = String::new();
        if self.is_error {
            let problem = Failure::unavailable(self.reason, self.detail.clone()).problem();
            let problem = serde_json::to_string(&problem).unwrap_or_default();
            write!(text, "event: error\ndata: {problem}\n\n").unwrap_or_default();
        }
        write!(text, "event: end\ndata: {end}\n\n").unwrap_or_default();
        text.into()
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self { reason: failure.code(), detail: failure.detail().to_owned(), is_error: true }
    }
}
