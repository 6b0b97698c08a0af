//! The wiring: journal, fold, command service, projector, started and ended together, or the parts that are wanted.

pub mod config;
pub mod error;
pub(crate) mod listen;

use std::sync::Arc;

use grantbook_files as files;
use grantbook_journal::{
    Journal,
    follow::{
        doubt::Doubts,
        known_head::{self, HeadFile, HeadKeeper},
        open::OpenJournal,
    },
    jetstream::JetStreamJournal,
    stamp::{clock::Clock, ids::IdSource},
};
use tokio::task::spawn_blocking;

pub use crate::app::error::StartError;

use crate::{
    app::config::{Role, ServeConfig},
    forward::{DataPlane, Forwarder},
    http::client_address::TrustedProxies,
    keys::CursorKey,
    schedule::workers,
    state::{AppState, GapsMet, Parts, Scheduler},
    subscribe::{
        relay::{self, Followed, Relay},
        webhooks::{Configured, Deliverer, DeliveryOptions, Webhooks},
    },
};
use grantbook_command::{CommandOptions, CommandService, replay};
use grantbook_node::{read::ReadNode, read_side::ReadSide};

/// The file in the data directory that says what was sent to webhooks.
pub const WEBHOOKS_FILE: &str = "webhooks.redb";

/// Everything that runs in one process, but the sockets.
#[derive(Debug)]
pub struct App {
    journal: OpenJournal,
    commands: Option<CommandService>,
    /// Keeps how far the journal has come, beside a command side.
    keeper: Option<HeadKeeper>,
    read_side: Option<ReadSide>,
    relay: Option<Relay>,
    deliverer: Option<Deliverer>,
    state: AppState,
}

impl App {
    /// Opens the journal, and starts the parts of the service that the process is: the view follows the journal, the
    /// fold is made of the whole of it.
    pub async fn build(config: &ServeConfig) -> Result<Self, StartError> {
        config.validate()?;
        if config.data.is_dir() {
            files::expect_ours(&config.data)?;
        }
        match OpenJournal::open(&config.journal).await? {
            OpenJournal::Embedded(journal) => {
                Self::build_on(config, &journal, OpenJournal::Embedded(Arc::clone(&journal))).await
            }
            OpenJournal::JetStream(journal) => {
                // Before anything runs: a relay that cannot is refused, not left out.
                let publishers = if config.relay { Some(relay::open(&journal).await?) } else { None };
                let opened = OpenJournal::JetStream(Arc::clone(&journal));
                let mut app = Self::build_on(config, &journal, opened).await?;
                if let Some((publishers, followed)) = publishers.zip(app.followed(journal)) {
                    let relay = Relay::start(publishers, &followed);
                    app.state.relay = Some(relay.handle());
                    app.relay = Some(relay);
                }
                Ok(app)
            }
        }
    }

    /// What a relay here follows.
    fn followed(&self, journal: Arc<JetStreamJournal>) -> Option<Followed> {
        let (node, read_side) = self.state.parts.node().zip(self.read_side.as_ref())?;
        let projector = &read_side.projector;
        let (reader, progress) = (projector.reader(), projector.progress());
        Some(Followed {
            journal,
            node: node.clone(),
            reader,
            progress,
            installation: self.state.installation,
            scheduler: self.state.scheduler.clone(),
        })
    }

