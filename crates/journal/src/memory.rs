//! The journal of tests: in memory, with faults on order.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use grantbook_domain::id::OrgId;
use tokio::sync::{oneshot, watch};

use crate::{
    AppendError, Cause, Foreign, Identity, Item, Journal, READ_MAX_BYTES, ReadError, Stored, Tail,
    frame::FRAME_MAX_BYTES,
    moved_beyond,
    outcome::{Guard, Reason},
};

/// A journal in memory; clones share it.
#[derive(Debug, Clone)]
pub struct MemoryJournal {
    identity: Identity,
    state: Arc<Mutex<State>>,
    head: watch::Sender<u64>,
}

/// What happens to the next append.
#[derive(Debug)]
pub enum Fault {
    /// It is refused, although the guard holds.
    Conflict,
    /// It is refused for the moment.
    Busy,
    /// It is refused.
    Unavailable,
    /// It goes on, guard and all, when the other end of the channel is used or dropped.
    Delay(oneshot::Receiver<()>),
    /// It lands if the guard holds, and the writer is not told.
    UnknownLanded,
    /// It is lost, and the writer is not told.
    UnknownLost,
    /// The writer is not told, and it lands in [`MemoryJournal::land_late`], if the guard holds then.
    UnknownLate,
}

#[derive(Debug, Default)]
struct State {
    items: Vec<Item>,
    last: BTreeMap<OrgId, u64>,
    faults: VecDeque<Fault>,
    late: Vec<(OrgId, Guard, Bytes)>,
    appends: u64,
    /// So many reads of one frame are still to fail.
    silent_reads: u64,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new(identity: Identity) -> Self {
        Self { identity, state: Arc::default(), head: watch::Sender::new(0) }
    }

    /// Orders a fault: each append takes one, first ordered first.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// Orders that the next `count` reads of one frame get no answer.
    pub fn silence_reads(&self, count: u64) {
        self.lock().silent_reads = count;
    }

    /// Lands what [`Fault::UnknownLate`] held back, in order; answers how many did.
    pub fn land_late(&self) -> usize {
        let mut state = self.lock();
        let late = std::mem::take(&mut state.late);
        let landed =
            late.into_iter().filter(|(org, guard, frame)| state.land(*org, *guard, frame).is_ok()).count();
        self.tell(&state);
        landed
    }

    /// Exchanges the bytes of a frame, as damage or a forger would; whether there was one.
    pub fn tamper(&self, sequence: u64, bytes: Bytes) -> bool {
        let mut state = self.lock();
        match state.items.iter_mut().find(|item| item.sequence() == sequence) {
            Some(Item::Frame(stored)) => stored.bytes = bytes,
            Some(Item::Foreign(foreign)) => foreign.bytes = bytes,
            None => return false,
        }
        true
    }

    /// Forgets everything behind a sequence, as a store does that was restored from a backup. Clones go on with it.
    pub fn roll_back(&self, to: u64) {
        let mut state = self.lock();
        state.items.retain(|item| item.sequence() <= to);
        let placed = state.items.iter().filter_map(|item| Some((item.org()?, item.sequence())));
        state.last = placed.collect();
        self.tell(&state);
    }

    /// The items behind `after`, within the bounds of [`Tail::next`].
    pub fn read(&self, after: u64, limit: NonZeroUsize) -> Vec<Item> {
        let state = self.lock();
        let mut bytes = 0;
        let fits = |item: &&Item| {
            let first = bytes == 0;
            bytes += item.bytes().len();
            first || bytes <= READ_MAX_BYTES
        };
        state.behind(after).iter().take(limit.get()).take_while(fits).cloned().collect()
    }

    /// How often an append was tried.
    pub fn appends(&self) -> u64 {
        self.lock().appends
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, state: &State) {
        self.head.send_replace(state.head());
    }

    fn next_fault(&self) -> Option<Fault> {
        let mut state = self.lock();
        state.appends += 1;
        state.faults.pop_front()
    }

    async fn take(&self, org: OrgId, guard: Guard, frame: Bytes) -> Result<u64, AppendError> {
        if frame.len() > FRAME_MAX_BYTES {
            return Err(AppendError::TooLarge { bytes: frame.len(), limit: FRAME_MAX_BYTES });
        }
        match self.next_fault() {
            None => self.land(org, guard, &frame),
            Some(Fault::Conflict) => Err(AppendError::Conflict { actual: None }),
            Some(Fault::Busy) => Err(AppendError::Busy(ordered())),
            Some(Fault::Unavailable) => Err(AppendError::Unavailable(ordered())),
            Some(Fault::Delay(gate)) => {
                // A dropped sender opens the gate too, lest a test that ends early hangs.
                gate.await.unwrap_or_default();
                self.land(org, guard, &frame)
            }
            Some(Fault::UnknownLanded) => {
                self.land(org, guard, &frame)?;
                Err(AppendError::OutcomeUnknown(ordered()))
            }
            Some(Fault::UnknownLost) => Err(AppendError::OutcomeUnknown(ordered())),
            Some(Fault::UnknownLate) => {
                self.lock().late.push((org, guard, frame));
                Err(AppendError::OutcomeUnknown(ordered()))
            }
        }
    }

    fn land(&self, org: OrgId, guard: Guard, frame: &Bytes) -> Result<u64, AppendError> {
        let mut state = self.lock();
        let outcome = state.land(org, guard, frame);
        self.tell(&state);
        outcome
    }
}

