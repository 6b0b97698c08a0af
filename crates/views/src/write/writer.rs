//! Writing: frames in, rows and checkpoint in one transaction.

use std::{fs, path::Path, sync::Arc};

use grantbook_domain::id::InstallationId;
use grantbook_files as files;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase, TableError, WriteTransaction,
    backends::{FileBackend, InMemoryBackend},
};

use crate::{
    image::Updater,
    reader::{Published, ViewReader},
    store::{
        digest::ViewDigest,
        error::ViewError,
        snapshot::{Shared, Snapshot},
        table::{
            FORMAT_VERSION, META, META_CHECKPOINT, META_DIGEST, META_FORMAT, META_INSTALLATION,
            META_SEQUENCE, Table,
        },
    },
    write::stager::{Batch, StagedBatch, Stager},
};

/// How much of the file the store keeps in memory. redb's own figure is 1 GiB: the process would grow with its file until then,
/// although checks are answered from the image and the system keeps the file's pages, too.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// The only way into a view; one per file, redb refuses a second.
#[derive(Debug)]
pub struct ViewWriter {
    pub(crate) shared: Arc<Shared>,
    published: Arc<Published>,
    sequence: u64,
    checkpoint: Vec<u8>,
    /// The sum of all rows.
    digest: ViewDigest,
    /// What keeps the image, if one is kept.
    updater: Option<Updater>,
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

/// What a view is, whose rows are all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Whose journal it was filled from.
    pub installation: InstallationId,
    /// The sequence of the last frame in it.
    pub sequence: u64,
    /// How many rows it has.
    pub rows: u64,
    /// Their sum.
    pub digest: ViewDigest,
}

/// What a file says of itself.
enum Found {
    Nothing,
    View { format: u32, installation: Option<InstallationId> },
    SomethingElse,
}

/// How files are opened, all alike.
fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Opens the file, or makes one that only its owner can read: it holds people's names and addresses.
pub(crate) fn create(path: &Path) -> Result<Database, ViewError> {
    let opened = files::open_or_create(path).map_err(DatabaseError::from);
    opened
        .and_then(|file| builder().create_with_backend(FileBackend::new(file)?))
        .map_err(|error| ViewError::Open { path: path.to_owned(), source: Box::new(error.into()) })
}

impl ViewWriter {
    /// Opens the view in the file, or makes one; replaces a view of another format or installation.
    ///
    /// Only a file that says of itself that it is a view is ever replaced, so a wrong path cannot destroy a journal.
    pub fn open(path: &Path, installation: InstallationId) -> Result<(Self, Opened), ViewError> {
        let db = create(path)?;
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
        let db = create(path)?;
        Ok((Self::fresh(db, installation)?, Opened::Rebuilt(stale)))
    }

    /// Whether opening the file would go on with a view that holds something; else it would begin with an empty one.
    /// Changes nothing.
    pub fn would_resume(path: &Path, installation: InstallationId) -> Result<bool, ViewError> {
        // An empty file is what a crash leaves of a view that was just begun.
        if fs::metadata(path).is_ok_and(|file| file.len() == 0) || !path.exists() {
            return Ok(false);
        }
        let fail =
            |error: DatabaseError| ViewError::Open { path: path.to_owned(), source: Box::new(error.into()) };
        let db = builder().open(path).map_err(fail)?;
        match look_at(&db)? {
            Found::View { format, installation: Some(found) } if format == FORMAT_VERSION => {
                Ok(found == installation && Self::resume(db)?.sequence > 0)
            }
            Found::View { .. } | Found::Nothing | Found::SomethingElse => Ok(false),
        }
    }

    /// Looks at the file of a view that nobody uses: at each page, as the store checks it, then at all rows. `pace` as
    /// for [`Snapshot::scrub`](crate::Snapshot::scrub). A file whose pages do not check out may be changed by the store, which tries to save it.
    pub fn verify(path: &Path, pace: impl FnMut(u64) -> bool) -> Result<Verified, ViewError> {
        let fail =
            |error: DatabaseError| ViewError::Open { path: path.to_owned(), source: Box::new(error.into()) };
        let mut db = builder().open(path).map_err(fail)?;
        let Found::View { format, installation: Some(installation) } = look_at(&db)? else {
            return Err(ViewError::NotAView(path.to_owned()));
        };
        if format != FORMAT_VERSION {
            return Err(ViewError::Format { found: format, expected: FORMAT_VERSION });
        }
        if !db.check_integrity().map_err(fail)? {
            return Err(ViewError::Repaired(path.to_owned()));
        }
        let view = Self::resume(db)?;
        let rows = view.reader().snapshot()?.scrub(pace)?;
        Ok(Verified { installation, sequence: view.sequence, rows, digest: view.digest })
    }

