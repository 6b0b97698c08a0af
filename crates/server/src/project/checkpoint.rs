//! What is kept beside the view's rows: where to read on, and what the next frames must continue.

use grantbook_domain::id::{InstallationId, OrgId};
use grantbook_journal::chain::{Chains, OrgEnd, StreamEnd};
use serde::{Deserialize, Serialize};

/// The end of the stream, and of each organization's chain if this was written durably: with many organizations the
/// ends are long, and a batch that is not durable is never where a view is resumed after a crash.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    pub(super) end: StreamEnd,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    orgs: Option<Vec<(OrgId, OrgEnd)>>,
}

impl Checkpoint {
    /// Of chains that stand at the view's sequence.
    pub(super) fn of(chains: &Chains, whole: bool) -> Self {
        Self { end: chains.end(), orgs: whole.then(|| chains.orgs().collect()) }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The chains, if it holds them.
    pub(super) fn chains(self, installation: InstallationId) -> Option<Chains> {
        Some(Chains::restore(installation, self.end, self.orgs?))
    }
}
