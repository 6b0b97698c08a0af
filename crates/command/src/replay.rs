//! Folding a whole journal before anything is appended to it.

use grantbook_journal::{Journal, follow::open::JournalAddress};

use crate::{Fold, FoldError};

/// The journal does not fold.
#[derive(Debug, thiserror::Error)]
#[error("the journal in {place} cannot be replayed: {source}")]
pub struct ReplayError {
    /// The data directory, or the stream.
    pub place: String,
    /// What is wrong, and at which sequence.
    pub source: FoldError,
}

/// The fold of a whole journal.
pub async fn replay<J: Journal>(journal: &J, address: &JournalAddress) -> Result<Fold, ReplayError> {
    let failed = |source| ReplayError { place: address.to_string(), source };
    Fold::replay(journal).await.map_err(failed)
}
