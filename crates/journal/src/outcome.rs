//! The outcome protocol: what to do when nobody knows whether a frame landed.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use grantbook_domain::id::OrgId;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{AppendError, Cause, Item, Journal};

/// The first pause before a frame is sent again; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(2);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// What must be so for an append to be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guard {
    /// The organization's last frame is at this sequence.
    Organization(u64),
    /// The organization has no frame, and the stream's last one is at this sequence.
    Stream(u64),
}

/// Appends a frame and finds out what became of it, if that can be done before the deadline.
///
/// While the outcome is unknown, the same frame is sent again: it either lands now, or the guard refuses it, and
/// then the organization's frame behind the guard shows whose append it was. The guard makes this exactly once.
///
/// # Errors
///
/// [`AppendError::Conflict`]: another item is there, ours never will be. [`AppendError::OutcomeUnknown`]: the
/// deadline passed first, or the journal has halted; ours may still land. Never [`AppendError::Busy`].
pub async fn append_surely<J: Journal>(
    journal: &J,
    org: OrgId,
    after: u64,
    frame: Bytes,
    deadline: Instant,
) -> Result<u64, AppendError> {
    surely(journal, org, Guard::Organization(after), frame, deadline).await
}

/// The same for an organization's first frame, [`Journal::found`].
pub async fn found_surely<J: Journal>(
    journal: &J,
    org: OrgId,
    head: u64,
    frame: Bytes,
    deadline: Instant,
) -> Result<u64, AppendError> {
    surely(journal, org, Guard::Stream(head), frame, deadline).await
}

async fn surely<J: Journal>(
    journal: &J,
    org: OrgId,
    guard: Guard,
    frame: Bytes,
    deadline: Instant,
) -> Result<u64, AppendError> {
    let mut attempts = Attempts { unknown: None, pause: PAUSE_MIN };
    loop {
        let sent = send(journal, org, guard, frame.clone());
        let Ok(outcome) = timeout_at(deadline, sent).await else {
            return Err(AppendError::OutcomeUnknown(attempts.unknown.unwrap_or_else(deadline_passed)));
        };
        let again = match outcome {
            Err(AppendError::Conflict { actual }) if attempts.unknown.is_some() => {
                match timeout_at(deadline, look_behind(journal, org, guard, &frame)).await {
                    Ok(Seen::Ours(sequence)) => return Ok(sequence),
                    Ok(Seen::Other) => return Err(AppendError::Conflict { actual }),
                    Ok(Seen::Nothing(cause)) => AppendError::OutcomeUnknown(cause),
                    Err(_) => AppendError::OutcomeUnknown(deadline_passed()),
                }
            }
            Err(error @ (AppendError::OutcomeUnknown(_) | AppendError::Busy(_))) => error,
            Err(error @ AppendError::Unavailable(_)) if attempts.unknown.is_some() => {
                if journal.halted().is_some() {
                    return Err(attempts.give_up(error));
                }
                error
            }
            definite => return definite,
        };
        attempts.pause_before_next(again, deadline).await?;
    }
}

async fn send<J: Journal>(journal: &J, org: OrgId, guard: Guard, frame: Bytes) -> Result<u64, AppendError> {
    match guard {
        Guard::Organization(after) => journal.append(org, after, frame).await,
        Guard::Stream(head) => journal.found(org, head, frame).await,
    }
}

/// What has happened so far to one frame.
struct Attempts {
    /// Why the outcome is unknown, if it is: from then on only the frame itself or another one in its place ends it.
    unknown: Option<Cause>,
    pause: Duration,
}

