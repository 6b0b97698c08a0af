//! Why a view does not begin, or is not made.

use std::path::PathBuf;

use grantbook_journal::{ReadError, follow::open::OpenError};
use grantbook_views::ViewError;
use tokio::task::JoinError;

use crate::snapshots::SnapshotError;

/// Why a view does not begin, or is not made.
#[derive(Debug, thiserror::Error)]
pub enum ReadSideError {
    /// The journal does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The view does not open.
    #[error("{0}")]
    View(#[from] ViewError),
    /// A snapshot cannot be made or looked for.
    #[error("{0}")]
    Snapshot(#[from] SnapshotError),
    /// There is a view already that goes on.
    #[error("{} is a view that goes on from where it is: remove it first, if it is to be made anew", .0.display())]
    ViewThere(PathBuf),
    /// A view that was named is none of this journal.
    #[error("{} is not a view of this journal in the format of this version", .0.display())]
    NoSuchView(PathBuf),
    /// A view cannot be looked at while another process has it.
    #[error("the view {} is in use: stop the process that uses it first", .0.display())]
    ViewInUse(PathBuf),
    /// The journal cannot be followed.
    #[error("the new view is quarantined at sequence {sequence}: {why}")]
    Quarantined {
        /// The last sequence in the view.
        sequence: u64,
        /// Why.
        why: String,
    },
}

impl From<ReadError> for ReadSideError {
    fn from(error: ReadError) -> Self {
        Self::Open(error.into())
    }
}

impl From<JoinError> for ReadSideError {
    fn from(error: JoinError) -> Self {
        Self::Open(error.into())
    }
}
