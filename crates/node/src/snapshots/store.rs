//! Where snapshots lie: a directory each, or a group of objects. One without a manifest is none.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use grantbook_files as files;
use grantbook_journal::jetstream::Bucket;
use tokio::task::spawn_blocking;

use crate::snapshots::{SnapshotError, SnapshotName};

/// The name of the manifest within a snapshot.
pub(super) const MANIFEST: &str = "manifest";

/// A manifest is not longer: enough for some 400,000 organizations.
const MANIFEST_MAX: u64 = 64 * 1024 * 1024;
/// After so long what is not whole is not made any more, in ms.
const GIVEN_UP: i64 = 86_400_000;

/// Where snapshots lie.
#[derive(Debug, Clone)]
pub enum Store {
    /// In this directory.
    Directory(PathBuf),
    /// In a bucket of NATS.
    Bucket(Box<Bucket>),
}

/// A snapshot that is being written; it is none before it is sealed.
#[derive(Debug)]
pub struct Draft {
    store: Store,
    name: String,
}

impl Store {
    /// The names of all snapshots, the newest position first. What is not called as a snapshot is none, and left alone.
    pub async fn list(&self) -> Result<Vec<String>, SnapshotError> {
        let mut names: Vec<String> = match self {
            Self::Directory(path) => {
                let path = path.clone();
                spawn_blocking(move || whole_ones(&path)).await??
            }
            Self::Bucket(bucket) => {
                let objects = bucket.list().await?;
                let whole = objects.iter().filter_map(|name| name.strip_suffix("/manifest"));
                whole.filter(|name| SnapshotName::parse(name).is_some()).map(str::to_owned).collect()
            }
        };
        names.sort_unstable();
        names.reverse();
        Ok(names)
    }

    /// A piece of a snapshot, of at most so many bytes: nothing longer is taken into memory.
    pub async fn get(&self, snapshot: &str, piece: &str, most: u64) -> Result<Bytes, SnapshotError> {
        let bytes: Bytes = match self {
            Self::Directory(path) => {
                let path = path.join(snapshot).join(piece);
                let read = spawn_blocking(move || read_at_most(&path, most).map_err(failed(&path)));
                read.await??.into()
            }
            Self::Bucket(bucket) => bucket.get(&format!("{snapshot}/{piece}"), most).await?,
        };
        match u64::try_from(bytes.len()) {
            Ok(found) if found <= most => Ok(bytes),
            _ => Err(SnapshotError::TooLong { piece: piece.to_owned(), most }),
        }
    }

    /// Its manifest, as it lies there.
    pub async fn manifest(&self, snapshot: &str) -> Result<Bytes, SnapshotError> {
        self.get(snapshot, MANIFEST, MANIFEST_MAX).await
    }

    /// Begins a snapshot. What the same maker left of one that it did not finish is removed, and what any maker left a day
    /// ago.
    pub async fn begin(&self, name: &str) -> Result<Draft, SnapshotError> {
        let begun = name.to_owned();
        let is_left = move |draft: &str| is_left(draft, &begun);
        match self {
            Self::Directory(path) => {
                let (path, own) = (path.clone(), draft_name(name));
                spawn_blocking(move || {
                    files::make_directory(&path).map_err(failed(&path))?;
                    sweep(&path, is_left)?;
                    let own = path.join(own);
                    files::make_directory(&own).map_err(failed(&own))
                })
                .await??;
            }
            Self::Bucket(bucket) => {
                let objects = bucket.list().await?;
                for object in &objects {
                    let Some((snapshot, _)) = object.split_once('/') else { continue };
                    let is_whole = objects.contains(&format!("{snapshot}/{MANIFEST}"));
                    if !is_whole && is_left(snapshot) {
                        bucket.remove(object).await?;
                    }
                }
            }
        }
        Ok(Draft { store: self.clone(), name: name.to_owned() })
    }

