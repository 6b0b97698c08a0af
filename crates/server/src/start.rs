//! What every beginning shares: the journal, and what can go wrong before anything runs.

use std::{
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use grantbook_domain::{
    id::InstallationId,
    refusal::Refusal,
    text::{TextFault, check_prose},
    time::Timestamp,
};
use grantbook_files as files;
use grantbook_journal::{
    AppendError, Identity, Item, Journal, ReadError, Tail as _,
    embedded::{EmbeddedError, EmbeddedJournal},
    frame::FrameError,
    jetstream::{JetStreamError, JetStreamJournal},
};
use grantbook_views::ViewError;
use tokio::task::{JoinError, spawn_blocking};

use crate::{
    command::{Fold, FoldError, OrgFold, SubmitError},
    config::{ConfigError, JournalAddress},
    doubt::JournalDoubt,
    known_head::HeadFileError,
    relay::RelayError,
    secret::{NoRandomness, held},
    snapshots::SnapshotError,
    webhooks::{StoreError, TlsError, WebhookKeyError},
};

/// Items read at once.
const ITEMS: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(items) => items,
    None => NonZeroUsize::MIN,
};
/// How long the journal may take to give the next ones.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the server, or an operator's command, cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration does not make sense.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// There is no journal yet.
    #[error("there is no journal in {}: run `grantbook init` first", .0.display())]
    NoJournal(PathBuf),
    /// There is one already.
    #[error(
        "{0} holds a journal already: init makes the first organization of a new one; use `grantbook org create` for another organization"
    )]
    NotEmpty(String),
    /// There is a stream, but nothing was ever appended to it.
    #[error(
        "{place} holds {count} foreign messages and no frame: nobody appended anything to it. It is no journal: delete it, find out who may publish there (`grantbook doctor`), and run `grantbook init`, or restore a backup"
    )]
    OnlyForeign {
        /// Where it is.
        place: String,
        /// How many there are.
        count: u64,
    },
    /// Another process has it.
    #[error("the journal in {} is in use by another process: stop the server first", .0.display())]
    InUse(PathBuf),
    /// The journal's file does not open.
    #[error("the journal in {} cannot be opened: {source}", data.display())]
    Journal {
        /// The data directory.
        data: PathBuf,
        /// Why.
        source: EmbeddedError,
    },
    /// The journal in NATS does not open.
    #[error("{0}")]
    JetStream(#[from] JetStreamError),
    /// No relay starts.
    #[error("{0}")]
    Relay(#[from] RelayError),
    /// The journal cannot be read.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// Others were faster, again and again.
    #[error("other processes write to the journal at the same time: stop them, or try again")]
    Contended,
    /// The journal is not the one, or not as long as, was seen here before.
    #[error("{0}")]
    Doubted(JournalDoubt),
    /// A reason that is not kept.
    #[error("the reason {0}")]
    Reason(TextFault),
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
    /// What is known of the journal cannot be read or kept.
    #[error("{0}")]
    HeadFile(#[from] HeadFileError),
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
    /// The journal does not fold.
    #[error("the journal in {place} cannot be replayed: {source}")]
    Replay {
        /// The data directory, or the stream.
        place: String,
        /// What is wrong, and at which sequence.
        source: FoldError,
    },
    /// The view does not open.
    #[error("{0}")]
    View(#[from] ViewError),
    /// A snapshot cannot be made or looked for.
    #[error("{0}")]
    Snapshot(#[from] SnapshotError),
    /// A view cannot be looked at while another process has it.
    #[error("the view {} is in use: stop the process that uses it first", .0.display())]
    ViewInUse(PathBuf),
    /// A view that was named is none of this journal.
    #[error("{} is not a view of this journal in the format of this version", .0.display())]
    NoSuchView(PathBuf),
    /// There is a view already that goes on.
    #[error("{} is a view that goes on from where it is: remove it first, if it is to be made anew", .0.display())]
    ViewThere(PathBuf),
    /// The journal cannot be followed.
    #[error("the new view is quarantined at sequence {sequence}: {why}")]
    Quarantined {
        /// The last sequence in the view.
        sequence: u64,
        /// Why.
        why: String,
    },
    /// The address is not free.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A file or directory cannot be made.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A stranger can write the data directory.
    #[error("the data directory is not safe: {0}")]
    Exposed(#[from] files::Exposed),
    /// Requests cannot be taken any more.
    #[error("the server failed: {0}")]
    Serve(#[source] io::Error),
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
    /// The webhook key cannot be read.
    #[error("{0}")]
    WebhookKey(#[from] WebhookKeyError),
    /// The file of webhook deliveries is of no use.
    #[error("{0}")]
    WebhookStore(#[from] StoreError),
    /// Webhooks cannot be sent.
    #[error("{0}")]
    WebhookTls(#[from] TlsError),
    /// A task of the runtime has failed.
    #[error("a task failed: {0}")]
    Task(#[from] JoinError),
}

/// A journal that is open, whatever keeps it.
#[derive(Debug)]
pub(crate) enum OpenJournal {
    /// In a file.
    Embedded(Arc<EmbeddedJournal>),
    /// In a stream of NATS servers.
    JetStream(Arc<JetStreamJournal>),
}

impl OpenJournal {
    /// Opens the journal beside the runtime: after a crash a file takes as long as it takes to read.
    pub(crate) async fn open(address: &JournalAddress) -> Result<Self, StartError> {
        let opened = Self::open_any(address).await?;
        let only_foreign = match &opened {
            Self::Embedded(journal) => only_foreign(journal.as_ref()).await,
            Self::JetStream(journal) => only_foreign(journal.as_ref()).await,
        };
        match only_foreign {
            Some(count) => Err(StartError::OnlyForeign { place: address.to_string(), count }),
            None => Ok(opened),
        }
    }

    async fn open_any(address: &JournalAddress) -> Result<Self, StartError> {
        match address {
            JournalAddress::Embedded(data) => {
                let directory = data.clone();
                let opened = spawn_blocking(move || {
                    if directory.is_dir() {
                        files::expect_ours(&directory)?;
                    }
                    EmbeddedJournal::open(&directory).map_err(|error| explain(error, &directory))
                });
                Ok(Self::Embedded(Arc::new(opened.await??)))
            }
            JournalAddress::Nats(options) => {
                let opened = JetStreamJournal::open(options).await?;
                Ok(Self::JetStream(Arc::new(opened)))
            }
        }
    }

    /// Makes a journal. Refuses one that holds anything.
    pub(crate) async fn create(
        address: &JournalAddress,
        identity: Identity,
        replicas: Option<u8>,
    ) -> Result<Self, StartError> {
        match address {
            JournalAddress::Embedded(data) => {
                let directory = data.clone();
                let made = spawn_blocking(move || {
                    make_directory(&directory)?;
                    EmbeddedJournal::create(&directory, identity).map_err(|error| explain(error, &directory))
                });
                Ok(Self::Embedded(Arc::new(made.await??)))
            }
            JournalAddress::Nats(options) => {
                let made = JetStreamJournal::create(options, identity, replicas).await?;
                Ok(Self::JetStream(Arc::new(made)))
            }
        }
    }

    /// Which journal it is.
    pub(crate) fn identity(&self) -> Identity {
        match self {
            Self::Embedded(journal) => journal.identity(),
            Self::JetStream(journal) => journal.identity(),
        }
    }

    /// Gives a file free, unless somebody still holds the journal.
    pub(crate) async fn close(self) -> Result<(), StartError> {
        let Self::Embedded(journal) = self else { return Ok(()) };
        if let Ok(journal) = Arc::try_unwrap(journal) {
            spawn_blocking(move || journal.close()).await?;
        } else {
            tracing::warn!("the journal is still held; it closes with the process");
        }
        Ok(())
    }
}

/// How many foreign messages a journal holds that holds no frame; none if it holds a frame or nothing. A journal that
/// does not answer shows nothing: its next reader says why.
async fn only_foreign(journal: &impl Journal) -> Option<u64> {
    if !matches!(journal.read_one(1).await, Ok(Some(Item::Foreign(_)))) {
        return None;
    }
    let (head, mut tail, mut read) = (journal.head().await.ok()?, journal.tail(0), 0);
    while read < head {
        let items = tail.next(ITEMS, READ_TIMEOUT).await.ok()?;
        if items.iter().any(|item| item.frame().is_some()) {
            return None;
        }
        read = items.last()?.sequence();
    }
    Some(read)
}

/// The fold of a whole journal.
pub(crate) async fn replay<J: Journal>(journal: &J, address: &JournalAddress) -> Result<Fold, StartError> {
    let failed = |source| StartError::Replay { place: address.to_string(), source };
    Fold::replay(journal).await.map_err(failed)
}

/// That an operator's reason can be kept, and holds no key that is good now in any organization. Judged before anything is
/// done that cannot be taken back.
pub(crate) fn expect_reason(reason: &str, fold: &Fold, now: Timestamp) -> Result<(), StartError> {
    check_prose(reason).map_err(StartError::Reason)?;
    let holds_none = |one: &OrgFold| held::in_text(reason, one.state(), now).is_ok();
    if fold.organizations().all(holds_none) { Ok(()) } else { Err(StartError::Reason(TextFault::HoldsKey)) }
}

/// Makes a data directory that only its owner gets into, as what lies there names people. One that is there is left as it
/// is, and refused if a stranger can write it. Blocks.
pub(crate) fn make_directory(path: &Path) -> Result<(), StartError> {
    files::make_directory(path).map_err(|source| StartError::Write { path: path.to_owned(), source })?;
    Ok(files::expect_ours(path)?)
}

/// In the operator's words.
pub(crate) fn explain(error: EmbeddedError, data: &Path) -> StartError {
    let data = data.to_owned();
    match error {
        EmbeddedError::Missing { .. } => StartError::NoJournal(data),
        EmbeddedError::NotEmpty { .. } => StartError::NotEmpty(data.display().to_string()),
        EmbeddedError::InUse { .. } => StartError::InUse(data),
        EmbeddedError::Format { .. }
        | EmbeddedError::NotAJournal { .. }
        | EmbeddedError::DamagedFile { .. }
        | EmbeddedError::Damaged { .. }
        | EmbeddedError::Io(_)
        | EmbeddedError::Store(_) => StartError::Journal { data, source: error },
    }
}
