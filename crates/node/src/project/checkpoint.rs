//! What is kept beside the view's rows: where to read on, and what the next frames must continue.

use grantbook_domain::id::{InstallationId, OrgId};
use grantbook_journal::chain::{Chains, OrgEnd, StreamEnd};
use serde::{Deserialize, Serialize};

/// The end of the stream, and of each organization's chain if this was written durably: with many organizations the
/// ends are long, and a batch that is not durable is never where a view is resumed after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    pub(crate) end: StreamEnd,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    orgs: Option<Vec<(OrgId, OrgEnd)>>,
}

impl Checkpoint {
    /// Of chains that stand at the view's sequence.
    pub(crate) fn of(chains: &Chains, whole: bool) -> Self {
        Self { end: chains.end(), orgs: whole.then(|| chains.orgs().collect()) }
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The end of each organization's chain, if it holds them.
    pub(crate) fn orgs(&self) -> Option<&[(OrgId, OrgEnd)]> {
        self.orgs.as_deref()
    }

    /// The chains, if it holds them.
    pub(crate) fn chains(self, installation: InstallationId) -> Option<Chains> {
        Some(Chains::restore(installation, self.end, self.orgs?))
    }
}
