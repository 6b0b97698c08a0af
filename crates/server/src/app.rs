//! The wiring: journal, fold, command service, projector, started and ended together.

use std::{fs, path::Path, sync::Arc};

use grantbook_domain::id::InstallationId;
use grantbook_journal::{Journal, embedded::EmbeddedJournal};
use grantbook_views::{Opened, ViewWriter};
use tokio::task::spawn_blocking;

pub use crate::start::StartError;

use crate::{
    clock::Clock,
    command::{CommandHandle, CommandService, Fold},
    config::ServeConfig,
    ids::IdSource,
    project::Projector,
    read::ReadNode,
    start::{close_journal, open_journal},
};

/// The view's file in the data directory.
pub const VIEW_FILE: &str = "view.redb";

/// What every route has; cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The command side.
    pub commands: CommandHandle,
    /// The read side.
    pub node: ReadNode,
    /// What time it is.
    pub clock: Clock,
    /// New ids.
    pub ids: IdSource,
    /// Names the journal in positions.
    pub installation: InstallationId,
}

/// Everything that runs in one process, but the sockets.
#[derive(Debug)]
pub struct App {
    journal: Arc<EmbeddedJournal>,
    commands: CommandService,
    projector: Projector,
    state: AppState,
}

impl App {
    /// Opens journal and view, replays the journal, and starts both sides.
    pub async fn build(config: &ServeConfig) -> Result<Self, StartError> {
        config.validate()?;
        let journal = open_journal(&config.data).await?;
        let installation = journal.identity().installation;
        let view = config.data.join(VIEW_FILE);
        let writer = spawn_blocking(move || open_view(&view, installation)).await??;
        // The view catches up while the fold is made.
        let projector = Projector::start(Arc::clone(&journal), writer);
        let (clock, ids) = (Clock::system(), IdSource::system());
        let fold = Fold::replay(journal.as_ref()).await?;
        let commands = CommandService::start(Arc::clone(&journal), fold, clock.clone(), ids.clone());
        let node = ReadNode::new(&projector, journal.watch());
        let state = AppState { commands: commands.handle(), node, clock, ids, installation };
        Ok(Self { journal, commands, projector, state })
    }

    /// What routes get.
    pub fn state(&self) -> AppState {
        self.state.clone()
    }

    /// Ends everything in order: commands that wait are decided, appended and answered, the view is made durable,
    /// the journal's file is given free.
    pub async fn shutdown(self) -> Result<(), StartError> {
        let Self { journal, commands, projector, state } = self;
        commands.shutdown().await;
        projector.stop().await;
        drop(state);
        close_journal(journal).await
    }
}

/// Opens the view, which is readable by its owner only: it holds people's names and addresses.
fn open_view(path: &Path, installation: InstallationId) -> Result<ViewWriter, StartError> {
    let (writer, opened) = ViewWriter::open(path, installation)?;
    match opened {
        Opened::Resumed => {}
        Opened::Fresh => tracing::info!("the view is new and filled from the journal"),
        Opened::Rebuilt(stale) => tracing::warn!(?stale, "the view is of no use and filled again"),
    }
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    let failed = |source| StartError::Write { path: path.to_owned(), source };
    fs::set_permissions(path, owner_only).map_err(failed)?;
    Ok(writer)
}