    /// Removes all but the newest so many.
    pub async fn keep_newest(&self, kept: usize) -> Result<(), SnapshotError> {
        for old in self.list().await?.into_iter().skip(kept) {
            match self {
                Self::Directory(path) => {
                    let path = path.join(old);
                    spawn_blocking(move || {
                        // First what makes it one: it is never found half.
                        let manifest = path.join(MANIFEST);
                        fs::remove_file(&manifest).map_err(failed(&manifest))?;
                        fs::remove_dir_all(&path).map_err(failed(&path))
                    })
                    .await??;
                }
                Self::Bucket(bucket) => {
                    bucket.remove(&format!("{old}/{MANIFEST}")).await?;
                    let of_it = format!("{old}/");
                    for object in bucket.list().await?.iter().filter(|name| name.starts_with(&of_it)) {
                        bucket.remove(object).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Draft {
    /// Adds a piece, durably.
    pub async fn put(&self, piece: &str, bytes: Vec<u8>) -> Result<(), SnapshotError> {
        match &self.store {
            Store::Directory(path) => {
                let path = path.join(draft_name(&self.name)).join(piece);
                spawn_blocking(move || files::write_new(&path, &bytes).map_err(failed(&path))).await?
            }
            Store::Bucket(bucket) => Ok(bucket.put(&format!("{}/{piece}", self.name), bytes.into()).await?),
        }
    }

    /// Adds the manifest, last, and makes it a snapshot.
    pub async fn seal(self, manifest: Vec<u8>) -> Result<(), SnapshotError> {
        if u64::try_from(manifest.len()).is_ok_and(|bytes| bytes > MANIFEST_MAX) {
            return Err(SnapshotError::TooLong { piece: MANIFEST.to_owned(), most: MANIFEST_MAX });
        }
        self.put(MANIFEST, manifest).await?;
        let Store::Directory(path) = self.store else { return Ok(()) };
        let (from, to) = (path.join(draft_name(&self.name)), path.join(&self.name));
        spawn_blocking(move || {
            sync(&from).and_then(|()| fs::rename(&from, &to)).and_then(|()| sync(&path)).map_err(failed(&to))
        })
        .await?
    }
}

/// Hidden, so that nobody takes it for a snapshot.
fn draft_name(name: &str) -> String {
    format!(".{name}")
}

fn whole_ones(path: &Path) -> Result<Vec<String>, SnapshotError> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        entries => entries.map_err(failed(path))?,
    };
    for entry in entries {
        let entry = entry.map_err(failed(path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if SnapshotName::parse(&name).is_some() && entry.path().join(MANIFEST).is_file() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Removes what is left of earlier tries.
fn sweep(path: &Path, is_left: impl Fn(&str) -> bool) -> Result<(), SnapshotError> {
    for entry in fs::read_dir(path).map_err(failed(path))? {
        let entry = entry.map_err(failed(path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let draft = name.strip_prefix('.');
        let is_whole = draft.is_none() && entry.path().join(MANIFEST).is_file();
        if is_left(draft.unwrap_or(&name)) && !is_whole && entry.path().is_dir() {
            fs::remove_dir_all(entry.path()).map_err(failed(&entry.path()))?;
        }
    }
    Ok(())
}

/// Whether what is not whole and has this name was given up: by the maker that begins another one, or a day before.
fn is_left(draft: &str, begun: &str) -> bool {
    match (SnapshotName::parse(draft), SnapshotName::parse(begun)) {
        (Some(draft), Some(begun)) => {
            draft.maker == begun.maker || begun.made_at.saturating_sub(draft.made_at) > GIVEN_UP
        }
        _ => false,
    }
}

/// The file, or of a longer one so many bytes and one more.
fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

fn failed(path: &Path) -> impl Fn(io::Error) -> SnapshotError + use<> {
    let path = path.to_owned();
    move |source| SnapshotError::File { path: path.clone(), source }
}
