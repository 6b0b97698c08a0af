//! Reading items from the file: each call is one snapshot.

use std::{num::NonZeroUsize, ops::RangeFrom, sync::Arc};

use bytes::Bytes;
use grantbook_domain::id::OrgId;
use redb::{AccessGuard, Database, Range, ReadOnlyTable, ReadableDatabase};

use crate::{
    Foreign, Item, READ_MAX_BYTES, ReadError, Stored,
    embedded::file::{FRAMES, LAST, foreign_parts, open_foreign},
};

/// The items behind `after`, each as soon as it is read, within the bounds of [`Tail::next`](crate::Tail::next).
pub(super) fn behind(
    db: &Database,
    after: u64,
    limit: NonZeroUsize,
    items: &mut Vec<Item>,
) -> Result<(), ReadError> {
    let Some(first) = after.checked_add(1) else { return Ok(()) };
    let mut bytes = 0;
    for item in Walk::new(&Tables::open(db)?, first..)?.take(limit.get()) {
        let item = item?;
        bytes += item.bytes().len();
        if bytes > READ_MAX_BYTES && !items.is_empty() {
            break;
        }
        items.push(item);
    }
    Ok(())
}

/// The item at `sequence`.
pub(super) fn one(db: &Database, sequence: u64) -> Result<Option<Item>, ReadError> {
    let tables = Tables::open(db)?;
    if let Some(value) = tables.frames.get(sequence).map_err(unavailable)? {
        return stored(sequence, value.value()).map(Some);
    }
    let Some(foreign) = &tables.foreign else { return Ok(None) };
    match foreign.get(sequence).map_err(unavailable)? {
        Some(value) => message(sequence, value.value()).map(Some),
        None => Ok(None),
    }
}

/// The first item on the organization's subject behind `after`. Walks the items in between: it is asked only after a
/// conflict or an unknown outcome, and then they are few.
pub(super) fn next_of(db: &Database, org: OrgId, after: u64) -> Result<Option<Item>, ReadError> {
    let Some(first) = after.checked_add(1) else { return Ok(None) };
    let transaction = db.begin_read().map_err(unavailable)?;
    let last = transaction.open_table(LAST).map_err(unavailable)?;
    if last.get(org.bytes()).map_err(unavailable)?.is_none_or(|last| last.value() <= after) {
        return Ok(None);
    }
    for item in Walk::new(&Tables::open(db)?, first..)? {
        let item = item?;
        if item.org() == Some(org) {
            return Ok(Some(item));
        }
    }
    Ok(None)
}

/// Frames and foreign messages, of one snapshot.
struct Tables {
    frames: ReadOnlyTable<u64, &'static [u8]>,
    foreign: Option<ReadOnlyTable<u64, &'static [u8]>>,
}

impl Tables {
    fn open(db: &Database) -> Result<Self, ReadError> {
        let transaction = db.begin_read().map_err(unavailable)?;
        let frames = transaction.open_table(FRAMES).map_err(unavailable)?;
        Ok(Self { frames, foreign: open_foreign(&transaction).map_err(unavailable)? })
    }
}

type Row<'t> = (AccessGuard<'t, u64>, AccessGuard<'t, &'static [u8]>);

/// Both tables in the order of sequences, which have no gap: on a damaged page a search ends in the wrong place, and redb
/// does not notice.
struct Walk<'t> {
    due: u64,
    frames: Range<'t, u64, &'static [u8]>,
    foreign: Option<Range<'t, u64, &'static [u8]>>,
    next: (Option<Row<'t>>, Option<Row<'t>>),
}

impl<'t> Walk<'t> {
    fn new(tables: &'t Tables, from: RangeFrom<u64>) -> Result<Self, ReadError> {
        let due = from.start;
        let frames = tables.frames.range(from.clone()).map_err(unavailable)?;
        let foreign = tables.foreign.as_ref().map(|table| table.range(from)).transpose();
        let foreign = foreign.map_err(unavailable)?;
        let mut walk = Self { due, frames, foreign, next: (None, None) };
        walk.fill()?;
        Ok(walk)
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        if self.next.0.is_none() {
            self.next.0 = self.frames.next().transpose().map_err(unavailable)?;
        }
        if let (None, Some(foreign)) = (&self.next.1, &mut self.foreign) {
            self.next.1 = foreign.next().transpose().map_err(unavailable)?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Item>, ReadError> {
        self.fill()?;
        let sequence =
            |row: &Option<Row<'t>>| row.as_ref().map_or(u64::MAX, |(sequence, _)| sequence.value());
        let (frame, foreign) = (sequence(&self.next.0), sequence(&self.next.1));
        if frame.min(foreign) != self.due && (self.next.0.is_some() || self.next.1.is_some()) {
            return Err(ReadError::Damaged { sequence: self.due });
        }
        self.due = self.due.saturating_add(1);
        if foreign < frame {
            let row = self.next.1.take();
            return row.map(|(sequence, value)| message(sequence.value(), value.value())).transpose();
        }
        let row = self.next.0.take();
        row.map(|(sequence, value)| stored(sequence.value(), value.value())).transpose()
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Item, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

fn stored(sequence: u64, value: &[u8]) -> Result<Item, ReadError> {
    let (org, frame) = value.split_first_chunk().ok_or(ReadError::Damaged { sequence })?;
    let (org, bytes) = (OrgId::from_bytes(*org), Bytes::copy_from_slice(frame));
    Ok(Item::Frame(Stored { sequence, org, bytes, guard: None }))
}

fn message(sequence: u64, value: &[u8]) -> Result<Item, ReadError> {
    let (token, bytes) = foreign_parts(value).ok_or(ReadError::Damaged { sequence })?;
    let (token, bytes) = (token.to_owned(), Bytes::copy_from_slice(bytes));
    Ok(Item::Foreign(Foreign { sequence, token, bytes }))
}

fn unavailable(error: impl Into<redb::Error>) -> ReadError {
    ReadError::Unavailable(Arc::new(error.into()))
}
