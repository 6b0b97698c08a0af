//! A frame as it came does not fit the ones before it: a store that keeps several copies may have one that does.

use std::time::Duration;

use crate::{Item, Journal, ReadError, chain::ChainError, log_throttle::LogThrottle};
use tokio::time::sleep;

/// Between two attempts to ask for them.
const BACKOFF: Duration = Duration::from_millis(200);

/// Every copy of the journal's item `next` that anybody has, however long it takes until they answer. The caller takes
/// one only if it fits, and stops with the misfit if none does.
pub async fn other_copies<J: Journal>(
    journal: &J,
    next: u64,
    misfit: &ChainError,
) -> Result<Vec<Item>, ReadError> {
    tracing::warn!(sequence = next, %misfit, "a frame does not fit: the journal's other copies are asked for");
    let mut outage = LogThrottle::default();
    loop {
        match journal.copies(next).await {
            Err(error @ ReadError::Unavailable(_)) => {
                if outage.is_due() {
                    tracing::warn!(%error, "the journal does not answer; it is asked again for another copy");
                }
                sleep(BACKOFF).await;
            }
            answer => return answer,
        }
    }
}
