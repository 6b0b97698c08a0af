//! Reading frames from the file: each call is one snapshot.

use std::{num::NonZeroUsize, sync::Arc};

use bytes::Bytes;
use grantbook_domain::id::OrgId;
use redb::{Database, ReadOnlyTable, ReadableDatabase};

use super::file::{FRAMES, LAST};
use crate::{READ_MAX_BYTES, ReadError, Stored};

/// The frames behind `after`, within the bounds of [`Tail::next`](crate::Tail::next).
pub(super) fn behind(db: &Database, after: u64, limit: NonZeroUsize) -> Result<Vec<Stored>, ReadError> {
    let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
    let mut frames = Vec::new();
    let mut bytes = 0;
    for row in open(db)?.range(first..).map_err(unavailable)?.take(limit.get()) {
        let (sequence, value) = row.map_err(unavailable)?;
        bytes += value.value().len();
        if bytes > READ_MAX_BYTES && !frames.is_empty() {
            break;
        }
        frames.push(stored(sequence.value(), value.value())?);
    }
    Ok(frames)
}

/// The frame at `sequence`.
pub(super) fn one(db: &Database, sequence: u64) -> Result<Option<Stored>, ReadError> {
    match open(db)?.get(sequence).map_err(unavailable)? {
        Some(value) => stored(sequence, value.value()).map(Some),
        None => Ok(None),
    }
}

/// The organization's first frame behind `after`. Walks the frames in between: it is asked only after a conflict or
/// an unknown outcome, and then they are few.
pub(super) fn next_of(db: &Database, org: OrgId, after: u64) -> Result<Option<Stored>, ReadError> {
    let Some(first) = after.checked_add(1) else { return Ok(None) };
    let transaction = db.begin_read().map_err(unavailable)?;
    let last = transaction.open_table(LAST).map_err(unavailable)?;
    if last.get(org.bytes()).map_err(unavailable)?.is_none_or(|last| last.value() <= after) {
        return Ok(None);
    }
    let frames = transaction.open_table(FRAMES).map_err(unavailable)?;
    for row in frames.range(first..).map_err(unavailable)? {
        let (sequence, value) = row.map_err(unavailable)?;
        if value.value().starts_with(&org.bytes()) {
            return stored(sequence.value(), value.value()).map(Some);
        }
    }
    Ok(None)
}

fn open(db: &Database) -> Result<ReadOnlyTable<u64, &'static [u8]>, ReadError> {
    db.begin_read().map_err(unavailable)?.open_table(FRAMES).map_err(unavailable)
}

fn stored(sequence: u64, value: &[u8]) -> Result<Stored, ReadError> {
    let (org, frame) = value.split_first_chunk().ok_or(ReadError::Damaged { sequence })?;
    Ok(Stored { sequence, org: OrgId::from_bytes(*org), bytes: Bytes::copy_from_slice(frame), guard: None })
}

fn unavailable(error: impl Into<redb::Error>) -> ReadError {
    ReadError::Unavailable(Arc::new(error.into()))
}
