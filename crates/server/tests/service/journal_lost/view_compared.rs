//! A view that is started again: one damaged copy of the journal, or a leader that has not applied everything yet, says
//! nothing against the journal.

use std::{
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
    follow::doubt::{Doubts, JournalDoubt},
    memory::{MemoryJournal, MemoryTail},
};
use grantbook_node::project::{NodeState, Projector, SCRUB_EVERY};
use grantbook_views::ViewWriter;
use tokio::{sync::Notify, time::timeout};

const LIMIT: Duration = Duration::from_mins(1);
/// Where the journal ends.
const LAST: u64 = 4;

/// What the leader gives when it is asked for one item.
enum Leader {
    /// Nothing, so often.
    Fresh(AtomicU64),
    /// Something else, always; the other copies are right.
    Damaged,
    /// All but the last item, which a copy still has.
    RolledBack,
    /// No answer; tells that it was asked.
    Silent(Arc<Notify>),
}

struct Shared {
    journal: MemoryJournal,
    leader: Leader,
}

impl Journal for Shared {
    type Tail = MemoryTail;

    fn identity(&self) -> Identity {
        self.journal.identity()
    }
    fn is_shared(&self) -> bool {
        true
    }
    async fn append(&self, org: OrgId, after: u64, frame: Bytes) -> Result<u64, AppendError> {
        self.journal.append(org, after, frame).await
    }
    async fn found(&self, org: OrgId, head: u64, frame: Bytes) -> Result<u64, AppendError> {
        self.journal.found(org, head, frame).await
    }
    async fn put_foreign(&self, token: &str, head: u64, bytes: Bytes) -> Result<u64, AppendError> {
        self.journal.put_foreign(token, head, bytes).await
    }
    fn tail(&self, after: u64) -> MemoryTail {
        self.journal.tail(after)
    }
    async fn read_one(&self, sequence: u64) -> Result<Option<Item>, ReadError> {
        let item = self.journal.read_one(sequence).await?;
        Ok(match (&self.leader, item) {
            (Leader::Fresh(left), item) => {
                let is_fresh =
                    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
                item.filter(|_| is_fresh.is_err())
            }
            (Leader::Damaged, Some(Item::Frame(mut stored))) => {
                stored.bytes = Bytes::from_static(b"damaged");
                Some(Item::Frame(stored))
            }
            (Leader::Damaged, item) => item,
            (Leader::RolledBack, item) => item.filter(|_| sequence < LAST),
            (Leader::Silent(asked), _) => {
                asked.notify_one();
                return Err(ReadError::Unavailable(Arc::new(std::io::Error::other("silent"))));
            }
        })
    }
    async fn head(&self) -> Result<u64, ReadError> {
        let head = self.journal.head().await?;
        Ok(if matches!(self.leader, Leader::RolledBack) { LAST - 1 } else { head })
    }
    async fn next_of(&self, org: OrgId, after: u64) -> Result<Option<Item>, ReadError> {
        self.journal.next_of(org, after).await
    }
    fn halted(&self) -> Option<Cause> {
        None
    }
    async fn copies(&self, sequence: u64) -> Result<Vec<Item>, ReadError> {
        Ok(self.journal.read_one(sequence).await?.into_iter().collect())
    }
}

/// A view of all that a journal holds, opened again.
async fn view(given: &Given, directory: &tempfile::TempDir) -> ViewWriter {
    for n in 0..3 {
        given.submit(given.create_token(&format!("t{n}"))).await.unwrap();
    }
    let (path, installation) = (directory.path().join("view"), given.journal.identity().installation);
    let (writer, _) = ViewWriter::open(&path, installation).unwrap();
    let projector = Projector::start(Arc::new(given.journal.clone()), writer);
    let mut progress = projector.progress();
    timeout(LIMIT, progress.wait_for(|progress| progress.sequence == LAST)).await.unwrap().unwrap();
    projector.stop().await;
    ViewWriter::open(&path, installation).unwrap().0
}

/// How the view goes on beside such a leader, and what the process then doubts.
async fn started(leader: Leader) -> (NodeState, Option<JournalDoubt>) {
    let (given, directory) = (Given::settled().await, tempfile::tempdir().unwrap());
    let writer = view(&given, &directory).await;
    let (journal, doubts) = (Shared { journal: given.journal.clone(), leader }, Doubts::default());
    let projector = Projector::start_doubting(Arc::new(journal), writer, SCRUB_EVERY, doubts.clone());
    let mut progress = projector.progress();
    let settled = progress
        .wait_for(|progress| matches!(progress.state, NodeState::Running | NodeState::Quarantined { .. }));
    let state = timeout(LIMIT, settled).await.unwrap().unwrap().state.clone();
    projector.stop().await;
    (state, doubts.get())
}

#[tokio::test]
async fn a_leader_that_was_just_elected_is_asked_again() {
    assert_eq!(started(Leader::Fresh(AtomicU64::new(2))).await, (NodeState::Running, None));
}

#[tokio::test]
async fn one_copy_that_is_right_suffices() {
    assert_eq!(started(Leader::Damaged).await, (NodeState::Running, None));
}

#[tokio::test]
async fn a_copy_that_lags_behind_is_not_the_journal() {
    let (_, doubt) = started(Leader::RolledBack).await;
    assert_eq!(doubt, Some(JournalDoubt::Shorter { known: LAST, found: LAST - 1 }));
}

/// The brokers may be away for long when the process is asked to end.
#[tokio::test]
async fn a_comparison_without_an_answer_ends_when_it_is_told_to() {
    let (given, directory) = (Given::settled().await, tempfile::tempdir().unwrap());
    let writer = view(&given, &directory).await;
    let asked = Arc::new(Notify::new());
    let (journal, doubts) = (
        Shared { journal: given.journal.clone(), leader: Leader::Silent(Arc::clone(&asked)) },
        Doubts::default(),
    );
    let projector = Projector::start_doubting(Arc::new(journal), writer, SCRUB_EVERY, doubts.clone());
    timeout(LIMIT, asked.notified()).await.expect("the leader is asked");
    timeout(Duration::from_secs(2), projector.stop()).await.expect("at once");
    assert_eq!(doubts.get(), None);
}
