//! Burned sequences: foreign messages that say that nothing stands there, and why.

use std::{collections::BTreeSet, num::NonZeroUsize, time::Duration};

use crate::{
    AppendError, Item, Journal, ReadError, Stored, Tail, embedded::EmbeddedJournal, frame,
    jetstream::JetStreamJournal, read_patiently,
};
use bytes::Bytes;
use grantbook_domain::{event::Event, id::OrgId};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

/// Why sequences are not burned.
#[derive(Debug, thiserror::Error)]
pub enum BurnError {
    /// Others were faster.
    #[error("other processes write to the journal at the same time: stop them, or try again")]
    Contended,
    /// The journal does not answer.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// The journal takes nothing.
    #[error("{0}")]
    Append(#[from] AppendError),
}

/// The last token of the subject on which they stand: no organization's.
const TOKEN: &str = "burned";
/// More are not burned at once: such a head was never reached, but written by mistake.
pub const BURNED_MOST: u64 = 10_000_000;
/// So many are given to a file at once, which then shares commits.
const AT_ONCE: usize = 1024;
/// A journal that does not answer for so long is given up.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Between two attempts.
const BACKOFF: Duration = Duration::from_millis(200);
/// Most items behind a burned range among which its record is looked for.
const LOOKED_AT: usize = 4096;
/// So often at most an interrupted attempt was extended.
const EXTENDED_MOST: usize = 64;
/// Items read at once.
const ITEMS: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(items) => items,
    None => NonZeroUsize::MIN,
};

/// What was kept of a journal and how far the lost one had come: behind `kept`, up to `lost`, nothing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burned {
    /// The last sequence of the journal that was gone on from.
    pub kept: u64,
    /// The last sequence that the lost journal is known to have had.
    pub lost: u64,
}

/// The payload.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    burned: Burned,
}

impl Burned {
    fn body(self) -> Bytes {
        serde_json::to_vec(&Body { burned: self }).unwrap_or_default().into()
    }

    fn of(item: &Item) -> Option<Self> {
        let Item::Foreign(foreign) = item else { return None };
        let Body { burned } = serde_json::from_slice(&foreign.bytes).ok()?;
        (foreign.token == TOKEN && burned.covers(foreign.sequence)).then_some(burned)
    }

    /// Whether the sequence is in the range.
    pub const fn covers(self, sequence: u64) -> bool {
        self.kept < sequence && sequence <= self.lost
    }

    /// Whether all of the other range is in this one.
    const fn covers_all(self, other: Self) -> bool {
        self.kept <= other.kept && other.lost <= self.lost
    }
}

/// The ranges that a frame's records say an operator gave up.
fn recorded_in(stored: &Stored) -> Vec<Burned> {
    let Ok(frame) = frame::decode(&stored.bytes) else { return Vec::new() };
    let events = frame.records.iter().flat_map(|record| &record.events);
    let ranges = events.filter_map(|event| {
        let Event::RollbackAccepted { kept, lost } = event else { return None };
        Some(Burned { kept: *kept, lost: *lost })
    });
    ranges.collect()
}

