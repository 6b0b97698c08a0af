//! All items of a journal, however often its store has to be asked.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use grantbook_journal::{Item, Journal, ReadError, Tail};

const LIMIT: Duration = Duration::from_mins(1);
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Every item up to the head, frames and foreign messages. A store that does not answer, as one that was just started again, is asked once more.
///
/// # Errors
///
/// The journal is damaged or another one, or did not answer for a minute.
pub async fn all(journal: &impl Journal) -> Result<Vec<Item>> {
    let deadline = Instant::now() + LIMIT;
    let head = loop {
        match journal.head().await {
            Err(error @ ReadError::Unavailable(_)) => ensure!(Instant::now() < deadline, "{error}"),
            other => break other?,
        }
        tokio::time::sleep(PAUSE).await;
    };
    let (mut tail, mut items) = (journal.tail(0), Vec::<Item>::new());
    while items.last().map_or(0, Item::sequence) < head {
        ensure!(Instant::now() < deadline, "only {} of {head} items came", items.len());
        match tail.next(NonZeroUsize::MAX, PATIENCE).await {
            Err(ReadError::Unavailable(_)) => {}
            more => items.extend(more?),
        }
    }
    Ok(items)
}