impl Attempts {
    /// Waits before the frame is sent again, or gives up if the deadline comes first.
    async fn pause_before_next(&mut self, error: AppendError, deadline: Instant) -> Result<(), AppendError> {
        if let AppendError::OutcomeUnknown(cause) = &error {
            self.unknown = Some(Arc::clone(cause));
        }
        if Instant::now() + self.pause >= deadline {
            return Err(self.give_up(error));
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }

    fn give_up(&mut self, error: AppendError) -> AppendError {
        match (self.unknown.take(), error) {
            (Some(cause), _) => AppendError::OutcomeUnknown(cause),
            (None, AppendError::Busy(cause)) => AppendError::Unavailable(cause),
            (None, error) => error,
        }
    }
}

enum Seen {
    /// Our frame stands behind the guard.
    Ours(u64),
    /// Something else does, another frame or a foreign message: ours did not land, and never will.
    Other,
    /// Nothing was found, which proves nothing.
    Nothing(Cause),
}

async fn look_behind<J: Journal>(journal: &J, org: OrgId, guard: Guard, frame: &Bytes) -> Seen {
    let behind = match guard {
        Guard::Organization(after) => journal.next_of(org, after).await,
        Guard::Stream(head) => journal.read_one(head.saturating_add(1)).await,
    };
    match behind {
        Ok(Some(Item::Frame(stored))) if stored.org == org && stored.bytes == frame => {
            Seen::Ours(stored.sequence)
        }
        Ok(Some(_)) => Seen::Other,
        Ok(None) => {
            Seen::Nothing(Arc::new(Reason("the guard refused the frame, yet nothing stands behind it")))
        }
        Err(error) => Seen::Nothing(Arc::new(error)),
    }
}

fn deadline_passed() -> Cause {
    Arc::new(Reason("no answer before the deadline"))
}

/// A cause of our own.
#[derive(Debug)]
pub(crate) struct Reason(pub(crate) &'static str);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Reason {}

#[cfg(test)]
mod tests {
    use grantbook_domain::{id::InstallationId, time::Timestamp};

    use super::*;
    use crate::{
        Identity,
        conformance::org,
        memory::{Fault, MemoryJournal},
    };

    fn journal(faults: impl IntoIterator<Item = Fault>) -> MemoryJournal {
        let installation = InstallationId::from_u128(1);
        let journal = MemoryJournal::new(Identity { installation, created_at: Timestamp::EPOCH });
        faults.into_iter().for_each(|fault| journal.inject(fault));
        journal
    }

    async fn ours(journal: &MemoryJournal) -> Result<u64, AppendError> {
        let deadline = Instant::now() + Duration::from_secs(5);
        append_surely(journal, org(1), 0, Bytes::from_static(b"ours"), deadline).await
    }

    fn frames(journal: &MemoryJournal) -> Vec<(u64, Bytes)> {
        let all = journal.read(0, std::num::NonZeroUsize::MAX);
        all.into_iter().map(|item| (item.sequence(), item.bytes().clone())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_outcome_that_landed_is_found_behind_the_guard() {
        let journal = journal([Fault::UnknownLanded]);
        assert_eq!(ours(&journal).await.unwrap(), 1);
        assert_eq!(frames(&journal), [(1, Bytes::from_static(b"ours"))]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_outcome_that_was_lost_lands_when_sent_again() {
        let journal = journal([Fault::UnknownLost, Fault::Busy, Fault::Unavailable, Fault::UnknownLost]);
        assert_eq!(ours(&journal).await.unwrap(), 1);
        assert_eq!(journal.appends(), 5);
        assert_eq!(frames(&journal).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_founding_of_unknown_outcome_is_found_or_refused() {
        let deadline = || Instant::now() + Duration::from_secs(5);
        let (one, two) = (Bytes::from_static(b"one"), Bytes::from_static(b"two"));
        let journal = journal([Fault::UnknownLanded]);
        assert_eq!(found_surely(&journal, org(1), 0, one, deadline()).await.unwrap(), 1);
        journal.inject(Fault::UnknownLost);
        let asking = tokio::spawn({
            let (journal, two, deadline) = (journal.clone(), two.clone(), deadline());
            async move { found_surely(&journal, org(2), 1, two, deadline).await }
        });
        while journal.appends() < 3 {
            tokio::task::yield_now().await;
        }
        let early = journal.found(org(3), 1, two).await;
        let late = asking.await.unwrap();
        assert_eq!(early.unwrap(), 2, "the first attempt of the other was lost");
        assert!(matches!(late, Err(AppendError::Conflict { actual: Some(2) })), "{late:?}");
        assert_eq!(frames(&journal).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_lands_late_lands_once() {
        let journal = journal([Fault::UnknownLate]);
        assert_eq!(ours(&journal).await.unwrap(), 1);
        assert_eq!(journal.land_late(), 0, "the guard keeps the late one out");
        assert_eq!(frames(&journal).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_landed_is_ours_even_if_others_followed() {
        let (gate, delayed) = tokio::sync::oneshot::channel();
        let journal = journal([Fault::UnknownLanded, Fault::Delay(delayed)]);
        let asking = tokio::spawn({
            let journal = journal.clone();
            async move { ours(&journal).await }
        });
        while journal.appends() < 2 {
            tokio::task::yield_now().await;
            tokio::time::advance(PAUSE_MAX / 10).await;
        }
        for (org, after) in [(org(2), 0), (org(1), 1)] {
            journal.append(org, after, Bytes::from_static(b"later")).await.unwrap();
        }
        gate.send(()).unwrap();
        assert_eq!(asking.await.unwrap().unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_frame_overtaken_by_another_is_a_conflict() {
        let journal = journal([Fault::UnknownLost]);
        let asking = ours(&journal);
        let racing = async { journal.append(org(1), 0, Bytes::from_static(b"other")).await };
        let (asked, raced) = tokio::join!(asking, racing);
        assert_eq!(raced.unwrap(), 1);
        assert!(matches!(asked, Err(AppendError::Conflict { actual: Some(1) })));
        assert_eq!(frames(&journal), [(1, Bytes::from_static(b"other"))]);
    }

    /// The look behind the guard ends at the first thing there: had ours landed, it would be that.
    #[tokio::test(start_paused = true)]
    async fn a_foreign_message_behind_the_guard_proves_that_ours_did_not_land() {
        let journal = journal([Fault::UnknownLost]);
        let asking = ours(&journal);
        let token = org(1).to_string();
        let putting = async { journal.put_foreign(&token, 0, Bytes::from_static(b"ours")).await };
        let (asked, put) = tokio::join!(asking, putting);
        assert_eq!(put.unwrap(), 1);
        assert!(matches!(asked, Err(AppendError::Conflict { actual: Some(1) })), "{asked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_with_nothing_behind_the_guard_proves_nothing() {
        let journal = journal([Fault::UnknownLost, Fault::Conflict]);
        assert_eq!(ours(&journal).await.unwrap(), 1);
        assert_eq!(journal.appends(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_deadline_an_unknown_outcome_stays_unknown() {
        let journal = journal((0..100_000).map(|_| Fault::UnknownLost));
        assert!(matches!(ours(&journal).await, Err(AppendError::OutcomeUnknown(_))));
        assert!(journal.appends() < 100, "with pauses in between");
        let (_gate, delayed) = tokio::sync::oneshot::channel();
        let silent = self::journal([Fault::Delay(delayed)]);
        assert!(matches!(ours(&silent).await, Err(AppendError::OutcomeUnknown(_))), "no answer at all");
        assert_eq!(frames(&silent).len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_is_said_at_once() {
        let conflict = journal([Fault::Conflict]);
        assert!(matches!(ours(&conflict).await, Err(AppendError::Conflict { actual: None })));
        let unavailable = journal([Fault::Unavailable]);
        assert!(matches!(ours(&unavailable).await, Err(AppendError::Unavailable(_))));
        assert_eq!((conflict.appends(), unavailable.appends()), (1, 1));
        let busy = journal((0..100_000).map(|_| Fault::Busy));
        assert!(matches!(ours(&busy).await, Err(AppendError::Unavailable(_))), "busy to the end");
        let a_moment = journal([Fault::Busy, Fault::Busy]);
        assert_eq!(ours(&a_moment).await.unwrap(), 1);
    }
}
