//! A frame that was changed in one copy of the journal is taken from another, by the fold as by the projector; where no
//! copy fits, both stop.

use std::{sync::Arc, time::Duration};

use crate::given::{Given, START, memory};
use bytes::Bytes;
use grantbook_command::{CommandService, Fold, FoldError};
use grantbook_domain::id::OrgId;
use grantbook_journal::{
    AppendError, Cause, Identity, Item, Journal, ReadError, Stored,
    memory::{MemoryJournal, MemoryTail},
    stamp::{clock::Clock, ids::IdSource},
};
use grantbook_node::project::{NodeState, Projector};
use grantbook_views::ViewWriter;
use tokio::time::{sleep, timeout};

/// The frame that one copy has otherwise, and how many there are.
const CHANGED: u64 = 4;
const FRAMES: u64 = 9;
const LONG: Duration = Duration::from_secs(30);

/// Readers are given one copy; whoever asks for others gets both.
struct TwoCopies {
    read: MemoryJournal,
    other: MemoryJournal,
}

impl Journal for TwoCopies {
    type Tail = MemoryTail;

    fn identity(&self) -> Identity {
        self.read.identity()
    }
    fn is_shared(&self) -> bool {
        true
    }
    async fn append(&self, org: OrgId, after: u64, frame: Bytes) -> Result<u64, AppendError> {
        self.other.append(org, after, frame).await
    }
    async fn found(&self, org: OrgId, head: u64, frame: Bytes) -> Result<u64, AppendError> {
        self.other.found(org, head, frame).await
    }
    async fn put_foreign(&self, token: &str, head: u64, bytes: Bytes) -> Result<u64, AppendError> {
        self.other.put_foreign(token, head, bytes).await
    }
    fn tail(&self, after: u64) -> MemoryTail {
        self.read.tail(after)
    }
    async fn read_one(&self, sequence: u64) -> Result<Option<Item>, ReadError> {
        self.other.read_one(sequence).await
    }
    async fn head(&self) -> Result<u64, ReadError> {
        self.other.head().await
    }
    async fn next_of(&self, org: OrgId, after: u64) -> Result<Option<Item>, ReadError> {
        self.other.next_of(org, after).await
    }
    fn halted(&self) -> Option<Cause> {
        None
    }
    async fn copies(&self, sequence: u64) -> Result<Vec<Item>, ReadError> {
        let both = [self.read.read_one(sequence).await?, self.other.read_one(sequence).await?];
        Ok(both.into_iter().flatten().collect())
    }
}

/// The first frames of a journal.
async fn copy_of(journal: &MemoryJournal, frames: u64) -> MemoryJournal {
    let copy = memory(1);
    for sequence in 1..=frames {
        let stored = journal.read_one(sequence).await.unwrap().and_then(Item::into_frame).expect("a frame");
        copy.append(stored.org, sequence - 1, stored.bytes).await.unwrap();
    }
    copy
}

fn changed(journal: MemoryJournal, with: &Stored) -> MemoryJournal {
    let mut bytes = with.bytes.to_vec();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    assert!(journal.tamper(CHANGED, bytes.into()));
    journal
}

/// A journal of one organization; one of its copies has a frame changed, or both.
async fn two_copies(both: bool) -> (Given, TwoCopies) {
    let given = Given::settled().await;
    for n in 1..FRAMES {
        given.submit(given.create_token(&format!("t{n}"))).await.unwrap();
    }
    let whole = given.journal.read_one(CHANGED).await.unwrap().and_then(Item::into_frame).expect("a frame");
    let read = changed(copy_of(&given.journal, FRAMES).await, &whole);
    let other = copy_of(&given.journal, FRAMES).await;
    let other = if both { changed(other, &whole) } else { other };
    (given, TwoCopies { read, other })
}

#[tokio::test]
async fn the_replay_takes_the_copy_that_fits() {
    let (given, copies) = two_copies(false).await;
    let fold = Fold::replay(&copies).await.unwrap();
    let whole = Fold::replay(&given.journal).await.unwrap();
    let ends = |fold: &Fold| fold.organizations().map(|org| (org.end(), org.position())).collect::<Vec<_>>();
    assert_eq!((fold.sequence(), ends(&fold)), (FRAMES, ends(&whole)));
    let (_, neither) = two_copies(true).await;
    let refused = Fold::replay(&neither).await.unwrap_err();
    assert!(
        matches!(refused, FoldError::Chain(_)) && refused.to_string().contains("sequence 4"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_fold_that_follows_takes_the_copy_that_fits() {
    for both in [false, true] {
        let (given, copies) = two_copies(both).await;
        let fold = Fold::replay(&copy_of(&given.journal, CHANGED - 1).await).await.unwrap();
        let (clock, _hand) = Clock::settable(START);
        let service = CommandService::start(Arc::new(copies), fold, clock, IdSource::system());
        let handle = service.handle();
        let ended = async {
            while handle.halted().is_none() && handle.last_sequence() < FRAMES {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, ended).await.expect("in time");
        let why = handle.halted().map(|cause| cause.to_string()).unwrap_or_default();
        assert_eq!(why.contains("sequence 4"), both, "{why}");
        assert_eq!(handle.last_sequence(), if both { CHANGED - 1 } else { FRAMES });
    }
}

#[tokio::test]
async fn the_projector_takes_the_copy_that_fits() {
    for both in [false, true] {
        let (given, copies) = two_copies(both).await;
        let writer = ViewWriter::in_memory(given.journal.identity().installation).unwrap();
        let projector = Projector::start(Arc::new(copies), writer);
        let mut progress = projector.progress();
        let ended = progress.wait_for(|progress| {
            matches!(progress.state, NodeState::Running | NodeState::Quarantined { .. })
        });
        let progress = timeout(LONG, ended).await.expect("in time").unwrap().clone();
        assert_eq!(matches!(progress.state, NodeState::Quarantined { .. }), both, "{progress:?}");
        assert_eq!(progress.sequence, if both { CHANGED - 1 } else { FRAMES });
    }
}
