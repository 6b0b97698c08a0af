//! A journal whose reads run ahead of the head it tells, as the embedded one's do while a commit is being finished.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::given::Given;
use bytes::Bytes;
use grantbook_domain::id::OrgId;
use grantbook_journal::{
    AppendError, Cause, Identity, Item, Journal, ReadError,
    memory::{MemoryJournal, MemoryTail},
};
use grantbook_node::project::{NodeState, Projector};
use grantbook_views::ViewWriter;
use tokio::time::timeout;

/// Tells a head that is too low for so many calls.
struct BehindItsHead {
    inner: MemoryJournal,
    lagging: AtomicU64,
}

impl Journal for BehindItsHead {
    type Tail = MemoryTail;

    fn identity(&self) -> Identity {
        self.inner.identity()
    }
    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }
    fn append(
        &self,
        org: OrgId,
        after: u64,
        frame: Bytes,
    ) -> impl Future<Output = Result<u64, AppendError>> + Send {
        self.inner.append(org, after, frame)
    }
    fn found(
        &self,
        org: OrgId,
        head: u64,
        frame: Bytes,
    ) -> impl Future<Output = Result<u64, AppendError>> + Send {
        self.inner.found(org, head, frame)
    }
    async fn put_foreign(&self, token: &str, head: u64, bytes: Bytes) -> Result<u64, AppendError> {
        self.inner.put_foreign(token, head, bytes).await
    }
    fn tail(&self, after: u64) -> MemoryTail {
        self.inner.tail(after)
    }
    fn read_one(&self, sequence: u64) -> impl Future<Output = Result<Option<Item>, ReadError>> + Send {
        self.inner.read_one(sequence)
    }
    async fn head(&self) -> Result<u64, ReadError> {
        let lags =
            self.lagging.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        Ok(self.inner.head().await? - u64::from(lags.is_ok()))
    }
    fn next_of(
        &self,
        org: OrgId,
        after: u64,
    ) -> impl Future<Output = Result<Option<Item>, ReadError>> + Send {
        self.inner.next_of(org, after)
    }
    fn halted(&self) -> Option<Cause> {
        self.inner.halted()
    }
}

/// Never tells its head, as when its leader cannot be reached.
pub(crate) struct Silent(pub(crate) MemoryJournal);

impl Journal for Silent {
    type Tail = MemoryTail;

    fn identity(&self) -> Identity {
        self.0.identity()
    }
    fn is_shared(&self) -> bool {
        self.0.is_shared()
    }
    async fn append(&self, org: OrgId, after: u64, frame: Bytes) -> Result<u64, AppendError> {
        self.0.append(org, after, frame).await
    }
    async fn found(&self, org: OrgId, head: u64, frame: Bytes) -> Result<u64, AppendError> {
        self.0.found(org, head, frame).await
    }
    async fn put_foreign(&self, token: &str, head: u64, bytes: Bytes) -> Result<u64, AppendError> {
        self.0.put_foreign(token, head, bytes).await
    }
    fn tail(&self, after: u64) -> MemoryTail {
        self.0.tail(after)
    }
    async fn read_one(&self, sequence: u64) -> Result<Option<Item>, ReadError> {
        self.0.read_one(sequence).await
    }
    async fn head(&self) -> Result<u64, ReadError> {
        std::future::pending().await
    }
    async fn next_of(&self, org: OrgId, after: u64) -> Result<Option<Item>, ReadError> {
        self.0.next_of(org, after).await
    }
    fn halted(&self) -> Option<Cause> {
        self.0.halted()
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_told_late_is_no_lost_tail() {
    let given = Given::settled().await;
    for n in 0..5 {
        given.submit(given.create_token(&format!("t{n}"))).await.unwrap();
    }
    let journal = BehindItsHead { inner: given.journal.clone(), lagging: AtomicU64::new(2) };
    let writer = ViewWriter::in_memory(journal.identity().installation).unwrap();
    let projector = Projector::start(Arc::new(journal), writer);
    let mut progress = projector.progress();
    // On a clock that jumps ahead: the head is looked at again and again until this is over.
    let stopped = progress.wait_for(|progress| matches!(progress.state, NodeState::Quarantined { .. }));
    let stopped = timeout(Duration::from_mins(1), stopped).await;
    assert!(stopped.is_err(), "{stopped:?}");
    let progress = projector.progress().borrow().clone();
    assert_eq!((progress.sequence, progress.state), (6, NodeState::Running));
}
