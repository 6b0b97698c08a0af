//! What every journal must do, as functions over any of them.
//!
//! [`run`] is the whole suite. It is given two functions: one makes an empty journal, the other ends a journal and
//! starts it again (which for a journal in memory may be nothing).
//!
//! # Panics
//!
//! Every function here panics where a journal does not do what it must: they are called from tests.
#![expect(clippy::missing_panics_doc, reason = "said once, for the whole module")]

mod foreign;
mod guards;
mod history;

use std::{num::NonZeroUsize, time::Duration};

use bytes::Bytes;
use grantbook_domain::id::OrgId;
use tokio::time::{sleep, timeout};

use crate::{AppendError, Item, Journal, Stored, Tail};

pub use foreign::{foreign_items, foreign_restarts};
pub use guards::{conflicts, foundings, races, resends, too_large};
pub use history::{SCRIPT, Turn, follows, histories, looks, reads, restarts, script_history};

/// Longer than any journal needs for one step: a test that waits so long has failed.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Before what was refused for the moment is tried again.
const BACKOFF: Duration = Duration::from_millis(2);

/// Runs the whole suite, each part on a journal of its own.
pub async fn run<J: Journal>(fresh: impl AsyncFn() -> J, again: impl AsyncFn(J) -> J) {
    histories(&fresh().await).await;
    conflicts(&fresh().await).await;
    resends(&fresh().await).await;
    foundings(fresh().await).await;
    races(fresh().await).await;
    too_large(&fresh().await).await;
    reads(&fresh().await).await;
    looks(&fresh().await).await;
    follows(&fresh().await).await;
    restarts(fresh().await, &again).await;
    foreign_items(&fresh().await).await;
    foreign_restarts(fresh().await, again).await;
}

/// An organization of the suite.
pub const fn org(number: u128) -> OrgId {
    OrgId::from_u128(number)
}

/// Appends what must be taken.
async fn append<J: Journal>(journal: &J, org: OrgId, after: u64, frame: &str) -> u64 {
    expect(timeout(TIMEOUT, attempt(journal, org, after, Bytes::from(frame.to_owned()))).await)
}

/// What becomes of an append once the journal is not busy any more: a cluster may say so to the only writer, too.
async fn attempt<J: Journal>(journal: &J, org: OrgId, after: u64, frame: Bytes) -> Result<u64, AppendError> {
    loop {
        match journal.append(org, after, frame.clone()).await {
            Err(AppendError::Busy(_)) => sleep(BACKOFF).await,
            outcome => return outcome,
        }
    }
}

/// All items up to the head, read in one go or in several.
async fn all<J: Journal>(journal: &J, at_a_time: NonZeroUsize) -> Vec<Item> {
    let head = expect(timeout(TIMEOUT, journal.head()).await);
    let mut tail = journal.tail(0);
    let mut frames: Vec<Item> = Vec::new();
    while frames.last().map_or(0, Item::sequence) < head {
        let more = expect(timeout(TIMEOUT, tail.next(at_a_time, TIMEOUT)).await);
        assert!(more.len() <= at_a_time.get(), "no more frames than asked for");
        frames.extend(more.into_iter().map(bare));
    }
    frames
}

/// Without what not every store keeps.
fn bare(item: Item) -> Item {
    match item {
        Item::Frame(stored) => Item::Frame(Stored { guard: None, ..stored }),
        foreign @ Item::Foreign(_) => foreign,
    }
}

/// The value of a step that must succeed in time.
#[expect(clippy::panic, reason = "the failure of a test")]
fn expect<T, A: std::fmt::Debug, B: std::fmt::Debug>(step: Result<Result<T, A>, B>) -> T {
    match step {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => panic!("the journal failed: {error:?}"),
        Err(error) => panic!("the journal did not answer in time: {error:?}"),
    }
}
