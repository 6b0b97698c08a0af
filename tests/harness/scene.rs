//! Where an administrator works and where applications ask: one process, or a command service with two read nodes.

use anyhow::Result;
use serde_json::Value;

use crate::{nats::Nats, server::Server};

/// The processes of one installation.
#[derive(Debug)]
pub struct Scene {
    /// Decides what is written.
    pub writes: Server,
    /// Read nodes with a command URL; none if everything is one process.
    nodes: Vec<Server>,
    /// The one whose directory the others share, and the broker.
    _kept: Option<(Server, Nats)>,
}

impl Scene {
    /// One process on the embedded journal.
    pub fn embedded() -> Result<Self> {
        Ok(Self::alone(Server::start()?))
    }

    /// One process that is everything.
    pub fn alone(server: Server) -> Self {
        Self { writes: server, nodes: Vec::new(), _kept: None }
    }

    /// Two read nodes that pass writes on.
    pub fn over_nats() -> Result<Self> {
        let nats = Nats::single()?;
        let mut first = Server::init_over(&nats.url())?;
        let writes = first.another("command")?;
        first.set_env("GRANTBOOK_FORWARD_TO", writes.base());
        let nodes = vec![first.another("read")?, first.another("read")?];
        Ok(Self { writes, nodes, _kept: Some((first, nats)) })
    }

    /// The addresses that answer questions.
    pub fn bases(&self) -> Vec<&str> {
        if self.nodes.is_empty() {
            vec![self.writes.base()]
        } else {
            self.nodes.iter().map(Server::base).collect()
        }
    }

    /// Makes something with the owner's key.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.writes.call("POST", path, body)?.expect(201)
    }
}
