//! What an operator asks of the nodes of a journal in NATS.

use grantbook_journal::jetstream::{JetStreamError, JetStreamJournal, NatsOptions, NodesError};

use crate::peers::Status;

/// Why the nodes cannot be asked about.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The journal does not open.
    #[error("{0}")]
    Journal(#[from] JetStreamError),
    /// Their stream fails.
    #[error("{0}")]
    Nodes(#[from] NodesError),
}

/// What each node said last. What is not understood is left out.
pub async fn statuses(options: &NatsOptions) -> Result<Vec<Status>, LookError> {
    let told = JetStreamJournal::open(options).await?.statuses().await?;
    Ok(told.iter().filter_map(|bytes| Status::parse(bytes)).collect())
}
