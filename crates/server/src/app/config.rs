//! What `serve` is told.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

pub use grantbook_journal::{
    follow::open::JournalAddress,
    jetstream::{Credentials, NatsOptions, Tls},
};

pub use grantbook_domain::limits::{Limit, Limits};

pub use crate::{
    forward::{BadBaseUrl, BaseUrl, DataPlaneOptions},
    http::network::{BadNetwork, Network},
};
use crate::{state::WatchLimits, subscribe::webhooks::WebhookOptions, wire::public_url::PublicUrl};
use grantbook_node::{
    project::SCRUB_EVERY,
    read::{BadBound, Freshness},
    read_side::ReadSideConfig,
    snapshots::SnapshotConfig,
};

/// Which part of the service a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    All,
    /// The command service: takes writes, answers no reads.
    Command,
    /// A read node: answers reads, takes no writes.
    Read,
}

/// How the server runs.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// Which part of the service it is.
    pub role: Role,
    /// Where the journal is.
    pub journal: JournalAddress,
    /// Where the view is kept; the embedded journal's directory, if that is the journal.
    pub data: PathBuf,
    /// Where requests are taken; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Gets the base URL, with a line break, once requests are taken.
    pub ready_file: Option<PathBuf>,
    /// The URL under which clients reach the server; it is told where URLs are asked for.
    pub public_url: Option<PublicUrl>,
    /// What becomes of snapshots of the view.
    pub snapshots: SnapshotConfig,
    /// What the node is called.
    pub node_name: Option<String>,
    /// How often the view is read whole and compared with its digest.
    pub scrub_every: Duration,
    /// Whether it publishes events and changes of access into streams for subscribers, over NATS.
    pub relay: bool,
    /// How stale what it answers may be.
    pub freshness: Freshness,
    /// Whether webhooks are made and delivered, and how.
    pub webhooks: Option<WebhookOptions>,
    /// How many may watch at once.
    pub watchers: WatchLimits,
    /// Whether Braintrust's clients are served below `/braintrust`.
    pub braintrust: bool,
    /// Where rows of logs go on to that Braintrust's clients send; they are counted and dropped if absent.
    pub data_plane: Option<DataPlaneOptions>,
    /// What an organization may hold, and what one command may cost; of a process that takes commands.
    pub limits: Limits,
    /// Where a read node passes on what a command service decides.
    pub command_url: Option<BaseUrl>,
    /// The networks whose proxies are believed who the client is.
    pub trusted_proxies: Vec<Network>,
    /// The file of the key that makes cursors good on all nodes that have it.
    pub cursor_key: Option<PathBuf>,
}

/// Why a configuration does not make sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nothing is there.
    #[error("the data directory {} does not exist: run `grantbook init` first", .0.display())]
    NoData(PathBuf),
    /// Something else is there.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// One part alone on a journal that only one process can open.
    #[error("the embedded journal belongs to one process, which is everything: `serve {0}` needs --nats")]
    OnePartAlone(&'static str),
    /// There is a place for snapshots, but no key to sign with and nobody to trust.
    #[error(
        "--snapshots does nothing by itself: give --snapshot-key to make them, --snapshot-trust to use them, or both"
    )]
    SnapshotsOfNobody,
    /// There is a key, or somebody to trust, but no place.
    #[error("--snapshot-key and --snapshot-trust need --snapshots DIR|nats")]
    NoPlaceForSnapshots,
    /// A command service has no view.
    #[error("a command service has no view to make snapshots of: leave --snapshots to read nodes")]
    SnapshotsWithoutView,
    /// There are no streams to relay to, or no view to relay from.
    #[error(
        "--relay publishes what a view holds into streams of NATS: it needs --nats, and `serve all` or `serve read`"
    )]
    NothingToRelay,
    /// The ready file has no place.
    #[error("the ready file's directory {} does not exist", .0.display())]
    NoPlaceForReadyFile(PathBuf),
    /// It takes commands itself.
    #[error(
        "--command-url is where a read node passes writes on: it needs `serve read`, as all others take them themselves"
    )]
    NothingToForward,
    /// A command service has no lists.
    #[error("a command service has no lists: leave --cursor-key-file to `serve all` and `serve read`")]
    NoCursors,
    /// There are no rows.
    #[error(
        "--braintrust-data-url is for servers that serve Braintrust's clients: `serve all`, or `serve read` with --command-url"
    )]
    NoRows,
    /// How stale it may be.
    #[error("{0}")]
    Freshness(#[from] BadBound),
}

