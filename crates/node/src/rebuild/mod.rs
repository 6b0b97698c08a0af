//! A view built beside the one that serves (blue/green): filled, compared with what the serving view says of effective
//! access, and only then put where the next start adopts it.

mod compare;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use grantbook_journal::{
    Journal,
    follow::open::{JournalAddress, OpenError, OpenJournal, make_directory},
    stamp::{clock::Clock, ids::IdSource},
};
use grantbook_views::{Verified, ViewWriter};
use serde::Serialize;
use tokio::task::spawn_blocking;

pub use compare::{Difference, Differences};

use crate::Boxed;
use crate::{
    bootstrap::{self, Source, Tell, bootstrap, fits},
    error::ReadSideError,
    peers::node_id,
    project::{NodeState, Projector},
    read_side::{NEXT_FILE, VIEW_FILE, open_store, open_view},
    snapshots::{Made, Manifest, Signed, SnapshotConfig, SnapshotError, SnapshotKey, SnapshotMaker, make},
};

/// The file of a view that is being built.
pub const BUILDING_FILE: &str = "view.building.redb";

/// Which journal, which view, and which snapshots.
#[derive(Debug, Clone)]
pub struct ViewOptions {
    /// The journal.
    pub journal: JournalAddress,
    /// The data directory.
    pub data: PathBuf,
    /// Where snapshots are, whose are trusted, what signs them.
    pub snapshots: SnapshotConfig,
}

/// How a view is built.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuildOptions {
    /// Begin with a snapshot's rows rather than with the journal's first frame.
    pub from_snapshot: bool,
    /// Put it in place also if access differs, or if there is nothing to compare it with.
    pub accept_differences: bool,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Built {
    /// Up to where the new view goes.
    pub sequence: u64,
    /// What it was compared with; none: there was no snapshot to be trusted.
    pub compared: Option<Compared>,
    /// Whether the next start adopts it.
    pub ready: bool,
}

/// What the new view was compared with.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// The snapshot whose listing it was.
    pub snapshot: String,
    /// The sequence as of which access was compared.
    pub sequence: u64,
    /// The format of the view that made the listing.
    pub format: u32,
    /// How the two differ.
    #[serde(flatten)]
    pub differences: Differences,
}

/// How far a build has come.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A snapshot is looked at or loaded.
    Snapshot(bootstrap::Stage<'a>),
    /// Frames of the journal are applied: so many of so many.
    Frames(u64, u64),
}

/// Builds a view, compares it, and puts it in place.
pub fn build<'a>(
    options: &'a ViewOptions,
    how: BuildOptions,
    tell: &'a mut (dyn FnMut(Progress<'_>) + Send),
) -> Boxed<'a, Result<Built, ReadSideError>> {
    Box::pin(async move {
        let opened = OpenJournal::open(&options.journal).await?;
        let built = match &opened {
            OpenJournal::Embedded(journal) => build_on(options, how, (journal, &opened), tell).await,
            OpenJournal::JetStream(journal) => build_on(options, how, (journal, &opened), tell).await,
        };
        let closed = opened.close().await;
        built.and_then(|built| Ok(closed.map(|()| built)?))
    })
}

