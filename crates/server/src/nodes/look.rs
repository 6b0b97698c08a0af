//! What an operator asks of the nodes of a journal in NATS, and what an operator makes for them.

use grantbook_journal::jetstream::{BucketError, JetStreamError, JetStreamJournal, NatsOptions, NodesError};

use super::Status;

/// Why the nodes cannot be asked about, or nothing be made for them.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The journal does not open.
    #[error("{0}")]
    Journal(#[from] JetStreamError),
    /// Their stream fails.
    #[error("{0}")]
    Nodes(#[from] NodesError),
    /// The bucket of snapshots fails.
    #[error("{0}")]
    Bucket(#[from] BucketError),
}

/// What each node said last. What is not understood is left out.
pub async fn statuses(options: &NatsOptions) -> Result<Vec<Status>, LookError> {
    let told = JetStreamJournal::open(options).await?.statuses().await?;
    Ok(told.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect())
}

/// Makes the stream of nodes' statuses and the bucket of snapshots, or finds that they are there; gives their names.
pub async fn prepare(options: &NatsOptions) -> Result<[String; 2], LookError> {
    let journal = JetStreamJournal::open(options).await?;
    Ok([journal.prepare_nodes().await?, journal.prepare_snapshots().await?])
}
