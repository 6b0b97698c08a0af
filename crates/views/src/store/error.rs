//! What can go wrong in a view. A question that is answered "no" is no error.

use std::path::PathBuf;

use grantbook_domain::{id::OrgId, position::Position};

use crate::store::digest::ViewDigest;

/// Why a view could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The store failed, or says that its file is damaged.
    #[error("the view's store failed: {0}")]
    Storage(#[source] Box<redb::Error>),
    /// The file cannot be opened as a view. Nothing was changed; if it is a damaged view, delete it and it is rebuilt.
    #[error("cannot open {} as a view (a damaged view may be deleted, it is rebuilt from the journal): {source}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Box<redb::Error>,
    },
    /// The file is a database, but not a view of ours. Nothing was changed.
    #[error("{} holds something that is not a view", .0.display())]
    NotAView(PathBuf),
    /// The old file could not be removed.
    #[error("cannot replace {}: {source}", path.display())]
    Replace {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A row does not decode: the file is damaged, or was written by something else.
    #[error("the view's table {table} holds a row that does not decode: {detail}")]
    BadRow {
        /// Which table.
        table: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// Frames must come in the journal's order, each once.
    #[error("frame {found} came where one after {after} was due")]
    OutOfOrder {
        /// The last sequence applied, or that of the record before.
        after: u64,
        /// The sequence that came.
        found: u64,
    },
    /// An organization's records must come without a gap.
    #[error("organization {org}: record {found} at position {position} came where {expected} was due")]
    Gap {
        /// Whose.
        org: OrgId,
        /// Where.
        position: Position,
        /// The ordinal that was due.
        expected: u64,
        /// The ordinal that came.
        found: u64,
    },
    /// A record says something that no row can express; applying goes no further.
    #[error("the record at position {position} is not understood: {detail}")]
    NotUnderstood {
        /// Where.
        position: Position,
        /// What is odd.
        detail: String,
    },
    /// The rows are not those that the writer left: the file was damaged, or changed by somebody else.
    #[error("the view is damaged: its rows add up to {found}, not to the digest kept, {kept}")]
    Diverged {
        /// The digest kept beside the rows.
        kept: ViewDigest,
        /// The sum over the rows.
        found: ViewDigest,
    },
    /// The file is of another format.
    #[error("the view has format {found}, this version reads {expected}")]
    Format {
        /// Its format's number.
        found: u32,
        /// [`crate::FORMAT_VERSION`].
        expected: u32,
    },
    /// Pages of the file did not check out; the store has gone back to some that do.
    #[error("{} was damaged, and the store has gone back to what it could save: delete the file, it is rebuilt from the journal", .0.display())]
    Repaired(PathBuf),
    /// The caller of a long scan ended it, or nobody waits for the answer to a question any more.
    #[error("interrupted")]
    Interrupted,
    /// The question would take more work than one question may.
    #[error("the question would look at more than {limit} rows")]
    TooCostly {
        /// Most units of work.
        limit: u64,
    },
    /// A value does not serialize.
    #[error("a document does not serialize: {0}")]
    Json(#[from] serde_json::Error),
}

impl ViewError {
    pub(crate) fn bad_row(table: &'static str, detail: impl Into<String>) -> Self {
        Self::BadRow { table, detail: detail.into() }
    }
}

impl From<redb::StorageError> for ViewError {
    fn from(error: redb::StorageError) -> Self {
        Self::Storage(Box::new(error.into()))
    }
}
impl From<redb::TableError> for ViewError {
    fn from(error: redb::TableError) -> Self {
        Self::Storage(Box::new(error.into()))
    }
}
impl From<redb::TransactionError> for ViewError {
    fn from(error: redb::TransactionError) -> Self {
        Self::Storage(Box::new(error.into()))
    }
}
impl From<redb::CommitError> for ViewError {
    fn from(error: redb::CommitError) -> Self {
        Self::Storage(Box::new(error.into()))
    }
}
impl From<redb::SetDurabilityError> for ViewError {
    fn from(error: redb::SetDurabilityError) -> Self {
        Self::Storage(Box::new(error.into()))
    }
}
impl From<redb::DatabaseError> for ViewError {
    fn from(error: redb::DatabaseError) -> Self {
        Self::Storage(Box::new(error.into()))
    }
}
