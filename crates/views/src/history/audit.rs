//! The history: every record, found by position, time, and everything it touches.

use grantbook_domain::{
    event::kind::EventKind,
    id::{GroupId, KeyId, OrgId, ProjectId},
    position::Position,
    principal::{Actor, Principal},
    record::{Record, Recorded},
    scope::ObjectRef,
    time::Timestamp,
};

use serde::Deserialize;

use crate::{
    history::facet::Facet,
    store::{
        encode::Take,
        error::ViewError,
        row_key,
        snapshot::{Snapshot, parse},
        table::Table,
    },
};

/// Which records; a record must meet every condition that is present.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Made by this actor,
    pub actor: Option<Actor>,
    /// with this key,
    pub credential: Option<KeyId>,
    /// touching this user or service token,
    pub principal: Option<Principal>,
    /// touching this group,
    pub group: Option<GroupId>,
    /// touching this project,
    pub project: Option<ProjectId>,
    /// touching this object (groups, roles, projects and the organization are objects too),
    pub object: Option<ObjectRef>,
    /// holding an event of one of these kinds (any, if there are none),
    pub events: Vec<EventKind>,
    /// not before this instant,
    pub from: Option<Timestamp>,
    /// and before this one.
    pub to: Option<Timestamp>,
}

/// In which order records come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

/// Which part of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditPage {
    /// Beyond this record, in the order asked for; from the start if absent.
    pub after: Option<Position>,
    /// In which order.
    pub order: Order,
    /// At most so many.
    pub limit: usize,
}

/// One page of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecords {
    /// The records.
    pub items: Vec<Recorded>,
    /// `after` for the next page; none if this is the last.
    pub next: Option<Position>,
}

/// The number of a record.
#[derive(Deserialize)]
struct Numbered {
    ordinal: u64,
}

impl Snapshot {
    /// One record.
    pub fn record(&self, org: OrgId, position: Position) -> Result<Option<Record>, ViewError> {
        self.record_json(org, position)?.map(|json| parse(Table::History, &json)).transpose()
    }

    /// One record as the journal has it: JSON text.
    pub fn record_json(&self, org: OrgId, position: Position) -> Result<Option<Vec<u8>>, ViewError> {
        if self.bound(None).is_some_and(|at| at < position) {
            return Ok(None);
        }
        let Some(row) = self.row(Table::History, &row_key::at_position(org, position))? else {
            return Ok(None);
        };
        let mut take = Take::new(Table::History, row.value());
        take.time()?;
        Ok(Some(take.rest().to_vec()))
    }

    /// When the organization's first record was made.
    pub fn first_record(&self, org: OrgId) -> Result<Option<Timestamp>, ViewError> {
        let first = self.prefix(Table::History, &row_key::org(org))?.next();
        first.map(|row| Take::new(Table::History, row?.1.value()).time()).transpose()
    }

    /// How many records the organization had at an instant, that instant included. It takes a few look-ups, however many records there
    /// are, because records are numbered without a gap.
    pub fn records_until(&self, org: OrgId, at: Timestamp) -> Result<u64, ViewError> {
        let moment = self.moment_at(org, at)?;
        let last = self.moment_after(org, moment.position)?.position;
        let json = self.record_json(org, last)?;
        let numbered: Option<Numbered> = json.map(|json| parse(Table::History, &json)).transpose()?;
        Ok(numbered.map_or(0, |numbered| numbered.ordinal))
    }

    /// The records that meet the filter.
    ///
    /// The conditions' position lists are walked together, each skipping to where the others stand, so that the cost
    /// follows the rarest one.
    pub fn audit(
        &self,
        org: OrgId,
        filter: &AuditFilter,
        page: &AuditPage,
    ) -> Result<AuditRecords, ViewError> {
        let (positions, next) = self.audit_positions(org, filter, page)?;
        let items = positions.into_iter().map(|position| {
            let record = self.record(org, position)?;
            let record = record.ok_or_else(|| ViewError::bad_row("audit", "points to no record"))?;
            Ok(Recorded { position, org, record })
        });
        Ok(AuditRecords { items: items.collect::<Result<_, ViewError>>()?, next })
    }

    /// Where the records are that meet the filter, and `after` for the next page, if there is one.
    pub fn audit_positions(
        &self,
        org: OrgId,
        filter: &AuditFilter,
        page: &AuditPage,
    ) -> Result<(Vec<Position>, Option<Position>), ViewError> {
        let mut found = Vec::new();
        let Some(mut span) = self.span(org, filter, page)? else { return Ok((found, None)) };
        let conditions = filter.conditions(org);
        while let Some(position) = self.meet(org, &conditions, page.order, span)? {
            if found.len() == page.limit {
                let next = found.last().copied();
                return Ok((found, next));
            }
            found.push(position);
            match span.beyond(position, page.order) {
                Some(rest) => span = rest,
                None => break,
            }
        }
        Ok((found, None))
    }