async fn build_on<J: Journal>(
    options: &ViewOptions,
    how: BuildOptions,
    (journal, opened): (&Arc<J>, &OpenJournal),
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Built, ReadSideError> {
    let (building, next) = (options.data.join(BUILDING_FILE), options.data.join(NEXT_FILE));
    make_directory(&options.data)?;
    let store = open_store(options.snapshots.place.as_ref(), opened).await?;
    let trust = options.snapshots.trust.clone();
    let source = store.map(|store| Source { journal: Arc::clone(journal), store, trust });
    let installation = journal.identity().installation;
    let path = building.clone();
    let resumes = spawn_blocking(move || ViewWriter::would_resume(&path, installation)).await??;
    let mut writer = None;
    if let Some(source) = source.as_ref().filter(|_| how.from_snapshot && !resumes) {
        let made = bootstrap(source, &building, &mut |stage| tell(Progress::Snapshot(stage))).await?;
        writer = made.map(|(writer, _)| writer);
    }
    let writer = if let Some(writer) = writer {
        writer
    } else {
        let path = building.clone();
        spawn_blocking(move || open_view(&path, installation)).await??
    };
    let reader = writer.reader();
    let sequence = catch_up(journal, writer, tell).await?;
    let compared = match &source {
        Some(source) => compare_with_newest(source, sequence, &reader.snapshot()?).await?,
        None => None,
    };
    // Its file is closed before it is put in place.
    drop(reader);
    let same = compared.as_ref().is_some_and(|compared| compared.differences.total == 0);
    let ready = same || how.accept_differences;
    if ready {
        fs::rename(&building, &next).map_err(|source| OpenError::Write { path: next, source })?;
    }
    Ok(Built { sequence, compared, ready })
}

/// Follows the journal up to its head.
async fn catch_up<J: Journal>(
    journal: &Arc<J>,
    writer: ViewWriter,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<u64, ReadSideError> {
    let projector = Projector::start(Arc::clone(journal), writer);
    let mut progress = projector.progress();
    let head = journal.head().await?;
    let outcome = loop {
        let now = progress.borrow_and_update().clone();
        tell(Progress::Frames(now.sequence, head));
        match now.state {
            NodeState::Running if now.sequence >= head => break Ok(now.sequence),
            NodeState::Quarantined { sequence, why } => {
                break Err(ReadSideError::Quarantined { sequence, why });
            }
            NodeState::Starting | NodeState::Running | NodeState::Stopped => {}
        }
        if progress.changed().await.is_err() {
            break Err(ReadSideError::Snapshot(SnapshotError::Ended));
        }
    };
    projector.stop().await;
    outcome
}

/// The newest listing that is to be trusted and that the new view has come to.
async fn compare_with_newest<J: Journal>(
    source: &Source<J>,
    sequence: u64,
    view: &grantbook_views::Snapshot,
) -> Result<Option<Compared>, ReadSideError> {
    for name in source.store.list().await? {
        let Ok(Signed { manifest, .. }) = Manifest::read(&source.store.manifest(&name).await?, &source.trust)
        else {
            tracing::warn!(name, "a snapshot that is not signed by somebody trusted is not compared with");
            continue;
        };
        if manifest.sequence > sequence || fits(source.journal.as_ref(), &manifest).await.is_err() {
            tracing::warn!(name, "a snapshot that does not fit the journal is not compared with");
            continue;
        }
        let differences = match compare::compare(&source.store, (&name, &manifest), view).await {
            Ok(differences) => differences,
            Err(why) => {
                tracing::warn!(name, %why, "a snapshot is not compared with");
                continue;
            }
        };
        let Manifest { sequence, format, .. } = manifest;
        return Ok(Some(Compared { snapshot: name, sequence, format, differences }));
    }
    Ok(None)
}

/// Makes the view of a data directory of a snapshot. Refuses a directory that has a view that goes on.
pub fn bootstrap_offline<'a>(
    options: &'a ViewOptions,
    tell: Tell<'a>,
) -> Boxed<'a, Result<Option<Manifest>, ReadSideError>> {
    Box::pin(async move {
        let opened = OpenJournal::open(&options.journal).await?;
        let Some(store) = open_store(options.snapshots.place.as_ref(), &opened).await? else {
            return Err(ReadSideError::Snapshot(SnapshotError::Nothing));
        };
        make_directory(&options.data)?;
        let view = options.data.join(VIEW_FILE);
        let installation = opened.identity().installation;
        if ViewWriter::would_resume(&view, installation)? {
            return Err(ReadSideError::ViewThere(view));
        }
        let trust = options.snapshots.trust.clone();
        let made = match &opened {
            OpenJournal::Embedded(journal) => {
                bootstrap(&Source { journal: Arc::clone(journal), store, trust }, &view, tell).await?
            }
            OpenJournal::JetStream(journal) => {
                bootstrap(&Source { journal: Arc::clone(journal), store, trust }, &view, tell).await?
            }
        };
        let manifest = made.map(|(writer, manifest)| {
            drop(writer);
            manifest
        });
        opened.close().await?;
        Ok(manifest)
    })
}

/// Looks at the view of a stopped node, page by page and row by row. Blocks.
pub fn verify(data: &Path, pace: impl FnMut(u64) -> bool) -> Result<Verified, ReadSideError> {
    Ok(ViewWriter::verify(&data.join(VIEW_FILE), pace)?)
}

/// Makes a snapshot of the view of a stopped node, after looking at all of it.
pub fn make_offline(options: &ViewOptions) -> Boxed<'_, Result<Made, ReadSideError>> {
    Box::pin(async move {
        let key = options.snapshots.key.clone().ok_or(SnapshotError::Nothing)?;
        let key = SnapshotKey::read(&key).map_err(SnapshotError::from)?;
        let (data, view) = (options.data.clone(), options.data.join(VIEW_FILE));
        let verified = spawn_blocking(move || verify(&data, |_| true)).await??;
        let installation = verified.installation;
        let (data, ids) = (options.data.clone(), IdSource::system());
        let (node, writer) = spawn_blocking(move || {
            Ok::<_, ReadSideError>((node_id(&data, &ids)?, open_view(&view, installation)?))
        })
        .await??;
        let store = match &options.snapshots.place {
            Some(crate::snapshots::Place::Directory(path)) => {
                crate::snapshots::Store::Directory(path.clone())
            }
            Some(place) => {
                let opened = OpenJournal::open(&options.journal).await?;
                open_store(Some(place), &opened).await?.ok_or(SnapshotError::Nothing)?
            }
            None => return Err(SnapshotError::Nothing.into()),
        };
        let maker = SnapshotMaker { store, key, installation, node, clock: Clock::system() };
        Ok(make(&maker, writer.reader().snapshot()?).await?)
    })
}
