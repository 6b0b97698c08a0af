//! Opening a journal, wherever it is, and a data directory to keep what is known of it.

use std::{
    fmt, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    Identity, Item, Journal, ReadError, Tail as _,
    embedded::{EmbeddedError, EmbeddedJournal},
    follow::{doubt::JournalDoubt, known_head::HeadFileError},
    jetstream::{JetStreamError, JetStreamJournal, NatsOptions},
};
use grantbook_files as files;
use tokio::task::{JoinError, spawn_blocking};

/// Items read at once.
const ITEMS: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(items) => items,
    None => NonZeroUsize::MIN,
};
/// How long the journal may take to give the next ones.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a journal is.
#[derive(Debug, Clone)]
pub enum JournalAddress {
    /// In a file of this directory.
    Embedded(PathBuf),
    /// In a stream of NATS servers.
    Nats(Box<NatsOptions>),
}

impl fmt::Display for JournalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(data) => data.display().fmt(f),
            Self::Nats(options) => options.fmt(f),
        }
    }
}

/// Why a journal does not open, or must not be believed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
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
    /// The journal cannot be read.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// The journal is not the one, or not as long as, was seen here before.
    #[error("{0}")]
    Doubted(JournalDoubt),
    /// What is known of the journal cannot be read or kept.
    #[error("{0}")]
    HeadFile(#[from] HeadFileError),
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
    /// A task of the runtime has failed.
    #[error("a task failed: {0}")]
    Task(#[from] JoinError),
}

/// A journal that is open, whatever keeps it.
#[derive(Debug)]
pub enum OpenJournal {
    /// In a file.
    Embedded(Arc<EmbeddedJournal>),
    /// In a stream of NATS servers.
    JetStream(Arc<JetStreamJournal>),
}

impl OpenJournal {
    /// Opens the journal beside the runtime: after a crash a file takes as long as it takes to read.
    pub async fn open(address: &JournalAddress) -> Result<Self, OpenError> {
        let opened = Self::open_any(address).await?;
        let only_foreign = match &opened {
            Self::Embedded(journal) => only_foreign(journal.as_ref()).await,
            Self::JetStream(journal) => only_foreign(journal.as_ref()).await,
        };
        match only_foreign {
            Some(count) => Err(OpenError::OnlyForeign { place: address.to_string(), count }),
            None => Ok(opened),
        }
    }

    async fn open_any(address: &JournalAddress) -> Result<Self, OpenError> {
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
    pub async fn create(
        address: &JournalAddress,
        identity: Identity,
        replicas: Option<u8>,
    ) -> Result<Self, OpenError> {
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
    pub fn identity(&self) -> Identity {
        match self {
            Self::Embedded(journal) => journal.identity(),
            Self::JetStream(journal) => journal.identity(),
        }
    }

    /// Gives a file free, unless somebody still holds the journal.
    pub async fn close(self) -> Result<(), OpenError> {
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

/// Makes a data directory that only its owner gets into, as what lies there names people. One that is there is left as it
/// is, and refused if a stranger can write it. Blocks.
pub fn make_directory(path: &Path) -> Result<(), OpenError> {
    files::make_directory(path).map_err(|source| OpenError::Write { path: path.to_owned(), source })?;
    Ok(files::expect_ours(path)?)
}

/// In the operator's words.
pub fn explain(error: EmbeddedError, data: &Path) -> OpenError {
    let data = data.to_owned();
    match error {
        EmbeddedError::Missing { .. } => OpenError::NoJournal(data),
        EmbeddedError::NotEmpty { .. } => OpenError::NotEmpty(data.display().to_string()),
        EmbeddedError::InUse { .. } => OpenError::InUse(data),
        EmbeddedError::Format { .. }
        | EmbeddedError::NotAJournal { .. }
        | EmbeddedError::DamagedFile { .. }
        | EmbeddedError::Damaged { .. }
        | EmbeddedError::Io(_)
        | EmbeddedError::Store(_) => OpenError::Journal { data, source: error },
    }
}
