//! How the read side begins: the view's file is adopted, made of a snapshot, or filled from the journal; then the projector
//! runs, and beside it whatever makes snapshots and talks with other nodes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use grantbook_domain::id::InstallationId;
use grantbook_journal::{
    Journal,
    follow::{
        doubt::Doubts,
        open::{OpenError, OpenJournal, make_directory},
    },
    stamp::{clock::Clock, ids::IdSource},
};
use grantbook_views::{Opened, ViewWriter};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};

use crate::{
    bootstrap::{Source, Stage, bootstrap},
    error::ReadSideError,
    maintenance::{JobStats, Maintenance},
    peers::{ANNOUNCE_INTERVAL, Nodes, NodesConfig, Talk, node_id},
    project::{Projector, catching_up},
    snapshots::{
        NodeId, Place, SnapshotConfig, SnapshotError, SnapshotKey, SnapshotMaker, Store, keep_making,
    },
};

/// The view's file in the data directory.
pub const VIEW_FILE: &str = "view.redb";
/// The file of a view that was built beside it, for the next start to adopt.
pub const NEXT_FILE: &str = "view.next.redb";

/// The configuration of a read side.
#[derive(Debug, Clone)]
pub struct ReadSideConfig {
    /// Where the view is kept.
    pub data: PathBuf,
    /// What becomes of snapshots of the view.
    pub snapshots: SnapshotConfig,
    /// How often the view is read whole and compared with its digest.
    pub scrub_every: Duration,
    /// What the node is called.
    pub node_name: Option<String>,
    /// The URL under which it is reached.
    pub url: Option<String>,
}

/// The projector and what runs beside it.
#[derive(Debug)]
pub struct ReadSide {
    /// Keeps the view.
    pub projector: Projector,
    /// Makes snapshots.
    maker: Option<JoinHandle<()>>,
    /// Compares this node with others.
    talk: Option<Talk>,
    maintenance: Maintenance,
    /// Tells how far the view has come until it has caught up.
    teller: JoinHandle<()>,
}

impl ReadSide {
    /// Opens the view, by whatever way is the shortest, and follows the journal.
    pub async fn start<J: Journal>(
        config: &ReadSideConfig,
        journal: &Arc<J>,
        opened: &OpenJournal,
        doubts: &Doubts,
    ) -> Result<Self, ReadSideError> {
        let installation = journal.identity().installation;
        let (data, clock) = (config.data.clone(), Clock::system());
        let node: NodeId = spawn_blocking(move || {
            make_directory(&data)?;
            node_id(&data, &IdSource::system())
        })
        .await??;
        let store = open_store(config.snapshots.place.as_ref(), opened).await?;
        let bootstraps = JobStats::default();
        let writer = match doubts.get() {
            None => open(config, journal, (store.clone(), &bootstraps)).await?,
            Some(_) => open_beside_doubt(config, installation).await?,
        };
        let projector =
            Projector::start_doubting(Arc::clone(journal), writer, config.scrub_every, doubts.clone());
        let maintenance = Maintenance { scrubs: projector.scrubs(), bootstraps, ..Maintenance::default() };
        let maker = match (store, &config.snapshots.key) {
            (Some(store), Some(key)) => {
                let key = SnapshotKey::read(key).map_err(SnapshotError::from)?;
                let maker = SnapshotMaker { store, key, installation, node, clock: clock.clone() };
                Some(tokio::spawn(keep_making(
                    maker,
                    (projector.settle(), maintenance.snapshots.clone()),
                    config.snapshots.every,
                )))
            }
            _ => None,
        };
        let talk = match opened {
            OpenJournal::JetStream(jetstream) => {
                let (name, url) = (config.node_name.clone(), config.url.clone());
                let talking = NodesConfig { node, name, url, installation, every: ANNOUNCE_INTERVAL, clock };
                Some(Talk::start(Arc::clone(jetstream), projector.progress(), talking))
            }
            OpenJournal::Embedded(_) => None,
        };
        let teller = tokio::spawn(catching_up::follow(projector.progress(), catching_up::log));
        Ok(Self { projector, maker, talk, maintenance, teller })
    }

    /// What the node does for itself.
    pub fn maintenance(&self) -> Maintenance {
        self.maintenance.clone()
    }

    /// What is heard of other nodes.
    pub fn nodes(&self) -> Option<Nodes> {
        self.talk.as_ref().map(Talk::nodes)
    }