    async fn build_on<J: Journal>(
        config: &ServeConfig,
        journal: &Arc<J>,
        opened: OpenJournal,
    ) -> Result<Self, StartError> {
        let installation = journal.identity().installation;
        let configured = match config.webhooks.clone() {
            Some(options) => Some(spawn_blocking(move || options.read()).await??),
            None => None,
        };
        let (clock, ids) = (Clock::system(), IdSource::system());
        let doubts = Doubts::default();
        let head = match config.role {
            Role::All | Role::Command => Some(recall(journal.as_ref(), config, &doubts).await?),
            Role::Read => None,
        };
        let command = async || {
            let fold = replay(journal.as_ref(), &config.journal).await?;
            let options = CommandOptions {
                doubts: doubts.clone(),
                limits: config.limits,
                long_work: workers::handle(),
                ..CommandOptions::of(clock.clone(), ids.clone())
            };
            Ok::<_, StartError>(CommandService::start_with(Arc::clone(journal), fold, options))
        };
        let (parts, commands, read_side) = match config.role {
            Role::All => {
                // The view catches up while the fold is made.
                let read_side = ReadSide::start(&config.read_side(), journal, &opened, &doubts).await?;
                let (commands, node) = (command().await?, node(config, &read_side, journal));
                (Parts::All(commands.handle(), node), Some(commands), Some(read_side))
            }
            Role::Command => {
                let commands = command().await?;
                (Parts::Command(commands.handle()), Some(commands), None)
            }
            Role::Read => {
                let read_side = ReadSide::start(&config.read_side(), journal, &opened, &doubts).await?;
                (Parts::Read(node(config, &read_side, journal)), None, Some(read_side))
            }
        };
        let keeper = head.zip(commands.as_ref()).map(|(file, commands)| {
            HeadKeeper::start(file, journal.identity(), commands.last(), doubts.clone())
        });
        let (freshness, gaps) = (config.freshness, GapsMet::of(journal));
        let mut state = AppState {
            parts,
            clock,
            ids,
            installation,
            public_url: config.public_url.clone(),
            relay: None,
            freshness,
            gaps,
            webhooks: None,
            watchers: config.watchers,
            doubts,
            scheduler: Scheduler::of_process(),
            braintrust: config.braintrust,
            data_plane: data_plane(config).await?,
            forwarder: forwarder(config)?,
            proxies: TrustedProxies::new(&config.trusted_proxies),
            cursor_key: cursor_key(config).await?,
        };
        let mut deliverer = None;
        if let Some(configured) = configured {
            deliverer = deliver(config, &state, &configured).await?;
            let deliveries = deliverer.as_ref().map(Deliverer::deliveries);
            state.webhooks = Some(Webhooks { configured, deliveries });
        }
        Ok(Self { journal: opened, commands, keeper, read_side, relay: None, deliverer, state })
    }

    /// What routes get.
    pub fn state(&self) -> AppState {
        self.state.clone()
    }

    /// Ends everything in order: commands that wait are decided, appended and answered, the view is made durable,
    /// the journal's file is given free.
    pub async fn shutdown(self) -> Result<(), StartError> {
        let Self { journal, commands, keeper, read_side, relay, deliverer, state } = self;
        let command_side = async {
            if let Some(commands) = commands {
                commands.shutdown().await;
            }
            if let Some(keeper) = keeper {
                keeper.stop().await;
            }
        };
        let deliveries = async {
            if let Some(deliverer) = deliverer {
                deliverer.stop().await;
            }
        };
        let relayed = async {
            if let Some(relay) = relay {
                relay.stop().await;
            }
        };
        // None of them keeps the others from ending in time.
        tokio::join!(command_side, deliveries, relayed);
        if let Some(read_side) = read_side {
            read_side.stop().await;
        }
        drop(state);
        Ok(journal.close().await?)
    }
}

/// Compares the journal with what was known of it when this process, or one before it, last had it.
async fn recall<J: Journal>(
    journal: &J,
    config: &ServeConfig,
    doubts: &Doubts,
) -> Result<HeadFile, StartError> {
    let (file, known) = known_head::recall(journal, &config.data, doubts).await?;
    if known.is_none() {
        tracing::warn!(file = %file.path().display(), "{}", known_head::UNKNOWN);
    }
    Ok(file)
}

/// What passes on to a command service, if the process does so.
fn forwarder(config: &ServeConfig) -> Result<Option<Forwarder>, StartError> {
    let name = config.node_name.as_deref().unwrap_or("node");
    Ok(config.command_url.as_ref().map(|url| Forwarder::new(url, name)).transpose()?)
}

/// The key of cursors that are good on several nodes.
async fn cursor_key(config: &ServeConfig) -> Result<Option<CursorKey>, StartError> {
    let Some(path) = config.cursor_key.clone() else { return Ok(None) };
    Ok(Some(spawn_blocking(move || CursorKey::load(&path)).await??))
}

/// The data plane of rows of logs, if there is one.
async fn data_plane(config: &ServeConfig) -> Result<Option<DataPlane>, StartError> {
    let Some(options) = config.data_plane.clone() else { return Ok(None) };
    Ok(Some(spawn_blocking(move || DataPlane::open(&options)).await??))
}

fn node<J: Journal>(config: &ServeConfig, read_side: &ReadSide, journal: &Arc<J>) -> ReadNode {
    ReadNode::new(&read_side.projector, journal)
        .with_freshness(config.freshness)
        .with_peers(read_side.nodes())
        .with_maintenance(read_side.maintenance())
}

/// Begins to deliver webhooks, if the process has a view.
async fn deliver(
    config: &ServeConfig,
    state: &AppState,
    configured: &Configured,
) -> Result<Option<Deliverer>, StartError> {
    let Some(node) = state.parts.node() else { return Ok(None) };
    let setting = DeliveryOptions {
        node: node.clone(),
        clock: state.clock.clone(),
        installation: state.installation,
        configured: configured.clone(),
        file: config.data.join(WEBHOOKS_FILE),
    };
    Ok(Some(Deliverer::start(setting).await?))
}
