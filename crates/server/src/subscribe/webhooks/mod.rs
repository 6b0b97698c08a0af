//! Webhooks: messages about events and changes of access, signed and sent in order, at least once.
//!
//! What is to be sent where stands in the journal; what was sent stands in a file of the node that sends
//! (docs/adr/0016-webhooks.md).

mod allow;
mod deliveries;
mod key;
mod message;
mod schedule;
mod send;
mod store;
mod worker;

use std::{path::PathBuf, sync::Arc};

use grantbook_domain::webhook::Destination;
use tokio::task::JoinError;

use crate::keys::KeyFileError;

pub(crate) use self::{
    allow::Forbidden,
    deliveries::{Deliverer, Deliveries, DeliveryOptions, SteerError},
    message::message_id,
    store::{DeadLetter, DeliveryAttempt, DeliveryStatus},
};
pub use self::{
    allow::{Allowed, Policy},
    key::{SigningSecret, WebhookKey},
    schedule::Schedule,
    send::TlsError,
    store::StoreError,
};

/// Why webhooks are not made or delivered.
#[derive(Debug, thiserror::Error)]
pub enum WebhooksError {
    /// The webhook key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The file of deliveries is of no use.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be sent.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A task of the runtime has failed.
    #[error("a task failed: {0}")]
    Task(#[from] JoinError),
}

/// What `serve` is told of webhooks.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// The file of the installation's webhook key.
    pub key_file: PathBuf,
    /// Where messages may be sent besides public addresses by https.
    pub allow: Vec<Allowed>,
    /// When a message is sent again.
    pub schedule: Schedule,
}

/// The same, read and ready.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The installation's webhook key.
    pub(crate) key: WebhookKey,
    /// Where messages may be sent.
    pub(crate) policy: Arc<Policy>,
    /// When a message is sent again.
    pub(crate) schedule: Schedule,
}

/// What routes have of webhooks; cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks {
    pub(crate) configured: Configured,
    /// The deliveries, if this process is one that delivers.
    pub(crate) deliveries: Option<Deliveries>,
}

impl WebhookOptions {
    /// Reads the key. Blocks.
    pub fn read(&self) -> Result<Configured, WebhooksError> {
        let key = WebhookKey::load(&self.key_file)?;
        let policy = Arc::new(Policy::new(self.allow.clone()));
        Ok(Configured { key, policy, schedule: self.schedule.clone() })
    }
}

impl Configured {
    /// Whether messages could ever be sent to this URL; one that is malformed is the domain's to refuse.
    pub(crate) fn precheck(&self, url: &str) -> Result<(), Forbidden> {
        Destination::parse(url).map_or(Ok(()), |to| self.policy.precheck(&to))
    }
}
