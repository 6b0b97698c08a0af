//! Order, content, looks and restarts.

use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

use bytes::Bytes;
use grantbook_domain::id::OrgId;
use tokio::time::timeout;

use crate::{
    Item, Journal, READ_MAX_BYTES, ReadError, Stored, Tail,
    conformance::{TIMEOUT, all, append, attempt, bare, expect, org},
    frame::FRAME_MAX_BYTES,
};

/// One step of the script: an organization's frame, appended behind its last one or behind a stale guard.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// Whose.
    pub org: u128,
    /// What.
    pub frame: &'static str,
    /// Whether the guard is the organization's last but one sequence, so that it must be refused.
    pub stale: bool,
}

/// Several organizations, interleaved, with refused appends between them.
pub const SCRIPT: [Turn; 12] = [
    turn(1, "a1", false),
    turn(2, "b1", false),
    turn(1, "a2", false),
    turn(1, "lost", true),
    turn(3, "c1", false),
    turn(2, "lost", true),
    turn(2, "b2", false),
    turn(2, "b3", false),
    turn(1, "a3", false),
    turn(3, "a3", false),
    turn(3, "lost", true),
    turn(1, "a4", false),
];

const fn turn(org: u128, frame: &'static str, stale: bool) -> Turn {
    Turn { org, frame, stale }
}

/// The history that the script makes in any journal.
pub fn script_history() -> Vec<Item> {
    let landed = SCRIPT.iter().filter(|turn| !turn.stale);
    let stored = |(sequence, turn): (u64, &Turn)| {
        let bytes = Bytes::from_static(turn.frame.as_bytes());
        Item::Frame(Stored { sequence, org: org(turn.org), bytes, guard: None })
    };
    (1..).zip(landed).map(stored).collect()
}

/// One script gives one history, whatever keeps it, however it is read; the journal must be empty.
pub async fn histories<J: Journal>(journal: &J) {
    play(journal).await;
    for at_a_time in [1, 2, 5, 1000] {
        assert_eq!(all(journal, amount(at_a_time)).await, script_history(), "{at_a_time} at a time");
    }
    assert_eq!(head(journal).await, script_history().len() as u64);
}

/// What is read from any place is the history behind it, and neither end is an error.
pub async fn reads<J: Journal>(journal: &J) {
    assert_eq!(behind(journal, 0).await, [], "an empty journal");
    assert_eq!(head(journal).await, 0);
    play(journal).await;
    let history = script_history();
    for after in 0..=history.len() as u64 + 2 {
        let expected: Vec<Item> = history.iter().filter(|item| item.sequence() > after).cloned().collect();
        assert_eq!(behind(journal, after).await, expected, "behind {after}");
        let there = history.iter().find(|item| item.sequence() == after).cloned();
        assert_eq!(one(journal.read_one(after)).await, there, "at {after}");
    }
    assert_eq!(one(journal.read_one(u64::MAX)).await, None, "far behind the head");
    bounded(journal).await;
}

/// An organization's next frame behind any sequence.
pub async fn looks<J: Journal>(journal: &J) {
    play(journal).await;
    let history = script_history();
    for org in [1, 2, 3, 4].map(org) {
        for after in 0..=history.len() as u64 + 1 {
            let next =
                history.iter().find(|item| item.org() == Some(org) && item.sequence() > after).cloned();
            assert_eq!(one(journal.next_of(org, after)).await, next, "behind {after}");
        }
    }
}

/// Who follows the stream gets every frame as it comes, also if it was not asked for in time.
pub async fn follows<J: Journal>(journal: &J) {
    let mut tail = journal.tail(0);
    let nothing = expect(timeout(TIMEOUT, tail.next(amount(10), Duration::ZERO)).await);
    assert_eq!(nothing, [], "who has no patience gets what is there");
    for (sequence, (org, after)) in (1..).zip([(org(1), 0), (org(2), 0), (org(1), 1)]) {
        let waiting = tail.next(amount(10), TIMEOUT);
        let appending = async {
            // The reader waits before there is anything to read.
            tokio::task::yield_now().await;
            append(journal, org, after, "a frame").await
        };
        let (read, appended) = tokio::join!(timeout(TIMEOUT, waiting), appending);
        assert_eq!(appended, sequence);
        assert_eq!(expect(read).iter().map(Item::sequence).collect::<Vec<_>>(), [sequence]);
        // A question that is given up loses nothing.
        drop(timeout(Duration::from_millis(1), tail.next(amount(10), TIMEOUT)).await);
    }
    let mut other = journal.tail(1);
    append(journal, org(2), 2, "a frame").await;
    for expected in [2, 3, 4] {
        let next = expect(timeout(TIMEOUT, other.next(amount(1), TIMEOUT)).await);
        assert_eq!(next.iter().map(Item::sequence).collect::<Vec<_>>(), [expected]);
    }
}

