//! Burned sequences: foreign messages that say that nothing stands there, and why.

use std::{collections::BTreeSet, num::NonZeroUsize, time::Duration};

use bytes::Bytes;
use grantbook_domain::{event::Event, id::OrgId};
use grantbook_journal::{
    AppendError, Item, Journal, ReadError, Stored, Tail, embedded::EmbeddedJournal, frame,
    jetstream::JetStreamJournal,
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::start::StartError;

/// The last token of the subject on which they stand: no organization's.
const TOKEN: &str = "burned";
/// More are not burned at once: such a head was never reached, but written by mistake.
pub const BURNED_MOST: u64 = 10_000_000;
/// So many are given to a file at once, which then shares commits.
const AT_ONCE: usize = 1024;
/// A journal that does not answer for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
/// Most items behind a burned range among which its record is looked for.
const LOOKED_AT: usize = 4096;
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
        let is_within = burned.kept < foreign.sequence && foreign.sequence <= burned.lost;
        (foreign.token == TOKEN && is_within).then_some(burned)
    }

    fn is_event(self, event: &Event) -> bool {
        matches!(event, Event::RollbackAccepted { kept, lost } if (*kept, *lost) == (self.kept, self.lost))
    }

    fn is_recorded_in(self, stored: &Stored) -> bool {
        let Ok(frame) = frame::decode(&stored.bytes) else { return false };
        frame.records.iter().flat_map(|record| &record.events).any(|event| self.is_event(event))
    }
}

/// A journal in which sequences can be burned.
pub(super) trait Burn: Journal {
    /// Burns all sequences behind the head up to `burned.lost`. `progress` gets the last one done, and the last one.
    fn burn(
        &self,
        burned: Burned,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> impl Future<Output = Result<(), StartError>> + Send;
}

impl Burn for EmbeddedJournal {
    async fn burn(
        &self,
        burned: Burned,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), StartError> {
        let mut head = head_of(self).await?;
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
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), StartError> {
        let mut head = head_of(self).await?;
        let mut moved_at = Instant::now();
        while head < burned.lost {
            match self.put_foreign(TOKEN, head, burned.body()).await {
                Ok(sequence) => (head, moved_at) = (sequence, Instant::now()),
                Err(error @ (AppendError::Unavailable(_) | AppendError::TooLarge { .. })) => {
                    return Err(error.into());
                }
                Err(error) => {
                    if moved_at.elapsed() >= PATIENCE {
                        return Err(error.into());
                    }
                    sleep(PAUSE).await;
                    let found = head_of(self).await?;
                    // What landed there since is ours, or somebody writes at the same time.
                    if found > head && at(self, found).await? != Some(burned) {
                        return Err(StartError::Contended);
                    }
                    head = found;
                }
            }
            progress(head, burned.lost);
        }
        Ok(())
    }
}

/// The journal's head, however often it has to be asked for.
pub(super) async fn head_of<J: Journal>(journal: &J) -> Result<u64, ReadError> {
    patiently(|| journal.head()).await
}

/// What stands at a sequence, however often it has to be asked for.
pub(super) async fn item<J: Journal>(journal: &J, sequence: u64) -> Result<Option<Item>, ReadError> {
    patiently(|| journal.read_one(sequence)).await
}

/// The burned range that a sequence is in, if it is in one.
pub(super) async fn at<J: Journal>(journal: &J, sequence: u64) -> Result<Option<Burned>, ReadError> {
    Ok(item(journal, sequence).await?.as_ref().and_then(Burned::of))
}

/// The burned range that a sequence is in, if an operator accepted that: a record behind it says so.
pub(crate) async fn accepted<J: Journal>(journal: &J, sequence: u64) -> Result<Option<Burned>, ReadError> {
    let Some(burned) = at(journal, sequence).await? else { return Ok(None) };
    let (mut tail, mut looked_at) = (journal.tail(burned.lost), 0);
    let head = head_of(journal).await?;
    let mut reached = burned.lost;
    while reached < head && looked_at < LOOKED_AT {
        let items = tail.next(ITEMS, PATIENCE).await?;
        let Some(last) = items.last() else { break };
        (reached, looked_at) = (last.sequence(), looked_at + items.len());
        if items.iter().filter_map(Item::frame).any(|stored| burned.is_recorded_in(stored)) {
            return Ok(Some(burned));
        }
    }
    Ok(None)
}

/// The organizations that have the record of a burned range already.
pub(super) async fn recorded<J: Journal>(journal: &J, burned: Burned) -> Result<BTreeSet<OrgId>, ReadError> {
    let (head, mut found) = (head_of(journal).await?, BTreeSet::new());
    let mut reached = burned.kept.max(burned.lost);
    let mut tail = journal.tail(reached);
    while reached < head {
        let items = tail.next(ITEMS, PATIENCE).await?;
        let Some(last) = items.last() else { return Err(ReadError::Damaged { sequence: reached + 1 }) };
        reached = last.sequence();
        let stored = items.iter().filter_map(Item::frame).filter(|stored| burned.is_recorded_in(stored));
        found.extend(stored.map(|stored| stored.org));
    }
    Ok(found)
}

async fn patiently<T, F: Future<Output = Result<T, ReadError>>>(ask: impl Fn() -> F) -> Result<T, ReadError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Err(ReadError::Unavailable(_)) if Instant::now() < deadline => sleep(PAUSE).await,
            answer => return answer,
        }
    }
}