impl Journal for MemoryJournal {
    type Tail = MemoryTail;

    fn identity(&self) -> Identity {
        self.identity
    }

    /// Clones of it are as other processes.
    fn is_shared(&self) -> bool {
        true
    }

    async fn append(&self, org: OrgId, after: u64, frame: Bytes) -> Result<u64, AppendError> {
        self.take(org, Guard::Organization(after), frame).await
    }

    async fn found(&self, org: OrgId, head: u64, frame: Bytes) -> Result<u64, AppendError> {
        self.take(org, Guard::Stream(head), frame).await
    }

    async fn put_foreign(&self, token: &str, head: u64, bytes: Bytes) -> Result<u64, AppendError> {
        let mut state = self.lock();
        let outcome = state.put_foreign(token, head, bytes);
        self.tell(&state);
        outcome
    }

    fn tail(&self, after: u64) -> MemoryTail {
        MemoryTail { journal: self.clone(), head: self.head.subscribe(), after }
    }

    async fn read_one(&self, sequence: u64) -> Result<Option<Item>, ReadError> {
        let Some(after) = sequence.checked_sub(1) else { return Ok(None) };
        let mut state = self.lock();
        if let Some(left) = state.silent_reads.checked_sub(1) {
            state.silent_reads = left;
            return Err(ReadError::Unavailable(ordered()));
        }
        Ok(state.behind(after).first().cloned())
    }

    async fn head(&self) -> Result<u64, ReadError> {
        Ok(self.lock().head())
    }

    async fn next_of(&self, org: OrgId, after: u64) -> Result<Option<Item>, ReadError> {
        Ok(self.lock().behind(after).iter().find(|item| item.org() == Some(org)).cloned())
    }

    fn halted(&self) -> Option<Cause> {
        None
    }
}

/// Reads a [`MemoryJournal`] in order.
#[derive(Debug)]
pub struct MemoryTail {
    journal: MemoryJournal,
    head: watch::Receiver<u64>,
    after: u64,
}

impl Tail for MemoryTail {
    async fn next(&mut self, limit: NonZeroUsize, patience: Duration) -> Result<Vec<Item>, ReadError> {
        moved_beyond(&mut self.head, self.after, patience).await;
        let items = self.journal.read(self.after, limit);
        self.after = items.last().map_or(self.after, Item::sequence);
        Ok(items)
    }
}

impl State {
    fn head(&self) -> u64 {
        self.items.last().map_or(0, Item::sequence)
    }

    fn behind(&self, after: u64) -> &[Item] {
        usize::try_from(after).ok().and_then(|after| self.items.get(after..)).unwrap_or_default()
    }

    fn land(&mut self, org: OrgId, guard: Guard, frame: &Bytes) -> Result<u64, AppendError> {
        let own = self.last.get(&org).copied().unwrap_or_default();
        let (holds, actual) = match guard {
            Guard::Organization(after) => (own == after, own),
            Guard::Stream(head) => (own == 0 && self.head() == head, self.head()),
        };
        if !holds {
            return Err(AppendError::Conflict { actual: Some(actual) });
        }
        let sequence = self.head() + 1;
        self.items.push(Item::Frame(Stored { sequence, org, bytes: frame.clone(), guard: Some(own) }));
        self.last.insert(org, sequence);
        Ok(sequence)
    }

    fn put_foreign(&mut self, token: &str, head: u64, bytes: Bytes) -> Result<u64, AppendError> {
        if self.head() != head {
            return Err(AppendError::Conflict { actual: Some(self.head()) });
        }
        let sequence = head + 1;
        let foreign = Foreign { sequence, token: token.to_owned(), bytes };
        if let Some(org) = foreign.org() {
            self.last.insert(org, sequence);
        }
        self.items.push(Item::Foreign(foreign));
        Ok(sequence)
    }
}

fn ordered() -> Cause {
    Arc::new(Reason("a fault was ordered"))
}

#[cfg(test)]
mod tests {
    use grantbook_domain::{id::InstallationId, time::Timestamp};

    use super::*;
    use crate::conformance;

    fn journal() -> MemoryJournal {
        let installation = InstallationId::from_u128(1);
        MemoryJournal::new(Identity { installation, created_at: Timestamp::EPOCH })
    }

    #[tokio::test]
    async fn it_conforms() {
        conformance::run(async || journal(), async |journal| journal).await;
    }

    #[tokio::test]
    async fn a_delayed_append_meets_the_guard_when_it_arrives() {
        let journal = journal();
        let org = conformance::org(1);
        let (gate, delayed) = oneshot::channel();
        journal.inject(Fault::Delay(delayed));
        let slow = tokio::spawn({
            let journal = journal.clone();
            async move { journal.append(org, 0, Bytes::from_static(b"slow")).await }
        });
        while journal.appends() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(journal.append(org, 0, Bytes::from_static(b"fast")).await.unwrap(), 1);
        gate.send(()).unwrap();
        assert!(matches!(slow.await.unwrap(), Err(AppendError::Conflict { actual: Some(1) })));
    }

    #[tokio::test]
    async fn what_is_tampered_with_is_read_so() {
        let journal = journal();
        journal.append(conformance::org(1), 0, Bytes::from_static(b"true")).await.unwrap();
        assert!(journal.tamper(1, Bytes::from_static(b"false")));
        assert_eq!(journal.read_one(1).await.unwrap().unwrap().bytes(), "false");
        assert!(!journal.tamper(2, Bytes::new()));
    }
}