/// A journal started again is the same one, with the same frames, and goes on where it was.
pub async fn restarts<J: Journal>(journal: J, again: impl AsyncFn(J) -> J) {
    let identity = journal.identity();
    play(&journal).await;
    let journal = again(journal).await;
    assert_eq!(journal.identity(), identity);
    assert_eq!(all(&journal, amount(3)).await, script_history());
    let expected = script_history().len() as u64;
    assert_eq!(head(&journal).await, expected);
    let refused = timeout(TIMEOUT, attempt(&journal, org(2), 2, Bytes::from_static(b"stale"))).await;
    assert!(matches!(refused, Ok(Err(crate::AppendError::Conflict { .. }))), "guards outlive a restart");
    assert_eq!(append(&journal, org(4), 0, "d1").await, expected + 1, "no sequence comes twice");
    let journal = again(journal).await;
    assert_eq!(head(&journal).await, expected + 1);
}

/// Long frames come in several answers, each within the bound, all of them whole.
async fn bounded<J: Journal>(journal: &J) {
    let start = head(journal).await;
    let frame = Bytes::from(vec![b'x'; FRAME_MAX_BYTES]);
    let count = READ_MAX_BYTES / FRAME_MAX_BYTES + 2;
    let mut last = 0;
    for _ in 0..count {
        last = expect(timeout(TIMEOUT, attempt(journal, org(9), last, frame.clone())).await);
    }
    let first = expect(timeout(TIMEOUT, journal.tail(start).next(amount(count), TIMEOUT)).await);
    assert!(first.len() < count, "one answer holds no more than {READ_MAX_BYTES} bytes");
    let total: usize = first.iter().map(|item| item.bytes().len()).sum();
    assert!(total <= READ_MAX_BYTES && !first.is_empty());
    let long = all(journal, amount(count)).await;
    assert!(long.iter().filter(|item| item.sequence() > start).all(|item| item.bytes() == &frame));
    assert_eq!(long.len() as u64, last);
}

async fn play<J: Journal>(journal: &J) {
    let mut ends: BTreeMap<OrgId, Vec<u64>> = BTreeMap::new();
    for Turn { org: number, frame, stale } in SCRIPT {
        let own = ends.entry(org(number)).or_insert_with(|| vec![0]);
        if stale {
            let guard = own.iter().rev().nth(1).copied().unwrap_or_default();
            let refused = timeout(TIMEOUT, attempt(journal, org(number), guard, Bytes::from(frame))).await;
            assert!(matches!(refused, Ok(Err(crate::AppendError::Conflict { .. }))), "{refused:?}");
        } else {
            let guard = own.last().copied().unwrap_or_default();
            own.push(append(journal, org(number), guard, frame).await);
        }
    }
}

pub(super) async fn head<J: Journal>(journal: &J) -> u64 {
    expect(timeout(TIMEOUT, journal.head()).await)
}

pub(super) async fn one(asked: impl Future<Output = Result<Option<Item>, ReadError>>) -> Option<Item> {
    expect(timeout(TIMEOUT, asked).await).map(bare)
}

pub(super) async fn behind<J: Journal>(journal: &J, after: u64) -> Vec<Item> {
    let mut frames = all(journal, amount(1000)).await;
    frames.retain(|item| item.sequence() > after);
    let mut tail = journal.tail(after);
    let mut read: Vec<Item> = Vec::new();
    while read.len() < frames.len() {
        let more = expect(timeout(TIMEOUT, tail.next(amount(1000), TIMEOUT)).await);
        read.extend(more.into_iter().map(bare));
    }
    assert_eq!(read, frames);
    assert_eq!(expect(timeout(TIMEOUT, tail.next(amount(1), Duration::ZERO)).await), [], "the end");
    read
}

pub(super) fn amount(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}
