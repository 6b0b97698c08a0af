//! Guards: of racing appends one wins, and nothing lands twice.

use std::{num::NonZeroUsize, sync::Arc};

use bytes::Bytes;
use grantbook_domain::id::OrgId;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    AppendError, Journal, append_surely,
    conformance::{BACKOFF, TIMEOUT, all, append, attempt, expect, org},
    frame::FRAME_MAX_BYTES,
};

/// How many appends race.
const RACERS: usize = 32;
/// How often they do.
const ATTEMPTS: usize = 4;

/// Only the organization's very last sequence is the guard: nothing older, newer, or of another organization.
pub async fn conflicts<J: Journal>(journal: &J) {
    assert_eq!(append(journal, org(1), 0, "a1").await, 1);
    assert_eq!(append(journal, org(2), 0, "b1").await, 2);
    assert_eq!(append(journal, org(1), 1, "a2").await, 3);
    for (org, guard) in [(org(1), 0), (org(1), 1), (org(1), 2), (org(1), 4), (org(2), 3), (org(3), 3)] {
        refused(journal, org, guard).await;
    }
    assert_eq!(expect(timeout(TIMEOUT, journal.head()).await), 3, "what is refused leaves no trace");
    assert_eq!(append(journal, org(2), 2, "b2").await, 4, "and no gap");
}

/// An organization's first frame is guarded by the head of the whole stream, so that of racing ones one wins.
pub async fn foundings<J: Journal>(journal: J) {
    let found = async |org, head, frame: &'static str| {
        loop {
            let founding = journal.found(org, head, Bytes::from_static(frame.as_bytes()));
            match timeout(TIMEOUT, founding).await {
                Ok(Ok(sequence)) => return Some(sequence),
                Ok(Err(AppendError::Conflict { .. })) => return None,
                Ok(Err(AppendError::Busy(_))) => sleep(BACKOFF).await,
                other => {
                    unexpected(&other);
                    return None;
                }
            }
        }
    };
    assert_eq!(found(org(1), 1, "a head that is not there").await, None);
    assert_eq!(found(org(1), 0, "a1").await, Some(1));
    assert_eq!(found(org(1), 0, "a1").await, None, "sent again");
    assert_eq!(found(org(2), 0, "b1").await, None, "behind the head");
    assert_eq!(found(org(1), 1, "a1").await, None, "it is founded already");
    assert_eq!(found(org(2), 1, "b1").await, Some(2));
    assert_eq!(append(&journal, org(1), 1, "a2").await, 3, "afterwards its own guard counts");
    let racing = [4, 5, 6, 7].map(|number| found(org(number), 3, "racing"));
    let [a, b, c, d] = racing;
    let (a, b, c, d) = tokio::join!(a, b, c, d);
    assert_eq!([a, b, c, d].into_iter().flatten().collect::<Vec<_>>(), [4], "one of those who race");
}

/// The same frame sent again is refused, and the outcome protocol finds it where it is.
pub async fn resends<J: Journal>(journal: &J) {
    assert_eq!(append(journal, org(1), 0, "a1").await, 1);
    let again = timeout(TIMEOUT, attempt(journal, org(1), 0, Bytes::from_static(b"a1"))).await;
    assert!(matches!(again, Ok(Err(AppendError::Conflict { .. }))), "{again:?}");
    let next = expect(timeout(TIMEOUT, journal.next_of(org(1), 0)).await);
    let next = next.map(|item| (item.sequence(), item.bytes().clone()));
    assert_eq!(next, Some((1, Bytes::from_static(b"a1"))));
    let sure = append_surely(journal, org(1), 1, Bytes::from_static(b"a2"), Instant::now() + TIMEOUT).await;
    assert_eq!(sure.ok(), Some(2));
}

/// Of racing appends behind one guard exactly one wins; organizations do not disturb each other.
pub async fn races<J: Journal>(journal: J) {
    let journal = Arc::new(journal);
    let mut ends = [1, 2, 3].map(|number| (org(number), 0));
    for round in 1..=ATTEMPTS {
        let winners = race(&journal, ends, round).await;
        for (org, end) in &mut ends {
            let own: Vec<u64> = winners.iter().filter(|(of, _)| of == org).map(|(_, at)| *at).collect();
            assert_eq!(own.len(), 1, "one winner for each organization");
            *end = own.first().copied().unwrap_or_default();
        }
    }
    let frames = all(&*journal, NonZeroUsize::MAX).await;
    assert_eq!(frames.len(), ATTEMPTS * ends.len(), "what lost has left no trace");
    assert!((1..).zip(&frames).all(|(sequence, item)| item.sequence() == sequence), "no gap");
}

/// A frame that is too long is refused with both numbers, and the longest allowed one is taken.
pub async fn too_large<J: Journal>(journal: &J) {
    let frame = Bytes::from(vec![b'x'; FRAME_MAX_BYTES + 1]);
    let refused = timeout(TIMEOUT, attempt(journal, org(1), 0, frame.clone())).await;
    assert!(
        matches!(refused, Ok(Err(AppendError::TooLarge { bytes, limit: FRAME_MAX_BYTES })) if bytes == frame.len()),
        "{refused:?}"
    );
    let longest = frame.slice(..FRAME_MAX_BYTES);
    assert_eq!(expect(timeout(TIMEOUT, attempt(journal, org(1), 0, longest)).await), 1);
}

async fn refused<J: Journal>(journal: &J, org: OrgId, guard: u64) {
    let outcome = timeout(TIMEOUT, attempt(journal, org, guard, Bytes::from_static(b"refused"))).await;
    let Ok(Err(AppendError::Conflict { actual })) = outcome else {
        return unexpected(&outcome);
    };
    let own = all(journal, NonZeroUsize::MAX).await.into_iter().filter(|item| item.org() == Some(org));
    let last = own.last().map_or(0, |item| item.sequence());
    assert!(actual.is_none_or(|actual| actual == last), "the true end, or none, is named");
}

/// Starts all appends at once; the winners, with the sequences of their frames.
async fn race<J: Journal>(journal: &Arc<J>, ends: [(OrgId, u64); 3], round: usize) -> Vec<(OrgId, u64)> {
    let mut running = JoinSet::new();
    for racer in 0..RACERS {
        for (org, end) in ends {
            let journal = Arc::clone(journal);
            let frame = Bytes::from(format!("{org} {round} {racer}"));
            running.spawn(async move { (org, timeout(TIMEOUT, attempt(&*journal, org, end, frame)).await) });
        }
    }
    let mut winners = Vec::new();
    for (org, outcome) in running.join_all().await {
        match outcome {
            Ok(Ok(sequence)) => winners.push((org, sequence)),
            Ok(Err(AppendError::Conflict { .. })) => (),
            other => unexpected(&other),
        }
    }
    winners
}

#[expect(clippy::panic, reason = "the failure of a test")]
fn unexpected(outcome: &dyn std::fmt::Debug) {
    panic!("expected a conflict: {outcome:?}");
}