    /// A view that lives in memory only.
    pub fn in_memory(installation: InstallationId) -> Result<Self, ViewError> {
        Self::fresh(builder().create_with_backend(InMemoryBackend::new())?, installation)
    }

    /// Applies frames, all or nothing: rows, history and checkpoint in one transaction, visible to new snapshots on return.
    ///
    /// Only a `durable` batch is on disk on return, with all before it; after a crash the view stands at the last durable
    /// one. A batch that does not continue the last one is refused, and so is a record that is not understood.
    pub fn apply(&mut self, batch: &Batch<'_>, durable: bool) -> Result<(), ViewError> {
        let staged = self.stager().stage(batch)?;
        self.commit(staged, durable)
    }

    /// What works out the changes of the next batches: of each while the one before it is committed elsewhere.
    pub fn stager(&self) -> Stager {
        Stager::new(self.reader(), self.sequence)
    }

    /// Commits what was staged, as [`ViewWriter::apply`] does; in the order of staging, each once.
    pub fn commit(&mut self, staged: StagedBatch, durable: bool) -> Result<(), ViewError> {
        let StagedBatch { changes, after, last_sequence, checkpoint } = staged;
        if after != self.sequence {
            return Err(ViewError::OutOfOrder { after: self.sequence, found: last_sequence });
        }
        // Drop the cached read transaction, so that redb can free its pages during this commit.
        self.shared.look_anew();
        let mut transaction = self.shared.db.begin_write()?;
        transaction.set_durability(if durable { Durability::Immediate } else { Durability::None })?;
        let digest = changes.write(&transaction, self.digest)?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(META_SEQUENCE, last_sequence.to_be_bytes().as_slice())?;
            meta.insert(META_CHECKPOINT, checkpoint.as_slice())?;
            meta.insert(META_DIGEST, digest.bytes().as_slice())?;
        }
        transaction.commit()?;
        self.shared.look_anew();
        (self.sequence, self.digest, self.checkpoint) = (last_sequence, digest, checkpoint);
        if let Some(mut updater) = self.updater.take() {
            // One that failed is not put back.
            updater.apply(&changes, last_sequence)?;
            self.updater = Some(updater);
        }
        Ok(())
    }

    /// Builds an image and keeps it up with every batch from here on; see [`ViewWriter::publish_image`].
    pub fn keep_image(&mut self) -> Result<(), ViewError> {
        self.updater = Some(Updater::build(&self.reader().snapshot()?)?);
        Ok(())
    }

    /// Gives the image as of the last batch to readers, if one is kept. Until then the batches cost it no copies.
    pub fn publish_image(&self) {
        if let Some(updater) = &self.updater {
            self.published.publish(updater.image().clone());
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
        ViewReader::new(Arc::clone(&self.shared), Arc::clone(&self.published))
    }

    pub(crate) fn fresh(db: Database, installation: InstallationId) -> Result<Self, ViewError> {
        let transaction = db.begin_write()?;
        Self::label(&transaction, installation)?;
        transaction.open_table(META)?.insert(META_DIGEST, ViewDigest::default().bytes().as_slice())?;
        transaction.commit()?;
        let (shared, digest) = (Arc::new(Shared::new(db)), ViewDigest::default());
        Ok(Self {
            shared,
            published: Arc::default(),
            sequence: 0,
            checkpoint: Vec::new(),
            digest,
            updater: None,
        })
    }

    /// Makes a file say that it is a view, with every table that one has.
    pub(crate) fn label(
        transaction: &WriteTransaction,
        installation: InstallationId,
    ) -> Result<(), ViewError> {
        let mut meta = transaction.open_table(META)?;
        meta.insert(META_FORMAT, FORMAT_VERSION.to_be_bytes().as_slice())?;
        meta.insert(META_INSTALLATION, installation.bytes().as_slice())?;
        for table in Table::ALL {
            transaction.open_table(table.definition())?;
        }
        Ok(())
    }

    pub(crate) fn resume(db: Database) -> Result<Self, ViewError> {
        let shared = Arc::new(Shared::new(db));
        let snapshot = Snapshot::latest(&shared)?;
        let (sequence, checkpoint) = (snapshot.sequence()?, snapshot.checkpoint()?);
        let digest = snapshot.kept_digest()?;
        Ok(Self { shared, published: Arc::default(), sequence, checkpoint, digest, updater: None })
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
