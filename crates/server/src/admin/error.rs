//! Why an operator's command is not carried out.

use std::path::PathBuf;

use grantbook_domain::{id::InstallationId, refusal::Refusal, text::TextFault};
use grantbook_files as files;
use grantbook_journal::{
    AppendError, ReadError,
    follow::{burned::BurnError, known_head::HeadFileError, open::OpenError},
    frame::FrameError,
    jetstream::JetStreamError,
    stamp::ids::NoRandomness,
};
use grantbook_views::ViewError;
use tokio::task::JoinError;

use grantbook_command::{ReplayError, SubmitError};
use grantbook_node::error::ReadSideError;

/// Why an operator's command is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The journal does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The view does not begin, or is not made.
    #[error(transparent)]
    ReadSide(#[from] ReadSideError),
    /// The journal does not fold.
    #[error("{0}")]
    Replay(#[from] ReplayError),
    /// Others were faster, again and again.
    #[error("other processes write to the journal at the same time: stop them, or try again")]
    Contended,
    /// A reason that is not kept.
    #[error("the reason {0}")]
    Reason(#[from] TextFault),
    /// Nobody has a record of it.
    #[error(
        "the journal holds no organization, so nothing can be recorded in it: put a newer journal back, or restore a backup"
    )]
    NoOrganization,
    /// There is no rollback to accept.
    #[error(
        "the journal holds everything that is known of it here, up to sequence {head}: there is nothing to accept; if another process has seen more, give --above the sequence that it names"
    )]
    NothingLost {
        /// Where the journal ends.
        head: u64,
    },
    /// A head that cannot have been reached.
    #[error(
        "{burned} sequences would be burned, at most {limit} are: that is implausible; check the sequence"
    )]
    TooMuchLost {
        /// How many.
        burned: u64,
        /// The most.
        limit: u64,
    },
    /// A new journal was to be made where another one was kept.
    #[error(
        "processes with this data directory wrote to a journal before, of installation {installation} and at least {sequence} frames ({}): give the new journal another --data, or remove the file",
        path.display()
    )]
    HeadThere {
        /// The file that says so.
        path: PathBuf,
        /// Which journal.
        installation: InstallationId,
        /// How long it was.
        sequence: u64,
    },
    /// The name or e-mail is not acceptable.
    #[error("{}: {}", .0.pointer().unwrap_or_default().trim_start_matches('/'), .0)]
    Refused(Refusal),
    /// An organization has the name.
    #[error("there is an organization called {0} already")]
    OrganizationExists(String),
    /// No organization has the name or id.
    #[error("there is no organization {0}")]
    NoSuchOrganization(String),
    /// The command was not accepted.
    #[error("{0}")]
    Submit(#[from] SubmitError),
    /// The record was not appended.
    #[error("{0}")]
    Append(#[from] AppendError),
    /// The record cannot be written.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// No key can be made.
    #[error("{0}")]
    NoRandomness(#[from] NoRandomness),
}

impl From<ReadError> for AdminError {
    fn from(error: ReadError) -> Self {
        Self::Open(error.into())
    }
}

impl From<JetStreamError> for AdminError {
    fn from(error: JetStreamError) -> Self {
        Self::Open(error.into())
    }
}

impl From<HeadFileError> for AdminError {
    fn from(error: HeadFileError) -> Self {
        Self::Open(error.into())
    }
}

impl From<JoinError> for AdminError {
    fn from(error: JoinError) -> Self {
        Self::Open(error.into())
    }
}

impl From<files::Exposed> for AdminError {
    fn from(error: files::Exposed) -> Self {
        Self::Open(error.into())
    }
}

impl From<ViewError> for AdminError {
    fn from(error: ViewError) -> Self {
        Self::ReadSide(error.into())
    }
}

impl From<BurnError> for AdminError {
    fn from(error: BurnError) -> Self {
        match error {
            BurnError::Contended => Self::Contended,
            BurnError::Read(error) => error.into(),
            BurnError::Append(error) => error.into(),
        }
    }
}
