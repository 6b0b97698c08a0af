//! All frames of a journal, however often its store has to be asked.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use grantbook_journal::{Journal, ReadError, Stored, Tail};

const LIMIT: Duration = Duration::from_mins(1);
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Every frame up to the head. A store that does not answer, as one that was just started again, is asked once more.
///
/// # Errors
///
/// The journal is damaged or another one, or did not answer for a minute.
pub async fn all(journal: &impl Journal) -> Result<Vec<Stored>> {
    let deadline = Instant::now() + LIMIT;
    let head = loop {
        match journal.head().await {
            Err(error @ ReadError::Unavailable(_)) => ensure!(Instant::now() < deadline, "{error}"),
            other => break other?,
        }
        tokio::time::sleep(PAUSE).await;
    };
    let (mut tail, mut frames) = (journal.tail(0), Vec::<Stored>::new());
    while frames.last().map_or(0, |stored| stored.sequence) < head {
        ensure!(Instant::now() < deadline, "only {} of {head} frames came", frames.len());
        match tail.next(NonZeroUsize::MAX, PATIENCE).await {
            Err(ReadError::Unavailable(_)) => {}
            more => frames.extend(more?),
        }
    }
    Ok(frames)
}
