//! Tells the other nodes how this one is, and listens to them: a node that holds something else than another at the same
//! place of the journal says so loudly. It goes on answering: who of two is right, a digest does not say
//! (docs/adr/0018-signed-snapshots.md).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use grantbook_domain::id::InstallationId;
use grantbook_journal::{
    jetstream::{JetStreamJournal, NodesError},
    stamp::clock::Clock,
};
use grantbook_views::FORMAT_VERSION;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{
    peers::{Disagreement, Status, disagreements},
    project::{NodeState, Progress},
    snapshots::NodeId,
};

/// How often a node says how it is.
pub const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(10);

/// Who a node is, and how often it says so.
#[derive(Debug, Clone)]
pub struct NodesConfig {
    /// Its id.
    pub node: NodeId,
    /// What its operator calls it.
    pub name: Option<String>,
    /// Where it is reached.
    pub url: Option<String>,
    /// Whose journal it follows.
    pub installation: InstallationId,
    /// How often.
    pub every: Duration,
    /// What time it is.
    pub clock: Clock,
}

/// Talks until it is dropped.
#[derive(Debug)]
pub struct Talk {
    nodes: Nodes,
    task: JoinHandle<()>,
}

/// What was heard of other nodes; clone it freely.
#[derive(Debug, Clone)]
pub struct Nodes(watch::Receiver<Heard>);

/// The same at one moment.
#[derive(Debug, Clone, Default)]
struct Heard {
    /// The other nodes of the same installation, sorted by id.
    others: Vec<Status>,
    alarms: Vec<Disagreement>,
}

impl Nodes {
    /// What the other nodes of this journal said of themselves last.
    pub fn others(&self) -> Vec<Status> {
        self.0.borrow().others.clone()
    }

    /// The places at which this node holds something else than another, as far as is known.
    pub fn alarms(&self) -> Vec<Disagreement> {
        self.0.borrow().alarms.clone()
    }
}

impl Talk {
    /// Begins to talk of a projector's progress.
    pub fn start(
        journal: Arc<JetStreamJournal>,
        progress: watch::Receiver<Progress>,
        config: NodesConfig,
    ) -> Self {
        let (tell, heard) = watch::channel(Heard::default());
        Self { nodes: Nodes(heard), task: tokio::spawn(talk(journal, progress, config, tell)) }
    }

    /// What is heard.
    pub fn nodes(&self) -> Nodes {
        self.nodes.clone()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn talk(
    journal: Arc<JetStreamJournal>,
    progress: watch::Receiver<Progress>,
    config: NodesConfig,
    tell: watch::Sender<Heard>,
) {
    let mut ticks = interval(config.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        let own = status(&config, &progress.borrow().clone());
        match exchange(&journal, &own).await {
            Ok(others) => {
                failing = false;
                hear(&own, others, &tell);
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "this node cannot compare itself with others; it goes on trying");
                }
                failing = true;
            }
        }
    }
}

async fn exchange(journal: &JetStreamJournal, own: &Status) -> Result<Vec<Status>, NodesError> {
    // It has nothing that does not serialize.
    let text = Bytes::from(serde_json::to_vec(own).unwrap_or_default());
    journal.tell_status(&own.node.to_string(), text).await?;
    let told = journal.statuses().await?;
    Ok(told.iter().filter_map(|bytes| Status::parse(bytes)).collect())
}

fn hear(own: &Status, statuses: Vec<Status>, tell: &watch::Sender<Heard>) {
    let mut all: Vec<Status> = statuses.into_iter().filter(|one| one.node != own.node).collect();
    let mut others: Vec<Status> =
        all.iter().filter(|one| one.installation == own.installation).cloned().collect();
    others.sort_by_key(|one| one.node.to_string());
    all.push(own.clone());
    let title = own.title();
    let mut found = disagreements(&all);
    found.retain(|one| one.sides.iter().any(|side| side.nodes.contains(&title)));
    if tell.borrow().alarms != found {
        for one in &found {
            tracing::error!(
                "nodes DISAGREE {one}: scrub them (`grantbook view verify`), and rebuild who is wrong"
            );
        }
        if found.is_empty() {
            tracing::info!("this node agrees with all others again");
        }
    }
    tell.send_replace(Heard { others, alarms: found });
}

fn status(config: &NodesConfig, progress: &Progress) -> Status {
    let state = match progress.state {
        NodeState::Starting => "starting",
        NodeState::Running => "running",
        NodeState::Quarantined { .. } => "quarantined",
        NodeState::Stopped => "stopped",
    };
    Status {
        node: config.node,
        name: config.name.clone(),
        url: config.url.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        format: FORMAT_VERSION,
        installation: config.installation,
        sequence: progress.sequence,
        head: progress.head.max(progress.sequence),
        state: state.to_owned(),
        marks: progress.marks.all(),
        at: config.clock.now().millis(),
    }
}
