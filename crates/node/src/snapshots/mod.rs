//! Snapshots of the view, signed by the node that made them, so that a new node need not read the whole journal
//! (docs/adr/0018-signed-snapshots.md). A snapshot is never needed: without one, or with none that is to be trusted, the
//! journal is replayed.

mod key;
mod make;
mod manifest;
mod name;
mod store;

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use grantbook_domain::id::Id;
use grantbook_journal::jetstream::BucketError;
use grantbook_views::{ListingError, ViewError};

pub use key::{KeyError, PublicKey, SnapshotKey};
pub use make::{Made, SnapshotMaker, keep_making, make};
pub use manifest::{Listed, Manifest, ManifestError, Piece, Signed};
pub use store::{Draft, Store};

use self::name::SnapshotName;

/// How often a snapshot is made, unless somebody says otherwise.
pub const SNAPSHOT_EVERY: Duration = Duration::from_mins(15);
/// How many snapshots are kept.
pub const KEPT: usize = 2;

/// Marks the id of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeMark {}

/// The id of a node: of a data directory with a view.
pub type NodeId = Id<NodeMark>;

/// Where snapshots are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a directory, also one that several machines share.
    Directory(PathBuf),
    /// In the object store beside the journal in NATS.
    Nats,
}

impl FromStr for Place {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "nats" { Self::Nats } else { Self::Directory(text.into()) })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::Nats => f.write_str("the object store of NATS"),
        }
    }
}

/// What `serve` is told about snapshots.
#[derive(Debug, Clone)]
pub struct SnapshotConfig {
    /// Where they are; none: none are made and none are used.
    pub place: Option<Place>,
    /// The file of the key that signs them; none: none are made.
    pub key: Option<PathBuf>,
    /// Whose snapshots a new view may be made of; none: nobody's.
    pub trust: Vec<PublicKey>,
    /// How often one is made.
    pub every: Duration,
}

impl Default for SnapshotConfig {
    fn default() -> Self {
        Self { place: None, key: None, trust: Vec::new(), every: SNAPSHOT_EVERY }
    }
}

/// Why a snapshot could not be made, kept or found.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The key is of no use.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The view could not be read.
    #[error("{0}")]
    View(#[from] ViewError),
    /// A file could not be written, read or removed.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The object store fails.
    #[error("{0}")]
    Bucket(#[from] BucketError),
    /// The object store was asked for, but the journal is a file.
    #[error("snapshots in NATS need a journal in NATS: give a directory")]
    NoNats,
    /// The view has no frame yet, or does not know the ends of its chains.
    #[error("the view has nothing to make a snapshot of yet")]
    Nothing,
    /// What lies there is longer than what should.
    #[error("{piece} has more than {most} bytes")]
    TooLong {
        /// Which.
        piece: String,
        /// How long it may be.
        most: u64,
    },
    /// The projector has ended.
    #[error("the view is not followed any more")]
    Ended,
    /// The view that was asked for its rows is of no use to others.
    #[error("the view's checkpoint is not understood")]
    Checkpoint,
    /// The manifest does not serialize.
    #[error("the manifest does not serialize: {0}")]
    Json(#[from] serde_json::Error),
    /// The listing of access does not serialize.
    #[error("{0}")]
    Listing(#[from] ListingError),
    /// A task has failed.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}