/// A journal in which sequences can be burned.
pub trait Burn: Journal {
    /// Burns all sequences behind the head up to `burned.lost`, if the head is still this one. `progress` gets the last
    /// one done, and the last one.
    fn burn(
        &self,
        burned: Burned,
        head: u64,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> impl Future<Output = Result<(), BurnError>> + Send;
}

impl Burn for EmbeddedJournal {
    async fn burn(
        &self,
        burned: Burned,
        mut head: u64,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), BurnError> {
        expect_head(self, head).await?;
        while head < burned.lost {
            let count = usize::try_from(burned.lost - head).unwrap_or(AT_ONCE).min(AT_ONCE);
            head = self.put_foreign_run(TOKEN, head, vec![burned.body(); count]).await?;
            progress(head, burned.lost);
        }
        Ok(())
    }
}

impl Burn for JetStreamJournal {
    async fn burn(
        &self,
        burned: Burned,
        mut head: u64,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), BurnError> {
        expect_head(self, head).await?;
        let mut moved_at = Instant::now();
        while head < burned.lost {
            match self.put_foreign(TOKEN, head, burned.body()).await {
                Ok(sequence) => (head, moved_at) = (sequence, Instant::now()),
                Err(error @ (AppendError::Unavailable(_) | AppendError::TooLarge { .. })) => {
                    return Err(error.into());
                }
                Err(error) => {
                    if moved_at.elapsed() >= TIMEOUT {
                        return Err(error.into());
                    }
                    sleep(BACKOFF).await;
                    let found = head_of(self).await?;
                    // What landed there since is ours, or somebody writes at the same time.
                    if found > head && at(self, found).await? != Some(burned) {
                        return Err(BurnError::Contended);
                    }
                    head = found;
                }
            }
            progress(head, burned.lost);
        }
        Ok(())
    }
}

/// That nobody wrote since the head was this one.
async fn expect_head<J: Journal>(journal: &J, head: u64) -> Result<(), BurnError> {
    if head_of(journal).await? == head { Ok(()) } else { Err(BurnError::Contended) }
}

/// The journal's head, however often it has to be asked for.
pub async fn head_of<J: Journal>(journal: &J) -> Result<u64, ReadError> {
    read_patiently(TIMEOUT, || journal.head()).await
}

/// What stands at a sequence, however often it has to be asked for.
pub async fn item<J: Journal>(journal: &J, sequence: u64) -> Result<Option<Item>, ReadError> {
    read_patiently(TIMEOUT, || journal.read_one(sequence)).await
}

/// The burned range that a sequence is in, if it is in one.
pub async fn at<J: Journal>(journal: &J, sequence: u64) -> Result<Option<Burned>, ReadError> {
    Ok(item(journal, sequence).await?.as_ref().and_then(Burned::of))
}

/// The range that a sequence is in and that an operator gave up: a record behind it says so, whatever the message there says.
pub async fn accepted<J: Journal>(journal: &J, sequence: u64) -> Result<Option<Burned>, ReadError> {
    let Some(burned) = at(journal, sequence).await? else { return Ok(None) };
    let head = head_of(journal).await?;
    let mut reached = end_of(journal, burned, head).await?.unwrap_or(sequence);
    let (mut tail, mut looked_at) = (journal.tail(reached), 0);
    while reached < head && looked_at < LOOKED_AT {
        let items = tail.next(ITEMS, TIMEOUT).await?;
        let Some(last) = items.last() else { break };
        (reached, looked_at) = (last.sequence(), looked_at + items.len());
        let mut ranges = items.iter().filter_map(Item::frame).flat_map(recorded_in);
        if let Some(recorded) = ranges.find(|recorded| recorded.covers(sequence)) {
            return Ok(Some(recorded));
        }
    }
    Ok(None)
}

/// Where burned sequences end that begin with this range: an interrupted attempt may have been extended. None if the
/// journal does not hold the range.
async fn end_of<J: Journal>(journal: &J, mut burned: Burned, head: u64) -> Result<Option<u64>, ReadError> {
    for _ in 0..EXTENDED_MOST {
        if burned.lost > head {
            return Ok(None);
        }
        match at(journal, burned.lost.saturating_add(1)).await? {
            Some(next) => burned = next,
            None => return Ok(Some(burned.lost)),
        }
    }
    Ok(None)
}

/// The organizations that have the record of a burned range already.
pub async fn recorded<J: Journal>(journal: &J, burned: Burned) -> Result<BTreeSet<OrgId>, ReadError> {
    let (head, mut found) = (head_of(journal).await?, BTreeSet::new());
    let mut reached = burned.kept.max(burned.lost);
    let mut tail = journal.tail(reached);
    while reached < head {
        let items = tail.next(ITEMS, TIMEOUT).await?;
        let Some(last) = items.last() else { return Err(ReadError::Damaged { sequence: reached + 1 }) };
        reached = last.sequence();
        let says_so = |stored: &&Stored| recorded_in(stored).iter().any(|range| range.covers_all(burned));
        found.extend(items.iter().filter_map(Item::frame).filter(says_so).map(|stored| stored.org));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use crate::Identity;
    use grantbook_domain::{id::InstallationId, time::Timestamp};

    use super::*;

    #[tokio::test]
    async fn nothing_is_burned_behind_a_head_that_moved() {
        let directory = tempfile::tempdir().unwrap();
        let identity = Identity { installation: InstallationId::from_u128(1), created_at: Timestamp::EPOCH };
        let journal = EmbeddedJournal::create(directory.path(), identity).unwrap();
        let org = OrgId::from_u128(1);
        for after in 0..3 {
            journal.append(org, after, Bytes::from_static(b"frame")).await.unwrap();
        }
        let moved = journal.burn(Burned { kept: 2, lost: 5 }, 2, &mut |_, _| {}).await;
        assert!(matches!(moved, Err(BurnError::Contended)), "{moved:?}");
        assert_eq!(journal.head().await.unwrap(), 3);
        journal.burn(Burned { kept: 3, lost: 5 }, 3, &mut |_, _| {}).await.unwrap();
        assert_eq!(journal.head().await.unwrap(), 5);
    }
}
