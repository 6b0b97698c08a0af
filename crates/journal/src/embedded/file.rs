//! The file: its tables, making it, opening it, and what is refused.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use grantbook_domain::time::Timestamp;
use grantbook_files as files;
use redb::{
    Builder, Database, DatabaseError, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, StorageError, TableDefinition, TableError, backends::FileBackend,
};

use crate::Identity;

/// The file's name in the data directory.
pub const FILE_NAME: &str = "journal.redb";
/// The layout of the file that this version reads and writes.
pub const FILE_FORMAT: u16 = 1;

/// `format`, `installation` and `created_at` (milliseconds), each as text.
const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
/// Sequence, from 1 without a gap, to the organization's id (16 bytes) followed by the frame.
pub(super) const FRAMES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("frames");
/// Sequence of a foreign message to the length of its subject's last token (u32, least significant byte first), the token,
/// and the payload. The table is made with the first of them, so that older files have none; the sequences of both
/// tables together have no gap.
pub(super) const FOREIGN: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("foreign");
/// Organization to the last sequence of its subject, of a frame or a foreign message: what appends are guarded by.
pub(super) const LAST: TableDefinition<'_, [u8; 16], u64> = TableDefinition::new("last");
/// Frames are read once, in order: a large cache would hold what nobody asks for again.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Why a journal file cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// There is none.
    #[error("there is no journal at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is one, with something in it.
    #[error("there is a journal with frames at {} already", path.display())]
    NotEmpty {
        /// Where it is.
        path: PathBuf,
    },
    /// Another process, or this one, has it open.
    #[error("the journal at {} is in use by another process", path.display())]
    InUse {
        /// Where it is.
        path: PathBuf,
    },
    /// Another layout.
    #[error("journal file format {found} is not understood, expected {FILE_FORMAT}")]
    Format {
        /// What the file says.
        found: String,
    },
    /// A file, but not one of ours.
    #[error("{} is not a journal", path.display())]
    NotAJournal {
        /// Where it is.
        path: PathBuf,
    },
    /// The file is not what was written.
    #[error("the journal's file {} is damaged: {what}; restore it from a backup", path.display())]
    DamagedFile {
        /// Where it is.
        path: PathBuf,
        /// What the store says.
        what: String,
    },
    /// Frames are missing.
    #[error("the journal is damaged: it holds {frames} frames, but its last sequence is {head}")]
    Damaged {
        /// How many there are, foreign messages included.
        frames: u64,
        /// How many there should be.
        head: u64,
    },
    /// The file system refuses.
    #[error("the journal file cannot be used")]
    Io(#[source] io::Error),
    /// The store refuses.
    #[error("the journal file cannot be used")]
    Store(#[source] redb::Error),
}

/// Makes the file and its tables, durably.
pub(super) fn create(directory: &Path, identity: Identity) -> Result<Database, EmbeddedError> {
    files::make_directory(directory).map_err(EmbeddedError::Io)?;
    let path = directory.join(FILE_NAME);
    // Readable by its owner only: events hold people's names and addresses.
    let file = files::open_or_create(&path).map_err(EmbeddedError::Io)?;
    let db = open_file(file, &path)?;
    expect_unused(&db, &path)?;
    initialize(&db, identity).map_err(EmbeddedError::Store)?;
    sync_directory(directory).map_err(EmbeddedError::Io)?;
    Ok(db)
}

/// Makes the tables, durably.
pub(super) fn initialize(db: &Database, identity: Identity) -> Result<(), redb::Error> {
    let transaction = db.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert("format", FILE_FORMAT.to_string().as_str())?;
        meta.insert("installation", identity.installation.to_string().as_str())?;
        meta.insert("created_at", identity.created_at.millis().to_string().as_str())?;
        transaction.open_table(FRAMES)?;
        transaction.open_table(LAST)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Opens the file; the journal's identity and head.
pub(super) fn open(directory: &Path) -> Result<(Database, Identity, u64), EmbeddedError> {
    let path = directory.join(FILE_NAME);
    let opened = files::open(&path).map_err(|error| {
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        if is_missing { EmbeddedError::Missing { path: path.clone() } } else { EmbeddedError::Io(error) }
    })?;
    // redb would make a database of an empty file, which is the opposite of what opening means.
    if opened.metadata().map_err(EmbeddedError::Io)?.len() == 0 {
        return Err(EmbeddedError::NotAJournal { path });
    }
    let db = open_file(opened, &path)?;
    let (identity, head) = inspect(&db.begin_read().map_err(store)?, &path)?;
    Ok((db, identity, head))
}

/// The journal's identity and head, after a look at whether it is one of ours, and whole.
pub(super) fn inspect(transaction: &ReadTransaction, path: &Path) -> Result<(Identity, u64), EmbeddedError> {
    let not_ours = || EmbeddedError::NotAJournal { path: path.to_owned() };
    let meta = transaction
        .open_table(META)
        .map_err(|error| if let TableError::Storage(error) = error { store(error) } else { not_ours() })?;
    let text = |name: &str| -> Result<String, EmbeddedError> {
        let value = meta.get(name).map_err(store)?;
        value.map(|value| value.value().to_owned()).ok_or_else(not_ours)
    };
    let format = text("format")?;
    if format != FILE_FORMAT.to_string() {
        return Err(EmbeddedError::Format { found: format });
    }
    let installation = text("installation")?.parse().map_err(|_| not_ours())?;
    let created_at = Timestamp::from_millis(text("created_at")?.parse().map_err(|_| not_ours())?);
    let frames = transaction.open_table(FRAMES).map_err(store)?;
    let (mut count, mut head) = extent(&frames)?;
    if let Some(foreign) = open_foreign(transaction).map_err(EmbeddedError::Store)? {
        let (further, last) = extent(&foreign)?;
        (count, head) = (count.saturating_add(further), head.max(last));
    }
    if count != head {
        return Err(EmbeddedError::Damaged { frames: count, head });
    }
    Ok((Identity { installation, created_at }, head))
}

/// How many rows a table has, and the last one's sequence.
fn extent(table: &ReadOnlyTable<u64, &'static [u8]>) -> Result<(u64, u64), EmbeddedError> {
    let last = table.last().map_err(store)?.map_or(0, |(sequence, _)| sequence.value());
    Ok((table.len().map_err(store)?, last))
}

/// The table of foreign messages; none if there has never been any.
pub(super) fn open_foreign(
    transaction: &ReadTransaction,
) -> Result<Option<ReadOnlyTable<u64, &'static [u8]>>, redb::Error> {
    match transaction.open_table(FOREIGN) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A foreign message as its table holds it.
pub(super) fn foreign_value(token: &str, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(token.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes(), token.as_bytes(), bytes].concat()
}

/// What [`foreign_value`] made; none if it did not.
pub(super) fn foreign_parts(value: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = value.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (token, bytes) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(token).ok()?, bytes))
}

fn open_file(file: File, path: &Path) -> Result<Database, EmbeddedError> {
    let opened = FileBackend::new(file)
        .and_then(|backend| Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend));
    opened.map_err(|error| explain(error, path))
}

/// A file that has tables may be made anew only if it is ours and nothing was ever appended.
fn expect_unused(db: &Database, path: &Path) -> Result<(), EmbeddedError> {
    let transaction = db.begin_read().map_err(store)?;
    if transaction.list_tables().map_err(store)?.next().is_none() {
        return Ok(());
    }
    match inspect(&transaction, path)? {
        (_, 0) => Ok(()),
        _ => Err(EmbeddedError::NotEmpty { path: path.to_owned() }),
    }
}

/// A new file is durable only once its directory is.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

fn explain(error: DatabaseError, path: &Path) -> EmbeddedError {
    let path = path.to_owned();
    if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
        return EmbeddedError::InUse { path };
    }
    let is_other_data = matches!(
        &error,
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData
    );
    if is_other_data { EmbeddedError::NotAJournal { path } } else { store(error) }
}

fn store(error: impl Into<redb::Error>) -> EmbeddedError {
    EmbeddedError::Store(error.into())
}
