//! Why the server cannot begin or go on.

use std::{io, net::SocketAddr, path::PathBuf};

use grantbook_files as files;
use tokio::task::JoinError;

use crate::{
    app::config::ConfigError,
    forward::{DataPlaneError, ForwardError},
    keys::KeyFileError,
    subscribe::{relay::RelayError, webhooks::WebhooksError},
};
use grantbook_command::ReplayError;
use grantbook_journal::follow::open::OpenError;
use grantbook_node::error::ReadSideError;

/// Why the server cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The view does not begin, or is not made.
    #[error(transparent)]
    ReadSide(#[from] ReadSideError),
    /// The journal does not fold.
    #[error("{0}")]
    Replay(#[from] ReplayError),
    /// The configuration does not make sense.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// No relay starts.
    #[error("{0}")]
    Relay(#[from] RelayError),
    /// The address is not free.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The ready file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    ReadyFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Requests cannot be taken any more.
    #[error("the server failed: {0}")]
    Serve(#[source] io::Error),
    /// The key of cursors cannot be read.
    #[error(transparent)]
    CursorKey(#[from] KeyFileError),
    /// The data plane's key cannot be read.
    #[error(transparent)]
    DataPlane(#[from] DataPlaneError),
    /// Nothing can be passed on to the command service.
    #[error("the client for --command-url cannot be made: {0}")]
    Forward(#[from] ForwardError),
    /// Webhooks are not made or delivered.
    #[error(transparent)]
    Webhooks(#[from] WebhooksError),
}

impl From<JoinError> for StartError {
    fn from(error: JoinError) -> Self {
        Self::Open(error.into())
    }
}

impl From<files::Exposed> for StartError {
    fn from(error: files::Exposed) -> Self {
        Self::Open(error.into())
    }
}
