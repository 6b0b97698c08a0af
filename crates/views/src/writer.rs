//! Writing: frames in, rows and checkpoint in one transaction.

use std::{fs, path::Path, sync::Arc};

use grantbook_domain::{id::InstallationId, position::Position, record::Recorded};
use redb::{Database, DatabaseError, Durability, ReadableDatabase, TableError, backends::InMemoryBackend};

use crate::{
    digest::ViewDigest,
    error::ViewError,
    fold::Fold,
    image::{Keeper, Touched},
    reader::{Shared, ViewReader},
    table::{
        FORMAT_VERSION, META, META_CHECKPOINT, META_DIGEST, META_FORMAT, META_INSTALLATION, META_SEQUENCE,
        Table,
    },
};

/// The only way into a view; one per file, redb refuses a second.
#[derive(Debug)]
pub struct ViewWriter {
    pub(crate) shared: Arc<Shared>,
    sequence: u64,
    checkpoint: Vec<u8>,
    /// The sum of all rows.
    digest: ViewDigest,
    /// What keeps the image, if one is kept.
    keeper: Option<Keeper>,
}

/// What opening found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// Nothing: the view is new and empty.
    Fresh,
    /// A view to be continued after its checkpoint.
    Resumed,
    /// A view that is of no use here; it was removed, and a new, empty one is in its place.
    Rebuilt(Stale),
}

/// Why a view was of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// It was written in another format.
    Format {
        /// Its format's number.
        found: u32,
        /// [`crate::FORMAT_VERSION`].
        expected: u32,
    },
    /// It belongs to another installation's journal.
    Installation {
        /// Whose it is.
        found: InstallationId,
        /// Whose it should be.
        expected: InstallationId,
    },
}

/// Frames to be applied together.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Their records in the journal's order, possibly of several organizations.
    pub records: &'a [Recorded],
    /// The sequence of the last frame.
    pub last_sequence: u64,
    /// Kept beside the rows and given back by [`ViewWriter::checkpoint`]: where and how to read on.
    pub checkpoint: &'a [u8],
}

/// What a file says of itself.
enum Found {
    Nothing,
    View { format: u32, installation: Option<InstallationId> },
    SomethingElse,
}

impl ViewWriter {
    /// Opens the view in the file, or makes one; replaces a view of another format or installation.
    ///
    /// Only a file that says of itself that it is a view is ever replaced: a wrong path does not cost a journal.
    pub fn open(path: &Path, installation: InstallationId) -> Result<(Self, Opened), ViewError> {
        let fail =
            |error: DatabaseError| ViewError::Open { path: path.to_owned(), source: Box::new(error.into()) };
        let db = Database::create(path).map_err(fail)?;
        let stale = match look_at(&db)? {
            Found::Nothing => return Self::fresh(db, installation).map(|view| (view, Opened::Fresh)),
            Found::SomethingElse => return Err(ViewError::NotAView(path.to_owned())),
            Found::View { format, .. } if format != FORMAT_VERSION => {
                Stale::Format { found: format, expected: FORMAT_VERSION }
            }
            Found::View { installation: Some(found), .. } if found != installation => {
                Stale::Installation { found, expected: installation }
            }
            Found::View { installation: None, .. } => {
                return Err(ViewError::bad_row("view_meta", "no installation"));
            }
            Found::View { .. } => return Self::resume(db).map(|view| (view, Opened::Resumed)),
        };
        drop(db);
        fs::remove_file(path).map_err(|source| ViewError::Replace { path: path.to_owned(), source })?;
        let db = Database::create(path).map_err(fail)?;
        Ok((Self::fresh(db, installation)?, Opened::Rebuilt(stale)))
    }

    /// A view that lives in memory only.
    pub fn in_memory(installation: InstallationId) -> Result<Self, ViewError> {
        Self::fresh(Database::builder().create_with_backend(InMemoryBackend::new())?, installation)
    }

