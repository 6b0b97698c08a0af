//! What happened: frames of records, ordered, durable, encoded.
//!
//! A [`Journal`] is one stream of frames of all organizations. Every append is guarded by the organization's own
//! last sequence, so that of racing writers exactly one wins; nothing is ever deleted or rewritten. Readers check
//! what they read with [`chain::Chains`].

pub mod chain;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod embedded;
pub mod frame;
pub mod hash;
pub mod memory;
mod outcome;

use std::{error::Error, future::Future, num::NonZeroUsize, sync::Arc};

use bytes::Bytes;
use grantbook_domain::{
    id::{InstallationId, OrgId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use outcome::append_surely;

/// Most bytes of frames in one answer of [`Journal::read`]; a single frame always fits.
pub const READ_MAX_BYTES: usize = 8 * 1024 * 1024;

/// An ordered, durable stream of frames, whatever keeps it.
///
/// Sequences count frames from 1 without a gap, over all organizations. A journal does not look into frames; it
/// knows whose they are and how long they are. There is no way to delete or to rewrite.
pub trait Journal: Send + Sync + 'static {
    /// Which journal this is.
    fn identity(&self) -> Identity;

    /// Appends a frame of `org` if the organization's last frame is at sequence `after` (0: it has none), and
    /// answers with the frame's sequence once it is durable.
    ///
    /// Sending the very same frame again after it landed gives [`AppendError::Conflict`]; [`append_surely`] then
    /// looks whose frame is there. Dropping the future before it answered leaves the outcome unknown.
    fn append(
        &self,
        org: OrgId,
        after: u64,
        frame: Bytes,
    ) -> impl Future<Output = Result<u64, AppendError>> + Send;

    /// The frames behind sequence `after`, in stream order, without a gap: at most `limit`, and at most
    /// [`READ_MAX_BYTES`] unless a single frame is longer. Empty: `after` is the head. May run ahead of what
    /// [`Journal::head`] says at that moment.
    fn read(
        &self,
        after: u64,
        limit: NonZeroUsize,
    ) -> impl Future<Output = Result<Vec<Stored>, ReadError>> + Send;

    /// The frame at `sequence`, if there is one.
    fn read_one(&self, sequence: u64) -> impl Future<Output = Result<Option<Stored>, ReadError>> + Send;

    /// The last sequence of the stream, 0 if it is empty; never older than an acknowledged append.
    fn head(&self) -> impl Future<Output = Result<u64, ReadError>> + Send;

    /// The organization's last frame; never older than an acknowledged append.
    fn last_of(&self, org: OrgId) -> impl Future<Output = Result<Option<Stored>, ReadError>> + Send;

    /// The organization's first frame behind sequence `after`: the look behind a guard that did not hold.
    /// Never older than an acknowledged append.
    fn next_of(
        &self,
        org: OrgId,
        after: u64,
    ) -> impl Future<Output = Result<Option<Stored>, ReadError>> + Send;

    /// Why nothing is appended any more until the journal is opened anew; none as long as appends may succeed.
    fn halted(&self) -> Option<Cause>;

    /// A hint that the head has moved; may be late, may skip values, never goes back.
    fn watch(&self) -> watch::Receiver<u64>;
}

/// Which journal: a copy that keeps its sequences keeps this too, a new one has another. An older copy put back in its
/// place is not told apart by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Named in every frame, and in every position that clients see.
    pub installation: InstallationId,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A frame in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// Whose it is, as the store says; [`chain::Chains`] compares it with what the frame says.
    pub org: OrgId,
    /// The whole frame.
    pub bytes: Bytes,
}

/// What went wrong below, for the log; shared by all appends that it befell.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a frame was not, or may not have been, appended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Not appended: the organization's last frame is not where the guard says.
    #[error("the organization's last frame is not at the expected sequence")]
    Conflict {
        /// Where it is, if the store says.
        actual: Option<u64>,
    },
    /// Not appended: the frame is longer than the journal takes.
    #[error("the frame has {bytes} bytes, at most {limit} are taken")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// Not appended, and a moment later it may be: the same frame may be sent again after a pause.
    #[error("the journal is busy")]
    Busy(#[source] Cause),
    /// It may be there now, or land later. A look that finds nothing proves nothing.
    #[error("it is unknown whether the frame was appended")]
    OutcomeUnknown(#[source] Cause),
    /// Not appended; the journal takes nothing at present.
    #[error("the journal is not available")]
    Unavailable(#[source] Cause),
}

/// Why frames could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The store does not answer.
    #[error("the journal cannot be read")]
    Unavailable(#[source] Cause),
    /// What the store holds is not what was put in.
    #[error("the journal is damaged at sequence {sequence}")]
    Damaged {
        /// Where.
        sequence: u64,
    },
}