    /// The positions in question: the page's, within the filter's times; none if there are none.
    fn span(&self, org: OrgId, filter: &AuditFilter, page: &AuditPage) -> Result<Option<Span>, ViewError> {
        let last = self.bound(None).unwrap_or(Position::from_u64(u64::MAX));
        let mut span = Some(Span { first: Position::START, last });
        if let Some(after) = page.after {
            span = span.and_then(|span| span.beyond(after, page.order));
        }
        if let (Some(inner), Some(from)) = (span, filter.from) {
            span = self.first_at(org, from)?.map(|first| Span { first: inner.first.max(first), ..inner });
        }
        if let (Some(inner), Some(to)) = (span, filter.to)
            && let Some(first_out) = self.first_at(org, to)?
        {
            span = first_out
                .get()
                .checked_sub(1)
                .map(|last| Span { last: inner.last.min(Position::from_u64(last)), ..inner });
        }
        Ok(span.filter(|span| span.first <= span.last))
    }

    /// The first record that is not before `at`.
    fn first_at(&self, org: OrgId, at: Timestamp) -> Result<Option<Position>, ViewError> {
        let start = row_key::at_position(org, self.mark_before(org, at)?);
        let end = row_key::beyond(&row_key::org(org));
        for row in self.range(Table::History, &start, end.as_deref())? {
            let (key, value) = row?;
            if Take::new(Table::History, value.value()).time()? >= at {
                return last_position(Table::History, key.value()).map(Some);
            }
        }
        Ok(None)
    }

    /// The next position that meets every condition; of any record if there is none.
    fn meet(
        &self,
        org: OrgId,
        conditions: &[Condition],
        order: Order,
        mut span: Span,
    ) -> Result<Option<Position>, ViewError> {
        if conditions.is_empty() {
            return self.next_record(org, order, span);
        }
        let mut agreeing = 0;
        for condition in conditions.iter().cycle() {
            let Some(found) = self.next_of(condition, order, span)? else { return Ok(None) };
            let here = match order {
                Order::Ascending => span.first,
                Order::Descending => span.last,
            };
            agreeing = if found == here { agreeing + 1 } else { 1 };
            if agreeing == conditions.len() {
                return Ok(Some(found));
            }
            match order {
                Order::Ascending => span.first = found,
                Order::Descending => span.last = found,
            }
        }
        Ok(None)
    }

    /// The next position that is in one of the lists.
    fn next_of(&self, lists: &Condition, order: Order, span: Span) -> Result<Option<Position>, ViewError> {
        let mut next = None;
        for list in lists {
            let found = self.next_in(list, order, span)?;
            next = match (next, found, order) {
                (Some(next), Some(found), Order::Ascending) => Some(found.min(next)),
                (Some(next), Some(found), Order::Descending) => Some(found.max(next)),
                (next, found, _) => next.or(found),
            };
        }
        Ok(next)
    }

    /// The first record in the span, or the last one if newest come first.
    fn next_record(&self, org: OrgId, order: Order, span: Span) -> Result<Option<Position>, ViewError> {
        let start = row_key::at_position(org, span.first);
        let mut end = row_key::at_position(org, span.last);
        // One byte more is the least key beyond: the end is exclusive.
        end.push(0);
        let mut rows = self.range(Table::History, &start, Some(&end))?;
        let row = match order {
            Order::Ascending => rows.next(),
            Order::Descending => rows.next_back(),
        };
        row.map(|row| last_position(Table::History, row?.0.value())).transpose()
    }
}

impl AuditFilter {
    fn conditions(&self, org: OrgId) -> Vec<Condition> {
        let single = [
            self.object.clone().map(Facet::of_object),
            self.credential.map(Facet::Credential),
            self.group.map(Facet::Group),
            self.project.map(Facet::Project),
            self.principal.map(Facet::Principal),
            self.actor.map(Facet::Actor),
        ];
        let single = single.into_iter().flatten().map(|facet| vec![facet.key(org)]);
        let events = self.events.iter().map(|kind| Facet::Event(*kind).key(org)).collect();
        single.chain([events]).filter(|lists: &Condition| !lists.is_empty()).collect()
    }
}

/// The position lists of a condition, by their keys: a record must be in one of them.
type Condition = Vec<Vec<u8>>;

/// Positions from `first` to `last`, both included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) first: Position,
    pub(crate) last: Position,
}

impl Span {
    /// What is left beyond a position; none if nothing is.
    fn beyond(self, position: Position, order: Order) -> Option<Self> {
        let rest = match order {
            Order::Ascending => {
                let first = Position::from_u64(position.get().checked_add(1)?);
                Self { first: self.first.max(first), ..self }
            }
            Order::Descending => {
                let last = Position::from_u64(position.get().checked_sub(1)?);
                Self { last: self.last.min(last), ..self }
            }
        };
        (rest.first <= rest.last).then_some(rest)
    }
}

/// The position that ends an index key.
pub(crate) fn last_position(table: Table, key: &[u8]) -> Result<Position, ViewError> {
    let bytes = key.last_chunk().ok_or_else(|| ViewError::bad_row(table.name(), "key too short"))?;
    Ok(Position::from_u64(u64::from_be_bytes(*bytes)))
}
