//! Slots of streams: how many there are at once, whose, and which of them are cut off.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use grantbook_journal::log_throttle::LogThrottle;
use grantbook_views::Work;
use tokio::sync::watch;

use crate::schedule::{
    Party, Refused,
    queue::{Bound, Ticket},
    shares::Shares,
};

/// Why a stream is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CutOff {
    /// Its reader took nothing for too long.
    Slow,
    /// Its organization, or its principal, held most of the slots, and somebody who had less needed one.
    Share,
}

/// The slots of one kind of stream; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// What they are slots of, for log lines.
    word: &'static str,
    held: Mutex<Held>,
    slow: AtomicU64,
    share: AtomicU64,
}

#[derive(Debug)]
struct Held {
    shares: Shares,
    next: Ticket,
    streams: HashMap<Ticket, Stream>,
    log: LogThrottle,
}

/// How a stream is reached.
#[derive(Debug)]
struct Stream {
    cut: watch::Sender<bool>,
    work: Work,
}

/// One slot, until dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    party: Party,
    ticket: Ticket,
    cut: watch::Receiver<bool>,
    work: Work,
}

/// How the slots stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotNumbers {
    /// Slots in use.
    pub(crate) held: usize,
    /// Streams cut off since the start because their reader was too slow.
    pub(crate) slow: u64,
    /// Streams cut off since the start because others had less.
    pub(crate) share: u64,
}

impl Slots {
    /// None is held.
    pub(crate) fn new(word: &'static str, bound: Bound) -> Self {
        let (shares, log) = (Shares::new(bound), LogThrottle::default());
        let held = Mutex::new(Held { shares, next: 0, streams: HashMap::new(), log });
        Self(Arc::new(Shared { word, held, slow: AtomicU64::new(0), share: AtomicU64::new(0) }))
    }

    /// One more stream, which counts its work here. Another may be cut off for it.
    pub(crate) fn enter(&self, party: Party, work: &Work) -> Result<Slot, Refused> {
        let (cut, is_cut) = watch::channel(false);
        let mut held = self.held();
        let ticket = held.next;
        held.next += 1;
        let ended = held.shares.enter(party, ticket)?;
        held.streams.insert(ticket, Stream { cut, work: work.clone() });
        let ended =
            ended.and_then(|(ended, whose)| held.streams.remove(&ended).map(|stream| (stream, whose)));
        drop(held);
        if let Some((stream, whose)) = ended {
            stream.work.cancel();
            stream.cut.send_replace(true);
            self.note(CutOff::Share, whose);
        }
        Ok(Slot { slots: self.clone(), party, ticket, cut: is_cut, work: work.clone() })
    }

    /// How they stand.
    pub(crate) fn numbers(&self) -> SlotNumbers {
        SlotNumbers {
            held: self.held().shares.count(),
            slow: self.0.slow.load(Ordering::Relaxed),
            share: self.0.share.load(Ordering::Relaxed),
        }
    }

    /// What they are slots of.
    pub(crate) fn word(&self) -> &'static str {
        self.0.word
    }

    fn note(&self, why: CutOff, Party { org, .. }: Party) {
        let streams = self.0.word;
        let (count, reason) = match why {
            CutOff::Slow => (&self.0.slow, "its reader took nothing for too long"),
            CutOff::Share => {
                (&self.0.share, "its organization held most of the slots, and another needed one")
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        if self.held().log.is_due() {
            tracing::warn!(%org, streams, reason, "a stream was cut off");
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Returns once the stream is cut off in favour of others.
    pub(crate) async fn cut_off(&self) {
        let mut cut = self.cut.clone();
        // The sender goes without a word only with the slot itself.
        if cut.wait_for(|cut| *cut).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether it is.
    #[cfg(test)]
    pub(crate) fn is_cut_off(&self) -> bool {
        *self.cut.borrow()
    }

    /// Its reader is too slow: the stream ends.
    pub(crate) fn note_slow(&self) {
        self.slots.note(CutOff::Slow, self.party);
    }

    /// The work that is counted.
    pub(crate) const fn work(&self) -> &Work {
        &self.work
    }

    /// On whose behalf it is.
    pub(crate) const fn party(&self) -> Party {
        self.party
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut held = self.slots.held();
        held.shares.leave(self.party, self.ticket);
        held.streams.remove(&self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use grantbook_domain::id::OrgId;

    use super::*;

    fn party(org: u128) -> Party {
        Party { org: OrgId::from_u128(org), principal: None }
    }

    #[tokio::test]
    async fn the_newest_stream_of_the_greediest_is_cut_off_and_its_work_ends() {
        let slots = Slots::new("streams", Bound { all: 3, of_org: 3, of_principal: 3 });
        let enter = |org| {
            let work = Work::unlimited();
            slots.enter(party(org), &work)
        };
        let greedy: Vec<_> = (0..3).map(|_| enter(1).unwrap()).collect();
        assert_eq!(enter(1).map(drop), Err(Refused::OwnShare));
        let other = enter(2).unwrap();
        let cut: Vec<bool> = greedy.iter().map(Slot::is_cut_off).collect();
        assert_eq!(cut, [false, false, true]);
        greedy[2].cut_off().await;
        assert!(greedy[2].work().is_cancelled() && !greedy[0].work().is_cancelled());
        assert_eq!(slots.numbers(), SlotNumbers { held: 3, slow: 0, share: 1 });
        drop((greedy, other));
        assert_eq!(slots.numbers().held, 0);
    }
}
