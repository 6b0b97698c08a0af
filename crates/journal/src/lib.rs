//! What happened: frames of records, ordered, durable, encoded.
//!
//! A [`Journal`] is one stream of frames of all organizations. Every append is guarded by the organization's own
//! last sequence, so that of racing writers exactly one wins; nothing is ever deleted or rewritten. Readers check
//! what they read with [`chain::Chains`].
//!
//! Three keep it: a file of one machine ([`embedded`]), a stream of NATS servers ([`jetstream`]), and the memory of a
//! test ([`memory`]). One [suite](conformance) holds them to the same behaviour.
//
// Folders, lowest first: stamp; frame; conformance; embedded; jetstream; transfer; follow.

pub mod chain;
pub mod conformance;
pub mod embedded;
pub mod follow;
pub mod frame;
pub mod hash;
mod item;
pub mod jetstream;
pub mod log_throttle;
pub mod memory;
mod outcome;
mod patient_read;
pub mod stamp;

pub mod transfer;
pub mod verify;

use std::{error::Error, future::Future, num::NonZeroUsize, sync::Arc, time::Duration};

use bytes::Bytes;
use grantbook_domain::{
    id::{InstallationId, OrgId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

pub use item::{Foreign, Item, Stored};
pub use outcome::{append_surely, found_surely};
pub use patient_read::read_patiently;

/// Most bytes of items in one answer of [`Tail::next`]; a single item always fits.
pub const READ_MAX_BYTES: usize = 8 * 1024 * 1024;

/// An ordered, durable stream of frames, whatever keeps it.
///
/// Sequences count items from 1 without a gap, over all organizations. An item is a frame or a [foreign
/// message](Foreign). A journal does not look into frames; it knows whose they are and how long they are. There is no way
/// to delete or to rewrite.
pub trait Journal: Send + Sync + 'static {
    /// What reads the stream from some place on.
    type Tail: Tail;

    /// Which journal this is.
    fn identity(&self) -> Identity;

    /// Whether other processes may append too: then what this process has folded may be behind at any moment.
    fn is_shared(&self) -> bool;

    /// Appends a frame of `org` if the last item on the organization's subject is at sequence `after` (0: there is
    /// none), and answers with the frame's sequence once it is durable. A foreign message moves this guard as a frame does.
    ///
    /// Sending the very same frame again after it landed gives [`AppendError::Conflict`]; [`append_surely`] then
    /// looks whose frame is there. Dropping the future before it answered leaves the outcome unknown.
    fn append(
        &self,
        org: OrgId,
        after: u64,
        frame: Bytes,
    ) -> impl Future<Output = Result<u64, AppendError>> + Send;

    /// Appends the first frame of a new organization if the whole stream's last sequence is `head`: what was looked
    /// at before, such as the names of the other organizations, is then still so. Otherwise as
    /// [`Journal::append`]; sent again after it landed it is a conflict, and [`found_surely`] looks.
    fn found(
        &self,
        org: OrgId,
        head: u64,
        frame: Bytes,
    ) -> impl Future<Output = Result<u64, AppendError>> + Send;

    /// Puts a foreign message of this last token of a subject (letters, digits, `-` and `_`) behind the stream's last
    /// sequence `head`: for copies, which keep every item at its sequence.
    fn put_foreign(
        &self,
        token: &str,
        head: u64,
        bytes: Bytes,
    ) -> impl Future<Output = Result<u64, AppendError>> + Send;

    /// A reader of the items behind sequence `after`.
    fn tail(&self, after: u64) -> Self::Tail;

    /// The item at `sequence`, if there is one.
    fn read_one(&self, sequence: u64) -> impl Future<Output = Result<Option<Item>, ReadError>> + Send;

    /// The last sequence of the stream, 0 if it is empty; never older than an acknowledged append.
    fn head(&self) -> impl Future<Output = Result<u64, ReadError>> + Send;

    /// The first item on the organization's subject behind sequence `after`: the look behind a guard that did not hold,
    /// and the proof that a fold is not behind. Never older than an acknowledged append.
    fn next_of(&self, org: OrgId, after: u64)
    -> impl Future<Output = Result<Option<Item>, ReadError>> + Send;

    /// Why nothing is appended any more until the journal is opened anew; none as long as appends may succeed.
    fn halted(&self) -> Option<Cause>;

    /// What the store has at `sequence`, asked of every place where it may lie, each different answer once: for a
    /// reader who got something there that does not fit. None of them need fit either.
    fn copies(&self, sequence: u64) -> impl Future<Output = Result<Vec<Item>, ReadError>> + Send {
        async move { Ok(self.read_one(sequence).await?.into_iter().collect()) }
    }

    /// What readers of this process did not find at once where it should have been.
    fn gaps(&self) -> Gaps {
        Gaps::default()
    }
}

/// Frames that were missing, or wrong, in one place of a store that keeps several copies, and were sought in the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How many.
    pub met: u64,
    /// Their sequences, the last ones of them: at most [`Gaps::REMEMBERED`], in the order in which they were met.
    pub sequences: Vec<u64>,
}

impl Gaps {
    /// So many sequences are remembered.
    pub const REMEMBERED: usize = 20;

    /// Counts one more; one that was met last time is the same.
    pub fn meet(&mut self, sequence: u64) {
        if self.sequences.contains(&sequence) {
            return;
        }
        self.met += 1;
        if self.sequences.len() == Self::REMEMBERED {
            self.sequences.remove(0);
        }
        self.sequences.push(sequence);
    }
}

/// Reads the stream in order, from behind some sequence to its end and on as it grows.
///
/// After [`ReadError::Unavailable`] it may be asked again and goes on where it was.
pub trait Tail: Send + 'static {
    /// The next items, in stream order and without a gap: at most `limit`, and at most [`READ_MAX_BYTES`] unless a
    /// single item is longer. Waits for the first one for `patience` at most; empty: none came. That none came proves
    /// nothing, [`Journal::head`] does. Dropping the future loses no frame.
    fn next(
        &mut self,
        limit: NonZeroUsize,
        patience: Duration,
    ) -> impl Future<Output = Result<Vec<Item>, ReadError>> + Send;
}

/// Waits until the head lies behind `after`, at most for `patience`; whether it does.
pub(crate) async fn moved_beyond(head: &mut watch::Receiver<u64>, after: u64, patience: Duration) -> bool {
    // The value's guard must not live across a pause: it locks the channel.
    let waited = timeout(patience, head.wait_for(|head| *head > after)).await.map(|seen| seen.is_ok());
    if waited == Ok(false) {
        // Nobody will ever tell: the journal is closed. The caller's clock still goes by.
        sleep(patience).await;
    }
    waited == Ok(true)
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

/// What went wrong below, for the log; shared by all appends that it befell.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a frame was not, or may not have been, appended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Not appended: the last item on the organization's subject is not where the guard says.
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
    /// A file is not what was written.
    #[error(
        "the journal's file {file} is damaged at or behind sequence {sequence}: {what}; restore it from a backup"
    )]
    DamagedFile {
        /// The file.
        file: String,
        /// The first sequence that was not read.
        sequence: u64,
        /// What the store says.
        what: String,
    },
    /// The store holds another journal than the one that was opened: it was made anew, or changed under us.
    #[error("the journal is not the one that was opened: {0}")]
    Replaced(String),
}
