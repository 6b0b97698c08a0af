//! The stage: three brokers, two command services, up to three read nodes. One service and one node reach the brokers through a
//! network that can be cut, as the brokers do each other.

mod clock;
mod cluster;
mod process;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use grantbook_domain::id::{InstallationId, OrgId};
use grantbook_journal::{
    Journal as _,
    jetstream::{JetStreamJournal, NatsOptions as JournalOptions},
};
use grantbook_tests::{
    cut::Cut,
    hooks::configure,
    nats::{Nats, NatsOptions},
    server::Server,
};

pub(crate) use clock::ClockHand;
pub(crate) use process::{limit_files, stand_still, wait_ready};

/// How long a message that was not taken waits until it is sent again, each time.
const RETRY: &str = "100ms,200ms,500ms,1s,1s,1s,1s,1s,1s";
/// How long a node answers without having heard of the journal's leader: the least that can be configured.
pub(crate) const MAX_SILENCE: Duration = Duration::from_secs(5);
/// The command services, by name.
pub(crate) const SERVICES: [&str; 2] = ["c0", "c1"];
/// The read nodes, by name.
pub(crate) const NODES: [&str; 3] = ["r0", "r1", "r2"];

/// Everything that runs. All of it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) nats: Nats,
    /// In front of each broker, for `c1` and `r2`.
    pub(crate) wires: Vec<Cut>,
    pub(crate) services: Vec<Server>,
    pub(crate) nodes: Vec<Server>,
    /// What the clocks of `c1` and `r2` are told, where that can be done.
    pub(crate) hand: Option<ClockHand>,
    /// The installation as `init` made it, from which others are started.
    pub(crate) first: Server,
    runtime: tokio::runtime::Runtime,
    /// The directory of the key of webhooks.
    _keys: tempfile::TempDir,
    /// The broker that a fault has chosen.
    pub(crate) chosen: usize,
    /// How much of what each broker printed has been looked at.
    read: [usize; 3],
}

impl Stage {
    /// Starts everything, with so many of the read nodes.
    pub(crate) fn set(nodes: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let nats = Nats::start_with(&NatsOptions { servers: 3, cuttable: true, ..NatsOptions::default() })?;
        let wires: Vec<Cut> =
            (0..nats.len()).map(|index| Cut::before(nats.client_port(index)?)).collect::<Result<_>>()?;
        let mut first = Server::init_over(&nats.url())?;
        first.set_env("GRANTBOOK_LOG", "info");
        first.set_env("GRANTBOOK_MAX_SILENCE", &format!("{}s", MAX_SILENCE.as_secs()));
        let hand = ClockHand::make()?;
        let through: Vec<String> = wires.iter().map(Cut::nats_url).collect();
        let mut beyond = first.over(&through.join(","))?;
        if let Some(hand) = &hand {
            hand.env().iter().for_each(|(name, value)| beyond.set_env(name, value));
        }
        let keys = tempfile::tempdir()?;
        // Services and one node know the key of webhooks: that node delivers.
        let mut hooked = first.over(&nats.url())?;
        configure(&mut hooked, keys.path(), RETRY)?;
        let mut far = beyond.another_stopped("command")?;
        for (name, value) in hooked.env().to_vec() {
            far.set_env(&name, &value);
        }
        far.spawn()?;
        let services = vec![hooked.another("command")?, far];
        // Two nodes publish what subscribers in the brokers get: one of them at a time does.
        hooked.set_env("GRANTBOOK_RELAY", "true");
        beyond.set_env("GRANTBOOK_RELAY", "true");
        let nodes = [&hooked, &first, &beyond].into_iter().take(nodes).map(|one| one.another("read"));
        let nodes = nodes.collect::<Result<_>>()?;
        let mut stage =
            Self { nats, wires, services, nodes, hand, first, runtime, _keys: keys, chosen: 0, read: [0; 3] };
        stage.forget_message_ids()?;
        Ok(stage)
    }

    /// The process of this name.
    pub(crate) fn process(&mut self, name: &str) -> Result<&mut Server> {
        let at = |names: &[&str]| names.iter().position(|one| *one == name);
        let found = match (at(&SERVICES), at(&NODES)) {
            (Some(index), _) => self.services.get_mut(index),
            (None, Some(index)) => self.nodes.get_mut(index),
            (None, None) => None,
        };
        found.with_context(|| format!("there is a process {name}"))
    }

    /// Where everybody is.
    pub(crate) fn bases(&self) -> Vec<(&'static str, String)> {
        let base = |server: &Server| server.base().to_owned();
        let services = SERVICES.into_iter().zip(self.services.iter().map(base));
        services.chain(NODES.into_iter().zip(self.nodes.iter().map(base))).collect()
    }

    /// The journal, read from outside.
    pub(crate) fn journal(&self) -> Result<JetStreamJournal> {
        let options = JournalOptions::new(self.nats.urls());
        Ok(self.runtime.block_on(JetStreamJournal::open(&options))?)
    }

    /// Runs something asynchronous.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// What the journal's name in positions is.
    pub(crate) fn installation(&self) -> Result<InstallationId> {
        Ok(self.journal()?.identity().installation)
    }

    /// The organization that `init` made.
    pub(crate) fn org(&self) -> Result<OrgId> {
        Ok(self.first.init["organization"]["id"].as_str().context("init prints the organization")?.parse()?)
    }

    /// Until every process says that it is ready, as an operator would wait.
    pub(crate) fn wait_all_ready(&self) -> Result<()> {
        for server in self.services.iter().chain(&self.nodes) {
            wait_ready(server)?;
        }
        Ok(())
    }

    /// The id of each process, brokers aside.
    pub(crate) fn processes(&self) -> Vec<(&'static str, u32)> {
        let services = SERVICES.into_iter().zip(self.services.iter().map(Server::pid));
        let all = services.chain(NODES.into_iter().zip(self.nodes.iter().map(Server::pid)));
        all.filter_map(|(name, pid)| Some((name, pid?))).collect()
    }

    /// Nothing is left of what must have gone with the stage.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let brokers = (0..self.nats.len()).filter_map(|index| self.nats.pid(index));
        brokers.chain(self.services.iter().chain(&self.nodes).filter_map(Server::pid)).collect()
    }

    /// `journal verify` finds nothing, and every guard was there.
    pub(crate) fn verify(&self) -> Result<u64> {
        let urls = self.nats.url();
        let verified = grantbook_tests::binary::run(&["journal", "verify", "--nats", &urls, "--json"], &[])?;
        let report: serde_json::Value = serde_json::from_slice(&verified.stdout)?;
        ensure!(verified.status.success(), "verify found: {report}");
        ensure!(report["guards"] == report["frames"], "every guard was there and held: {report}");
        report["frames"].as_u64().context("so many frames")
    }
}
