//! Working out what batches change, apart from writing it: the next batch is folded while the last one is committed.

use std::sync::Arc;

use grantbook_domain::{position::Position, record::Recorded};

use crate::{
    reader::ViewReader,
    store::{batch::Changes, error::ViewError},
    write::fold::Fold,
};

/// Frames to be applied together.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Their records in the journal's order, possibly of several organizations.
    pub records: &'a [Recorded],
    /// The sequence of the last frame.
    pub last_sequence: u64,
    /// Kept beside the rows and given back by [`crate::ViewWriter::checkpoint`]: where and how to read on.
    pub checkpoint: &'a [u8],
}

/// What a batch changes, to be given to [`crate::ViewWriter::commit`].
#[derive(Debug)]
pub struct StagedBatch {
    pub(crate) changes: Arc<Changes>,
    /// The last sequence before it.
    pub(crate) after: u64,
    pub(crate) last_sequence: u64,
    pub(crate) checkpoint: Vec<u8>,
}

/// Folds batches, at most one ahead of what is committed; see [`crate::ViewWriter::stager`].
#[derive(Debug)]
pub struct Stager {
    reader: ViewReader,
    /// The sequence of the last frame staged.
    sequence: u64,
    last: Option<Last>,
}

/// The batch that was staged last, which may not be committed yet.
#[derive(Debug)]
struct Last {
    after: u64,
    changes: Arc<Changes>,
}

impl Stager {
    pub(crate) const fn new(reader: ViewReader, sequence: u64) -> Self {
        Self { reader, sequence, last: None }
    }

    /// Works out what a batch changes. All staged before it must have been committed, but for the last.
    ///
    /// A batch that does not continue the last one is refused, and so is a record that is not understood.
    pub fn stage(&mut self, batch: &Batch<'_>) -> Result<StagedBatch, ViewError> {
        let after = self.sequence;
        require_order(batch, after)?;
        let snapshot = self.reader.snapshot()?;
        let committed = snapshot.sequence()?;
        let ahead = self.last.as_ref().filter(|_| committed != after);
        if ahead.map_or(after, |last| last.after) != committed {
            return Err(ViewError::OutOfOrder { after: committed, found: batch.last_sequence });
        }
        let mut fold = Fold::over(&snapshot, ahead.map(|last| last.changes.as_ref()));
        batch.records.iter().try_for_each(|recorded| fold.apply(recorded))?;
        let changes = Arc::new(fold.into_changes());
        self.sequence = batch.last_sequence;
        self.last = Some(Last { after, changes: Arc::clone(&changes) });
        let checkpoint = batch.checkpoint.to_vec();
        Ok(StagedBatch { changes, after, last_sequence: batch.last_sequence, checkpoint })
    }
}

/// Each frame once, in order; the records of one frame in theirs.
fn require_order(batch: &Batch<'_>, sequence: u64) -> Result<(), ViewError> {
    let mut last: Option<Position> = None;
    for recorded in batch.records {
        let position = recorded.position;
        let follows = last.is_none_or(|last| last < position);
        if position.sequence() <= sequence || !follows {
            let after = last.map_or(sequence, Position::sequence);
            return Err(ViewError::OutOfOrder { after, found: position.sequence() });
        }
        last = Some(position);
    }
    let due = last.map_or(sequence, Position::sequence);
    if batch.last_sequence < due {
        return Err(ViewError::OutOfOrder { after: due, found: batch.last_sequence });
    }
    Ok(())
}
