//! All rows of a view in chunks, as a snapshot carries them, and a new view made of such chunks.
//!
//! A chunk holds rows of one table in the order of their keys: the table's name behind its length (u8), then of each row the
//! key and the value, each behind its length (u32).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use grantbook_domain::id::InstallationId;
use redb::{Database, Durability};

use crate::{
    store::{
        digest::ViewDigest,
        encode::{Put, Take},
        error::ViewError,
        snapshot::Snapshot,
        table::{META, META_CHECKPOINT, META_DIGEST, META_SEQUENCE, Table},
    },
    write::writer::{ViewWriter, create},
};

/// A chunk is closed once it has so many bytes.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Rows of one table, and their digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    table: Table,
    bytes: Vec<u8>,
    /// Where the rows begin.
    start: usize,
    rows: u64,
    digest: ViewDigest,
}

impl Chunk {
    fn of(table: Table) -> Self {
        let name = table.name().as_bytes();
        let len = u8::try_from(name.len()).unwrap_or(u8::MAX);
        let bytes = Put::new(CHUNK_BYTES).u8(len).raw(name).done();
        Self { table, start: bytes.len(), bytes, rows: 0, digest: ViewDigest::default() }
    }

    /// Takes bytes that [`Chunk::bytes`] gave apart, and adds up its rows.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, ViewError> {
        let bad = || ViewError::bad_row("snapshot", "a chunk of a table that this version does not have");
        let (len, rest) = bytes.split_first().ok_or_else(bad)?;
        let name = rest.get(..usize::from(*len)).ok_or_else(bad)?;
        let table = Table::ALL.into_iter().find(|table| table.name().as_bytes() == name).ok_or_else(bad)?;
        let start = name.len().saturating_add(1);
        let mut chunk = Self { table, bytes, start, rows: 0, digest: ViewDigest::default() };
        let (mut digest, mut rows) = (ViewDigest::default(), 0_u64);
        chunk.each(|key, value| {
            digest.add(table, key, value);
            rows = rows.saturating_add(1);
            Ok(())
        })?;
        (chunk.digest, chunk.rows) = (digest, rows);
        Ok(chunk)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many rows it has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The sum over its rows; those of all chunks add up to the view's.
    pub fn digest(&self) -> ViewDigest {
        self.digest
    }

    fn push(&mut self, key: &[u8], value: &[u8]) {
        let put = Put::from_bytes(std::mem::take(&mut self.bytes));
        self.bytes = put.len(key.len()).raw(key).len(value.len()).raw(value).done();
        self.rows = self.rows.saturating_add(1);
        self.digest.add(self.table, key, value);
    }

    fn each(&self, mut look: impl FnMut(&[u8], &[u8]) -> Result<(), ViewError>) -> Result<(), ViewError> {
        let mut take = Take::new(self.table, self.bytes.get(self.start..).unwrap_or_default());
        while !take.rest().is_empty() {
            let len = take.u32()?;
            let key = take.raw(usize::try_from(len).unwrap_or(usize::MAX))?;
            let len = take.u32()?;
            look(key, take.raw(usize::try_from(len).unwrap_or(usize::MAX))?)?;
        }
        Ok(())
    }
}

impl Snapshot {
    /// Hands out all rows, table by table, in the order of the keys.
    pub fn dump<E: From<ViewError>>(&self, mut sink: impl FnMut(Chunk) -> Result<(), E>) -> Result<(), E> {
        for table in Table::ALL {
            let mut chunk = Chunk::of(table);
            for row in self.range(table, &[], None)? {
                let (key, value) = row?;
                chunk.push(key.value(), value.value());
                if chunk.bytes.len() >= CHUNK_BYTES {
                    sink(std::mem::replace(&mut chunk, Chunk::of(table)))?;
                }
            }
            if chunk.rows > 0 {
                sink(chunk)?;
            }
        }
        Ok(())
    }
}

/// A view that is being made of chunks, in a file of its own; nothing takes it for a view before [`Loader::finish`].
#[derive(Debug)]
pub struct Loader {
    db: Database,
    path: PathBuf,
    digest: ViewDigest,
    rows: u64,
    /// The table and the key of the last row.
    last: Option<(Table, Vec<u8>)>,
}

/// What a loaded view must be, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'a> {
    /// The sequence of the last frame in it.
    pub sequence: u64,
    /// What stood beside the last batch.
    pub checkpoint: &'a [u8],
    /// The sum of all rows.
    pub digest: ViewDigest,
}

impl Loader {
    /// Begins in a new file; what is left there of an earlier try is removed.
    pub fn begin(path: &Path) -> Result<Self, ViewError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ViewError::Replace { path: path.to_owned(), source: error });
            }
            _ => {}
        }
        let db = create(path)?;
        Ok(Self { db, path: path.to_owned(), digest: ViewDigest::default(), rows: 0, last: None })
    }

    /// How many rows it has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes the next rows. Their keys must go up, so that none comes twice.
    pub fn load(&mut self, chunk: &Chunk) -> Result<(), ViewError> {
        let mut transaction = self.db.begin_write()?;
        transaction.set_durability(Durability::None)?;
        {
            let mut open = transaction.open_table(chunk.table.definition())?;
            let (table, mut last) = (chunk.table, self.last.take());
            chunk.each(|key, value| {
                match &mut last {
                    Some((of, before)) if *of == table => {
                        if before.as_slice() >= key {
                            return Err(ViewError::bad_row(
                                table.name(),
                                "rows of a snapshot are not in order",
                            ));
                        }
                        before.clear();
                        before.extend_from_slice(key);
                    }
                    other => *other = Some((table, key.to_vec())),
                }
                open.insert(key, value)?;
                Ok(())
            })?;
            self.last = last;
        }
        transaction.commit()?;
        self.digest.join(chunk.digest);
        self.rows = self.rows.saturating_add(chunk.rows);
        Ok(())
    }

    /// Makes it a view, durable on return, if the rows are those that they should be; else its file is of no use.
    pub fn finish(self, installation: InstallationId, whole: &Whole<'_>) -> Result<ViewWriter, ViewError> {
        if self.digest != whole.digest {
            return Err(ViewError::Diverged { kept: whole.digest, found: self.digest });
        }
        let transaction = self.db.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(META_SEQUENCE, whole.sequence.to_be_bytes().as_slice())?;
            meta.insert(META_CHECKPOINT, whole.checkpoint)?;
            meta.insert(META_DIGEST, whole.digest.bytes().as_slice())?;
        }
        ViewWriter::label(&transaction, installation)?;
        transaction.commit()?;
        ViewWriter::resume(self.db)
    }

    /// Gives it up and removes its file.
    pub fn discard(self) {
        drop(self.db);
        // A file that stays is removed by the next try.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}