    /// Ends everything, and makes the view durable.
    pub async fn stop(self) {
        if let Some(maker) = self.maker {
            maker.abort();
        }
        self.teller.abort();
        drop(self.talk);
        self.projector.stop().await;
    }
}

/// Where snapshots lie, if anywhere.
pub(crate) async fn open_store(
    place: Option<&Place>,
    opened: &OpenJournal,
) -> Result<Option<Store>, SnapshotError> {
    match (place, opened) {
        (None, _) => Ok(None),
        (Some(Place::Directory(path)), _) => Ok(Some(Store::Directory(path.clone()))),
        (Some(Place::Nats), OpenJournal::JetStream(journal)) => {
            Ok(Some(Store::Bucket(Box::new(journal.snapshots().await?))))
        }
        (Some(Place::Nats), OpenJournal::Embedded(_)) => Err(SnapshotError::NoNats),
    }
}

async fn open<J: Journal>(
    config: &ReadSideConfig,
    journal: &Arc<J>,
    (store, bootstraps): (Option<Store>, &JobStats),
) -> Result<ViewWriter, ReadSideError> {
    let installation = journal.identity().installation;
    let view = config.data.join(VIEW_FILE);
    let next = config.data.join(NEXT_FILE);
    let looked = view.clone();
    let resumes = spawn_blocking(move || {
        adopt(&next, &looked, installation)?;
        Ok::<_, ReadSideError>(ViewWriter::would_resume(&looked, installation)?)
    })
    .await??;
    let SnapshotConfig { trust, .. } = &config.snapshots;
    if let Some(store) = store.filter(|_| !resumes && !trust.is_empty()) {
        let source = Source { journal: Arc::clone(journal), store, trust: trust.clone() };
        let (mut told, begun) = (0, Instant::now());
        let made = bootstrap(&source, &view, &mut |stage| tell(stage, &mut told)).await?;
        bootstraps.note(begun, made.is_some());
        if let Some((writer, manifest)) = made {
            let (sequence, rows) = (manifest.sequence, manifest.rows);
            tracing::info!(sequence, rows, "the view was made of a snapshot; the journal's rest follows");
            return Ok(writer);
        }
        tracing::info!("no snapshot is of use; the view is filled from the whole journal");
    }
    spawn_blocking(move || open_view(&view, installation)).await?
}

/// The view of a journal that is doubted, which is not read: nothing replaces the one that is there, as it may be all that
/// knows what was lost.
async fn open_beside_doubt(
    config: &ReadSideConfig,
    installation: InstallationId,
) -> Result<ViewWriter, ReadSideError> {
    let view = config.data.join(VIEW_FILE);
    let opened = spawn_blocking(move || {
        if ViewWriter::would_resume(&view, installation)? {
            return ViewWriter::open(&view, installation).map(|(writer, _)| writer);
        }
        ViewWriter::in_memory(installation)
    });
    Ok(opened.await??)
}

/// Takes a view that was built beside the one that served, if there is one. Blocks.
fn adopt(next: &Path, view: &Path, installation: InstallationId) -> Result<(), ReadSideError> {
    if !next.exists() {
        return Ok(());
    }
    if !ViewWriter::would_resume(next, installation)? {
        tracing::warn!(
            file = %next.display(),
            "the view that was built beside this one is of another format or journal; it is left alone"
        );
        return Ok(());
    }
    fs::rename(next, view).map_err(|source| OpenError::Write { path: view.to_owned(), source })?;
    tracing::info!("the view that was built beside the last one is adopted");
    Ok(())
}

/// Each tenth, and what was refused.
fn tell(stage: Stage<'_>, told: &mut u64) {
    match stage {
        Stage::Refused { name, why } => tracing::warn!(name, %why, "a snapshot is not used"),
        Stage::Loading { name, rows, of } => {
            let percent = rows.saturating_mul(100) / of.max(1);
            if percent / 10 != *told / 10 || percent == 100 {
                tracing::info!(name, percent, rows, "a snapshot is loaded");
            }
            *told = percent;
        }
    }
}

/// Opens the view.
pub(crate) fn open_view(path: &Path, installation: InstallationId) -> Result<ViewWriter, ReadSideError> {
    let (writer, opened) = ViewWriter::open(path, installation)?;
    match opened {
        Opened::Resumed => {}
        Opened::Fresh => tracing::info!("the view is new and filled from the journal"),
        Opened::Rebuilt(stale) => tracing::warn!(?stale, "the view is of no use and filled again"),
    }
    Ok(writer)
}
