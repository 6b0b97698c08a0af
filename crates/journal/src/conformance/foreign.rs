//! Foreign messages: they take sequences, move guards, and are read as what they are.

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    AppendError, Foreign, Item, Journal, Stored, append_surely,
    conformance::{
        BACKOFF, TIMEOUT, all, append, attempt, expect,
        history::{amount, behind, head, one},
        org,
    },
    found_surely,
    frame::FRAME_MAX_BYTES,
};

/// Puts what must be taken.
async fn put<J: Journal>(journal: &J, token: &str, head: u64, bytes: &Bytes) -> u64 {
    expect(timeout(TIMEOUT, attempt_put(journal, token, head, bytes)).await)
}

async fn attempt_put<J: Journal>(
    journal: &J,
    token: &str,
    head: u64,
    bytes: &Bytes,
) -> Result<u64, AppendError> {
    loop {
        match journal.put_foreign(token, head, bytes.clone()).await {
            Err(AppendError::Busy(_)) => sleep(BACKOFF).await,
            outcome => return outcome,
        }
    }
}

/// Between frames stand foreign messages of every kind: on the subject of an organization, on that of one which has no
/// frame, on none's, without a byte, and longer than a frame may be.
async fn mixed<J: Journal>(journal: &J) -> Vec<Item> {
    let long = Bytes::from(vec![b'x'; FRAME_MAX_BYTES + 1]);
    let same = Bytes::from_static(b"a1");
    let frame = |sequence, number, bytes: &'static str| {
        Item::Frame(Stored { sequence, org: org(number), bytes: bytes.into(), guard: None })
    };
    let foreign = |sequence, token: &str, bytes: &Bytes| {
        Item::Foreign(Foreign { sequence, token: token.to_owned(), bytes: bytes.clone() })
    };
    let (one, two, three) = (org(1).to_string(), org(2).to_string(), org(3).to_string());
    assert_eq!(append(journal, org(1), 0, "a1").await, 1);
    assert_eq!(put(journal, &one, 1, &same).await, 2);
    assert_eq!(put(journal, "nobody", 2, &Bytes::new()).await, 3);
    assert_eq!(append(journal, org(1), 2, "a2").await, 4);
    assert_eq!(append(journal, org(2), 0, "b1").await, 5);
    assert_eq!(put(journal, &three, 5, &long).await, 6);
    assert_eq!(put(journal, &two, 6, &same).await, 7);
    assert_eq!(put(journal, &two, 7, &same).await, 8);
    vec![
        frame(1, 1, "a1"),
        foreign(2, &one, &same),
        foreign(3, "nobody", &Bytes::new()),
        frame(4, 1, "a2"),
        frame(5, 2, "b1"),
        foreign(6, &three, &long),
        foreign(7, &two, &same),
        foreign(8, &two, &same),
    ]
}

/// Foreign messages are read in their places by everybody, and guards look at them.
pub async fn foreign_items<J: Journal>(journal: &J) {
    let history = mixed(journal).await;
    for at_a_time in [1, 3, 1000] {
        assert_eq!(all(journal, amount(at_a_time)).await, history, "{at_a_time} at a time");
    }
    for after in 0..=history.len() as u64 {
        assert_eq!(behind(journal, after).await.len() as u64, history.len() as u64 - after);
        let there = history.iter().find(|item| item.sequence() == after).cloned();
        assert_eq!(one(journal.read_one(after)).await, there, "at {after}");
        let copies = expect(timeout(TIMEOUT, journal.copies(after.max(1))).await);
        assert_eq!(copies.len(), 1, "at {after}");
        for org in [1, 2, 3, 4].map(org) {
            let next =
                history.iter().find(|item| item.org() == Some(org) && item.sequence() > after).cloned();
            assert_eq!(one(journal.next_of(org, after)).await, next, "behind {after}");
        }
    }
    for (number, guard) in [(1, 1), (1, 2), (2, 5), (2, 7), (3, 0)] {
        let refused = timeout(TIMEOUT, attempt(journal, org(number), guard, Bytes::from_static(b"no"))).await;
        assert!(matches!(refused, Ok(Err(AppendError::Conflict { .. }))), "{number} {guard}: {refused:?}");
    }
    let elsewhere = timeout(TIMEOUT, attempt_put(journal, "nobody", 7, &Bytes::new())).await;
    assert!(matches!(elsewhere, Ok(Err(AppendError::Conflict { .. }))), "{elsewhere:?}");
    let deadline = Instant::now() + TIMEOUT;
    let sure = append_surely(journal, org(2), 8, Bytes::from_static(b"b2"), deadline).await;
    assert_eq!(sure.ok(), Some(9), "behind the last foreign message");
    let taken = found_surely(journal, org(3), 9, Bytes::from_static(b"c1"), deadline).await;
    assert!(matches!(taken, Err(AppendError::Conflict { .. })), "its subject is taken: {taken:?}");
    let founded = found_surely(journal, org(4), 9, Bytes::from_static(b"d1"), deadline).await;
    assert_eq!(founded.ok(), Some(10));
}

/// A journal started again has them in their places, and guards as they were.
pub async fn foreign_restarts<J: Journal>(journal: J, again: impl AsyncFn(J) -> J) {
    let history = mixed(&journal).await;
    let journal = again(journal).await;
    assert_eq!(head(&journal).await, history.len() as u64);
    assert_eq!(all(&journal, amount(1000)).await, history);
    assert_eq!(append(&journal, org(2), 8, "b2").await, 9);
}