impl Default for ServeConfig {
    fn default() -> Self {
        let data = PathBuf::from("grantbook-data");
        Self {
            role: Role::All,
            journal: JournalAddress::Embedded(data.clone()),
            data,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7878)),
            ready_file: None,
            public_url: None,
            snapshots: SnapshotConfig::default(),
            node_name: None,
            scrub_every: SCRUB_EVERY,
            relay: false,
            freshness: Freshness::default(),
            webhooks: None,
            watchers: WatchLimits::default(),
            limits: Limits::DEFAULT,
            braintrust: true,
            data_plane: None,
            command_url: None,
            trusted_proxies: Vec::new(),
            cursor_key: None,
        }
    }
}

impl ServeConfig {
    /// The configuration of the read side.
    pub(crate) fn read_side(&self) -> ReadSideConfig {
        ReadSideConfig {
            data: self.data.clone(),
            snapshots: self.snapshots.clone(),
            scrub_every: self.scrub_every,
            node_name: self.node_name.clone(),
            url: self.public_url.as_ref().map(ToString::to_string),
        }
    }

    /// Looks at everything before anything is opened.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.relay && (self.role == Role::Command || matches!(self.journal, JournalAddress::Embedded(_))) {
            return Err(ConfigError::NothingToRelay);
        }
        if self.command_url.is_some() && self.role != Role::Read {
            return Err(ConfigError::NothingToForward);
        }
        let serves_braintrust = self.braintrust
            && match self.role {
                Role::All => true,
                Role::Read => self.command_url.is_some(),
                Role::Command => false,
            };
        if self.data_plane.is_some() && !serves_braintrust {
            return Err(ConfigError::NoRows);
        }
        if self.cursor_key.is_some() && self.role == Role::Command {
            return Err(ConfigError::NoCursors);
        }
        self.freshness.validate()?;
        if let JournalAddress::Embedded(data) = &self.journal {
            match self.role {
                Role::All => {}
                Role::Command => return Err(ConfigError::OnePartAlone("command")),
                Role::Read => return Err(ConfigError::OnePartAlone("read")),
            }
            if !data.exists() {
                return Err(ConfigError::NoData(data.clone()));
            }
        }
        let SnapshotConfig { place, key, trust, .. } = &self.snapshots;
        match (place.is_some(), key.is_some() || !trust.is_empty()) {
            (true, false) => return Err(ConfigError::SnapshotsOfNobody),
            (false, true) => return Err(ConfigError::NoPlaceForSnapshots),
            _ => {}
        }
        if self.role == Role::Command && place.is_some() {
            return Err(ConfigError::SnapshotsWithoutView);
        }
        if self.data.exists() && !self.data.is_dir() {
            return Err(ConfigError::NotADirectory(self.data.clone()));
        }
        let place = self.ready_file.as_deref().and_then(Path::parent);
        match place.filter(|place| !place.as_os_str().is_empty() && !place.is_dir()) {
            Some(place) => Err(ConfigError::NoPlaceForReadyFile(place.to_owned())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_looked_at_before_anything_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let at = |data: PathBuf| ServeConfig {
            journal: JournalAddress::Embedded(data.clone()),
            data,
            ..ServeConfig::default()
        };
        let here = at(directory.path().to_owned());
        assert_eq!(here.validate(), Ok(()));
        let absent = directory.path().join("absent");
        assert_eq!(at(absent.clone()).validate(), Err(ConfigError::NoData(absent.clone())));
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(at(file.clone()).validate(), Err(ConfigError::NotADirectory(file)));
        for role in [Role::Command, Role::Read] {
            let alone = ServeConfig { role, ..here.clone() };
            assert!(matches!(alone.validate(), Err(ConfigError::OnePartAlone(_))));
        }
        let relay = ServeConfig { relay: true, ..here.clone() };
        assert_eq!(relay.validate(), Err(ConfigError::NothingToRelay));
        let command_url: Option<BaseUrl> = "http://command:7878".parse().ok();
        for role in [Role::All, Role::Command] {
            let forwarding = ServeConfig { role, command_url: command_url.clone(), ..here.clone() };
            assert_eq!(forwarding.validate(), Err(ConfigError::NothingToForward), "{role:?}");
        }
        let cursors =
            ServeConfig { role: Role::Command, cursor_key: Some(absent.join("key")), ..here.clone() };
        assert_eq!(cursors.validate(), Err(ConfigError::NoCursors));
        let config = ServeConfig { ready_file: Some(absent.join("ready")), ..here.clone() };
        assert_eq!(config.validate(), Err(ConfigError::NoPlaceForReadyFile(absent)));
        for ready in ["ready".into(), directory.path().join("ready")] {
            assert_eq!(ServeConfig { ready_file: Some(ready), ..here.clone() }.validate(), Ok(()));
        }
    }
}