    /// Applies frames, all or nothing: rows, history and checkpoint in one transaction, visible to new snapshots on return.
    ///
    /// Only a `durable` batch is on disk on return, with all before it; after a crash the view stands at the last durable
    /// one. A batch that does not continue the last one is refused, and so is a record that is not understood.
    pub fn apply(&mut self, batch: &Batch<'_>, durable: bool) -> Result<(), ViewError> {
        self.require_order(batch)?;
        let snapshot = self.reader().snapshot()?;
        let mut fold = Fold::over(&snapshot);
        batch.records.iter().try_for_each(|recorded| fold.apply(recorded))?;
        let changes = fold.into_changes();
        drop(snapshot);
        let touched = self.keeper.is_some().then(|| Touched::of(&changes));

        let mut transaction = self.shared.db.begin_write()?;
        transaction.set_durability(if durable { Durability::Immediate } else { Durability::None })?;
        let digest = changes.write(&transaction, self.digest)?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(META_SEQUENCE, batch.last_sequence.to_be_bytes().as_slice())?;
            meta.insert(META_CHECKPOINT, batch.checkpoint)?;
            meta.insert(META_DIGEST, digest.bytes().as_slice())?;
        }
        transaction.commit()?;
        self.sequence = batch.last_sequence;
        self.digest = digest;
        self.checkpoint = batch.checkpoint.to_vec();
        if let (Some(mut keeper), Some(touched)) = (self.keeper.take(), touched) {
            // One that failed is not put back.
            keeper.apply(&touched, batch.last_sequence)?;
            self.keeper = Some(keeper);
        }
        Ok(())
    }

    /// Builds an image and keeps it up with every batch from here on; see [`ViewWriter::publish_image`].
    pub fn keep_image(&mut self) -> Result<(), ViewError> {
        self.keeper = Some(Keeper::build(&self.reader().snapshot()?)?);
        Ok(())
    }

    /// Gives the image as of the last batch to readers, if one is kept. Until then the batches cost it no copies.
    pub fn publish_image(&self) {
        if let Some(keeper) = &self.keeper {
            self.shared.publish(keeper.image().clone());
        }
    }

    /// The sequence of the last frame applied; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What was put beside the last batch; empty before the first.
    pub fn checkpoint(&self) -> &[u8] {
        &self.checkpoint
    }

    /// The digest of all rows, as [`Snapshot::kept_digest`](crate::Snapshot::kept_digest) gives it.
    pub fn digest(&self) -> ViewDigest {
        self.digest
    }

    /// A handle for reading.
    pub fn reader(&self) -> ViewReader {
        ViewReader::new(Arc::clone(&self.shared))
    }

    /// Each frame once, in order; the records of one frame in theirs.
    fn require_order(&self, batch: &Batch<'_>) -> Result<(), ViewError> {
        let mut last: Option<Position> = None;
        for recorded in batch.records {
            let position = recorded.position;
            let follows = last.is_none_or(|last| last < position);
            if position.sequence() <= self.sequence || !follows {
                let after = last.map_or(self.sequence, Position::sequence);
                return Err(ViewError::OutOfOrder { after, found: position.sequence() });
            }
            last = Some(position);
        }
        let due = last.map_or(self.sequence, Position::sequence);
        if batch.last_sequence < due {
            return Err(ViewError::OutOfOrder { after: due, found: batch.last_sequence });
        }
        Ok(())
    }

    pub(crate) fn fresh(db: Database, installation: InstallationId) -> Result<Self, ViewError> {
        let transaction = db.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(META_FORMAT, FORMAT_VERSION.to_be_bytes().as_slice())?;
            meta.insert(META_INSTALLATION, installation.bytes().as_slice())?;
            meta.insert(META_DIGEST, ViewDigest::default().bytes().as_slice())?;
            for table in Table::ALL {
                transaction.open_table(table.definition())?;
            }
        }
        transaction.commit()?;
        let (shared, digest) = (Arc::new(Shared::new(db)), ViewDigest::default());
        Ok(Self { shared, sequence: 0, checkpoint: Vec::new(), digest, keeper: None })
    }

    fn resume(db: Database) -> Result<Self, ViewError> {
        let shared = Arc::new(Shared::new(db));
        let snapshot = ViewReader::new(Arc::clone(&shared)).snapshot()?;
        let (sequence, checkpoint) = (snapshot.sequence()?, snapshot.checkpoint()?);
        let digest = snapshot.kept_digest()?;
        Ok(Self { shared, sequence, checkpoint, digest, keeper: None })
    }
}

fn look_at(db: &Database) -> Result<Found, ViewError> {
    let transaction = db.begin_read()?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(TableError::TableDoesNotExist(_)) => {
            let empty = transaction.list_tables()?.next().is_none()
                && transaction.list_multimap_tables()?.next().is_none();
            return Ok(if empty { Found::Nothing } else { Found::SomethingElse });
        }
        Err(_) => return Ok(Found::SomethingElse),
    };
    let Some(format) = meta.get(META_FORMAT)?.and_then(|bytes| bytes.value().try_into().ok()) else {
        return Ok(Found::SomethingElse);
    };
    let installation = meta.get(META_INSTALLATION)?.and_then(|bytes| bytes.value().try_into().ok());
    Ok(Found::View {
        format: u32::from_be_bytes(format),
        installation: installation.map(InstallationId::from_bytes),
    })
}
