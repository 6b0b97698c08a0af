//! A new view made of a snapshot instead of the whole journal. Everything about the snapshot is looked at first; the next
//! older one is tried if anything is wrong with it, and in the end the journal is replayed.

mod load;

use std::{fs, io, path::Path, sync::Arc};

use grantbook_domain::id::{InstallationId, OrgId};
use grantbook_journal::{Item, Journal, ReadError, chain::OrgEnd, follow::open::OpenError, hash::Hash};
use grantbook_views::{FORMAT_VERSION, ListingError, ViewError, ViewWriter};

pub(crate) use load::opened;

use crate::{
    error::ReadSideError,
    snapshots::{Manifest, ManifestError, PublicKey, Signed, SnapshotError, Store},
};

/// What the name of the file that a view is loaded into ends with, before it is one.
pub const LOADING: &str = "loading.redb";
/// At most so many heads of organizations are compared with the journal, the latest ones. An older one that is wrong shows with
/// the next frame of its organization.
const HEADS_COMPARED: usize = 1000;
/// So many snapshots are tried before the journal is replayed; two are kept.
const TRIED_MAX: usize = 16;

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] SnapshotError),
    /// Its manifest is not believed.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// It is of another journal.
    #[error("it is of installation {found}, this is {expected}")]
    Installation {
        /// Whose it is.
        found: InstallationId,
        /// Whose it should be.
        expected: InstallationId,
    },
    /// Its rows have another layout.
    #[error("its rows have format {found}, this version reads {expected}")]
    Format {
        /// Its format.
        found: u32,
        /// [`FORMAT_VERSION`].
        expected: u32,
    },
    /// It knows more than the journal.
    #[error(
        "it is of sequence {sequence}, but the journal ends at {head}: it is from the future, or of another history"
    )]
    Future {
        /// Up to where it goes.
        sequence: u64,
        /// Where the journal ends.
        head: u64,
    },
    /// The journal holds other frames than it was made of.
    #[error("the frame at sequence {sequence} of the journal is not the one it was made of")]
    History {
        /// Where.
        sequence: u64,
    },
    /// The manifest does not say where the chains ended.
    #[error("its manifest does not hold the ends of the chains at its sequence")]
    Chains,
    /// A piece has another length.
    #[error("{piece} has {found} bytes, not {expected}: it was cut short, or exchanged")]
    Length {
        /// Which.
        piece: String,
        /// Its length.
        found: u64,
        /// What the manifest says.
        expected: u64,
    },
    /// A piece has other bytes.
    #[error("{piece} is damaged: its hash is not the one in the manifest")]
    Damaged {
        /// Which.
        piece: String,
    },
    /// A piece does not decompress.
    #[error("{piece} does not decompress: {fault}")]
    Squeezed {
        /// Which.
        piece: String,
        /// Why.
        fault: String,
    },
    /// The listing of access is of another form.
    #[error("its listing of access has form {found}, this version compares form {expected}")]
    Listing {
        /// Its form.
        found: u32,
        /// [`LISTING_FORM`](grantbook_views::LISTING_FORM).
        expected: u32,
    },
    /// The listing of access is not whole.
    #[error("its listing of access has {found} lines, not {expected}")]
    ListingEnds {
        /// How many there are.
        found: u64,
        /// What the manifest says.
        expected: u64,
    },
    /// The listing of access is none.
    #[error("{0}")]
    ListingError(#[from] ListingError),
    /// The rows make no view, or not the one that the manifest tells of.
    #[error("{0}")]
    View(#[from] ViewError),
    /// The journal does not answer.
    #[error("the journal cannot be asked whether it fits: {0}")]
    Journal(#[from] ReadError),
    /// The file cannot be put in its place.
    #[error("the view cannot be written: {0}")]
    File(#[from] io::Error),
    /// A task has failed.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// How far it has come.
#[derive(Debug, Clone, Copy)]
pub enum Stage<'a> {
    /// The snapshot of this name was looked at and is loaded: so many rows of so many.
    Loading {
        /// Which.
        name: &'a str,
        /// Rows loaded.
        rows: u64,
        /// Of so many.
        of: u64,
    },
    /// The snapshot of this name is not used.
    Refused {
        /// Which.
        name: &'a str,
        /// Why.
        why: &'a Refused,
    },
}

/// What is told of it.
pub type Tell<'a> = &'a mut (dyn FnMut(Stage<'_>) + Send);

/// Where snapshots are, whose are trusted, and what they must fit.
#[derive(Debug)]
pub struct Source<J> {
    /// What they must fit.
    pub journal: Arc<J>,
    /// Where they lie.
    pub store: Store,
    /// Whose are trusted.
    pub trust: Vec<PublicKey>,
}

/// Makes the view of the newest snapshot that is to be trusted; none: there is no such.
pub async fn bootstrap<J: Journal>(
    source: &Source<J>,
    view: &Path,
    tell: Tell<'_>,
) -> Result<Option<(ViewWriter, Manifest)>, ReadSideError> {
    let loading = view.with_extension(LOADING);
    let mut tried: Vec<String> = Vec::new();
    while tried.len() < TRIED_MAX {
        // Anew each time: the one that was tried may have been removed meanwhile, because a newer one was made.
        let names = match source.store.list().await {
            Ok(names) => names,
            Err(error) => {
                tracing::warn!(%error, "no snapshot can be looked for");
                return Ok(None);
            }
        };
        let Some(name) = names.into_iter().find(|name| !tried.contains(name)) else { break };
        tried.push(name.clone());
        match take(source, &name, &loading, tell).await {
            Ok((writer, manifest)) => {
                fs::rename(&loading, view)
                    .map_err(|source| OpenError::Write { path: view.to_owned(), source })?;
                return Ok(Some((writer, manifest)));
            }
            Err(why) => {
                tell(Stage::Refused { name: &name, why: &why });
                // A file that stays is removed by the next try.
                fs::remove_file(&loading).unwrap_or_default();
            }
        }
    }
    Ok(None)
}

async fn take<J: Journal>(
    source: &Source<J>,
    name: &str,
    loading: &Path,
    tell: Tell<'_>,
) -> Result<(ViewWriter, Manifest), Refused> {
    let Signed { manifest, by } = look(source, name).await?;
    tracing::debug!(name, %by, "a snapshot fits the journal");
    let writer = load::load(&source.store, name, (&manifest, loading), tell).await?;
    Ok((writer, manifest))
}

/// The manifest of a snapshot, if it is signed by somebody trusted, of this journal, of this format, and of this history.
pub async fn look<J: Journal>(source: &Source<J>, name: &str) -> Result<Signed, Refused> {
    let signed = Manifest::read(&source.store.manifest(name).await?, &source.trust)?;
    let found = signed.manifest.format;
    if found != FORMAT_VERSION {
        return Err(Refused::Format { found, expected: FORMAT_VERSION });
    }
    fits(source.journal.as_ref(), &signed.manifest).await?;
    Ok(signed)
}

/// Whether the journal holds the very frames that the snapshot was made of. The leader is asked.
pub(crate) async fn fits<J: Journal>(journal: &J, manifest: &Manifest) -> Result<(), Refused> {
    let expected = journal.identity().installation;
    if manifest.installation != expected {
        return Err(Refused::Installation { found: manifest.installation, expected });
    }
    let (sequence, head) = (manifest.sequence, journal.head().await?);
    if sequence > head {
        return Err(Refused::Future { sequence, head });
    }
    let checkpoint = &manifest.checkpoint;
    let mut ends: Vec<(OrgId, OrgEnd)> = checkpoint.orgs().ok_or(Refused::Chains)?.to_vec();
    if checkpoint.end.sequence != sequence {
        return Err(Refused::Chains);
    }
    ends.sort_unstable_by_key(|(_, end)| std::cmp::Reverse(end.sequence));
    // The last item is a frame, or a foreign message, which is in no organization's chain.
    let last = journal.read_one(sequence).await?;
    if last.as_ref().is_none_or(|last| last.hash() != checkpoint.end.hash) {
        return Err(Refused::History { sequence });
    }
    let is_frame = last.is_some_and(|last| last.frame().is_some());
    let end_of_frames = ends.first().map(|(_, end)| (end.sequence, end.hash));
    if end_of_frames.is_none_or(|end| end.0 > sequence)
        || is_frame && end_of_frames != Some((sequence, checkpoint.end.hash))
    {
        return Err(Refused::Chains);
    }
    for (org, end) in ends.into_iter().take(HEADS_COMPARED) {
        let stored = journal.read_one(end.sequence).await?.and_then(Item::into_frame);
        if stored.is_none_or(|stored| stored.org != org || Hash::of(&stored.bytes) != end.hash) {
            return Err(Refused::History { sequence: end.sequence });
        }
    }
    Ok(())
}
