//! Who works when: one fair queue for each class of work, and shares of what is held for long.
//!
//! Sharing is by organizations first, then by principals (ADR 36). Checks and commands that take access away have places of
//! their own and never wait behind questions.

pub(crate) mod cancel;
pub(crate) mod queue;
pub(crate) mod shares;
pub(crate) mod slots;
pub(crate) mod workers;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::available_parallelism,
    time::{Duration, Instant},
};

use grantbook_domain::{id::OrgId, principal::Principal};
use grantbook_journal::log_throttle::LogThrottle;
use tokio::{runtime::Handle, sync::oneshot};

use self::queue::{Admitted, Bound, Bounds, FairQueue, Ticket};
pub(crate) use self::queue::{Party, Refused};
use crate::http::problem::Failure;

/// What waits for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Commands that may only take access away: always taken.
    Taking,
    /// Batches of checks. A single check takes no place at all.
    Checks,
    /// Other commands.
    Writes,
    /// Long bodies, as they are read and understood: never refused.
    Bodies,
    /// Requests with rows of logs, which are kept in memory until they are authorized.
    Logs,
    /// Single things, and pages of lists.
    Lists,
    /// Questions that look at many things, and plans.
    Questions,
    /// The next piece of a stream that has an end, such as a report.
    Streams,
    /// The next messages of somebody who watches.
    Watches,
    /// Messages of the relay.
    Relay,
}

impl Class {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::Taking,
        Self::Checks,
        Self::Writes,
        Self::Bodies,
        Self::Logs,
        Self::Lists,
        Self::Questions,
        Self::Streams,
        Self::Watches,
        Self::Relay,
    ];

    /// As metrics and log lines call it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Taking => "taking",
            Self::Checks => "checks",
            Self::Writes => "writes",
            Self::Bodies => "bodies",
            Self::Logs => "logs",
            Self::Lists => "lists",
            Self::Questions => "questions",
            Self::Streams => "streams",
            Self::Watches => "watches",
            Self::Relay => "relay",
        }
    }

    /// Whether it may take long, and so works on threads of a lower priority.
    pub(crate) const fn is_long(self) -> bool {
        match self {
            Self::Taking | Self::Checks | Self::Writes | Self::Logs | Self::Lists | Self::Relay => false,
            Self::Bodies | Self::Questions | Self::Streams | Self::Watches => true,
        }
    }

    /// How many work at once, and how many wait.
    fn bounds(self, cores: usize) -> Bounds {
        match self {
            Self::Taking => Bounds { places: Bound::NONE, beside_others: usize::MAX, waiting: Bound::NONE },
            Self::Checks | Self::Lists | Self::Questions => Bounds::of_cores(cores, QUESTIONS_WAITING),
            // They wait for the journal, not for a core, and are appended together.
            Self::Writes => {
                Bounds { places: Bound::shared(WRITES), beside_others: WRITES, waiting: WRITES_WAITING }
            }
            Self::Logs => {
                Bounds { places: Bound::shared(LOGS), beside_others: LOGS / 2, waiting: QUESTIONS_WAITING }
            }
            // Each waits for its own next piece only, and slots bound how many there are; what is in a body that waits may take
            // access away, and connections bound how many there are.
            Self::Streams | Self::Watches | Self::Bodies => Bounds::of_cores(cores, Bound::NONE),
            Self::Relay => Bounds {
                places: Bound { all: RELAY, of_org: RELAY, of_principal: RELAY },
                beside_others: RELAY,
                waiting: Bound::NONE,
            },
        }
    }
}

impl Bounds {
    /// Of work that takes a core. While others are about, one organization leaves them half of the cores.
    fn of_cores(cores: usize, waiting: Bound) -> Self {
        let places = Bound::shared((PLACES_A_CORE * cores).max(4));
        Self { places, beside_others: (cores / 2).max(1), waiting }
    }
}

/// Questions that work at once, for each core: more threads than cores make nobody faster.
const PLACES_A_CORE: usize = 2;
/// Organizations that asked anything within this time are about.
const ABOUT: Duration = Duration::from_secs(1);
/// Commands that are decided and appended at once.
const WRITES: usize = 1_024;
/// Requests with rows of logs at once: each may have 16 MiB.
const LOGS: usize = 32;
/// Pieces that relays render at once: one for each of their streams.
const RELAY: usize = 2;
/// Questions that wait.
const QUESTIONS_WAITING: Bound = Bound { all: 2_048, of_org: 512, of_principal: 128 };
/// Commands that wait.
const WRITES_WAITING: Bound = Bound { all: 4_096, of_org: 1_024, of_principal: 512 };

/// Gives places; cheap to clone.
#[derive(Debug, Clone)]
pub struct Scheduler(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    classes: [ClassState; Class::ALL.len()],
    tickets: AtomicU64,
    /// Who asked last, and of the others who did; each with when.
    seen: Mutex<[Option<(OrgId, tokio::time::Instant)>; 2]>,
    /// The line about what was shed.
    log: Mutex<LogThrottle>,
}

#[derive(Debug)]
struct ClassState {
    queue: Mutex<Waiting>,
    /// Those that came in vain, or waited in vain.
    shed: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    queue: FairQueue,
    callers: HashMap<Ticket, oneshot::Sender<Result<Place, Refused>>>,
}

/// A place, until dropped.
#[derive(Debug)]
#[must_use = "the place is free again as soon as it is dropped"]
pub struct Place {
    scheduler: Scheduler,
    class: Class,
    party: Party,
    started: Instant,
}

/// How a class stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClassNumbers {
    /// Its name.
    pub(crate) class: Class,
    /// Places in use.
    pub(crate) running: usize,
    /// How many wait.
    pub(crate) waiting: usize,
    /// How many were turned away since the start.
    pub(crate) shed: u64,
}

impl Scheduler {
    /// For this machine.
    pub(crate) fn of_process() -> Self {
        Self::of(available_parallelism().map_or(1, usize::from))
    }

    /// For so many cores.
    fn of(cores: usize) -> Self {
        let classes = Class::ALL.map(|class| {
            let queue =
                Mutex::new(Waiting { queue: FairQueue::new(class.bounds(cores)), callers: HashMap::new() });
            ClassState { queue, shed: AtomicU64::new(0) }
        });
        let log = Mutex::new(LogThrottle::default());
        Self(Arc::new(Shared { classes, tickets: AtomicU64::new(0), seen: Mutex::default(), log }))
    }

    /// Holds a place in somebody's name, as work does that takes long; none: refused. For tests and drills.
    pub async fn hold(&self, class: Class, org: OrgId, principal: Option<Principal>) -> Option<Place> {
        self.enter(class, Party { org, principal }).await.ok()
    }

    /// An organization asks something, whatever it is.
    pub(crate) fn see(&self, org: OrgId) {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let [last, other] = &mut *seen;
        if last.is_some_and(|(last, _)| last != org) {
            *other = *last;
        }
        *last = Some((org, tokio::time::Instant::now()));
    }

    /// Whether several organizations asked something a moment ago.
    fn is_shared(&self) -> bool {
        let seen = *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().all(|one| one.is_some_and(|(_, at)| at.elapsed() < ABOUT))
    }

    /// Waits for a place. Dropping the future gives up the wait.
    pub(crate) async fn enter(&self, class: Class, party: Party) -> Result<Place, Refused> {
        let ticket = self.0.tickets.fetch_add(1, Ordering::Relaxed);
        let (caller, granted) = oneshot::channel();
        self.come(class, party, (ticket, caller))?;
        let mut waiting = InLine { scheduler: self, class, party, ticket: Some(ticket) };
        let granted = granted.await;
        waiting.ticket = None;
        granted.unwrap_or(Err(Refused::Overloaded))
    }

    fn come(
        &self,
        class: Class,
        party: Party,
        (ticket, caller): (Ticket, oneshot::Sender<Result<Place, Refused>>),
    ) -> Result<(), Refused> {
        let mut waiting = self.waiting(class);
        let admitted =
            waiting.queue.enqueue(party, ticket).inspect_err(|_| self.note_shed(class, party.org))?;
        waiting.callers.insert(ticket, caller);
        let shed = match admitted {
            Admitted::Alone => None,
            Admitted::InsteadOf(shed, whose) => {
                self.note_shed(class, whose.org);
                waiting.callers.remove(&shed)
            }
        };
        let started = self.start(class, &mut waiting);
        drop(waiting);
        if let Some(shed) = shed {
            // Its caller may have gone.
            drop(shed.send(Err(Refused::OwnShare)));
        }
        // A place that nobody waits for any more is free again at once; not under the lock.
        drop(started);
        Ok(())
    }

    /// Gives the places that are free. What is returned could not be given; drop it without the lock.
    fn start(&self, class: Class, waiting: &mut Waiting) -> Vec<Result<Place, Refused>> {
        let mut left = Vec::new();
        waiting.queue.share(self.is_shared());
        while let Some((ticket, party)) = waiting.queue.next() {
            let place = Place { scheduler: self.clone(), class, party, started: Instant::now() };
            match waiting.callers.remove(&ticket) {
                Some(caller) => left.extend(caller.send(Ok(place)).err()),
                None => left.push(Ok(place)),
            }
        }
        left
    }

    fn state(&self, class: Class) -> &ClassState {
        let [taking, checks, writes, bodies, logs, lists, questions, streams, watches, relay] =
            &self.0.classes;
        match class {
            Class::Taking => taking,
            Class::Checks => checks,
            Class::Writes => writes,
            Class::Bodies => bodies,
            Class::Logs => logs,
            Class::Lists => lists,
            Class::Questions => questions,
            Class::Streams => streams,
            Class::Watches => watches,
            Class::Relay => relay,
        }
    }

    fn waiting(&self, class: Class) -> MutexGuard<'_, Waiting> {
        self.state(class).queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same from a thread that may wait.
    pub(crate) fn enter_blocking(&self, class: Class, party: Party) -> Result<Place, Refused> {
        Handle::current().block_on(self.enter(class, party))
    }

    /// How each class stands.
    pub(crate) fn numbers(&self) -> [ClassNumbers; Class::ALL.len()] {
        Class::ALL.map(|class| {
            let waiting = self.waiting(class);
            let (running, waiting) = (waiting.queue.running(), waiting.queue.waiting());
            ClassNumbers { class, running, waiting, shed: self.state(class).shed.load(Ordering::Relaxed) }
        })
    }

    fn note_shed(&self, class: Class, org: OrgId) {
        self.state(class).shed.fetch_add(1, Ordering::Relaxed);
        if self.0.log.lock().unwrap_or_else(PoisonError::into_inner).is_due() {
            let class = class.word();
            tracing::warn!(%org, class, "more is asked than its share: what is newest of the greediest is turned away");
        }
    }
}

/// One that waits, until it got its place.
struct InLine<'s> {
    scheduler: &'s Scheduler,
    class: Class,
    party: Party,
    ticket: Option<Ticket>,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut waiting = self.scheduler.waiting(self.class);
        waiting.queue.leave(self.party, ticket);
        waiting.callers.remove(&ticket);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let cost = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut waiting = self.scheduler.waiting(self.class);
        waiting.queue.finish(self.party, cost);
        let left = self.scheduler.start(self.class, &mut waiting);
        drop(waiting);
        drop(left);
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::OwnShare => Self::busy(),
            Refused::Overloaded => Self::overloaded(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use grantbook_domain::id::TokenId;
    use tokio::{task::yield_now, time::timeout};

    use super::*;

    fn party(org: u128) -> Party {
        Party { org: OrgId::from_u128(org), principal: None }
    }

    fn waiting(scheduler: &Scheduler) -> (usize, usize) {
        let numbers = scheduler.numbers();
        let numbers = numbers.iter().find(|one| one.class == Class::Questions).unwrap();
        (numbers.running, numbers.waiting)
    }

    #[tokio::test]
    async fn a_place_comes_back_and_goes_to_who_has_none() {
        let scheduler = Scheduler::of(2);
        let enter = |org| {
            let scheduler = scheduler.clone();
            tokio::spawn(async move { scheduler.enter(Class::Questions, party(org)).await.unwrap() })
        };
        let (first, second) = (enter(1).await.unwrap(), enter(1).await.unwrap());
        let third = enter(1);
        // Half of the places are one account's.
        while waiting(&scheduler) != (2, 1) {
            yield_now().await;
        }
        let other = enter(2).await.unwrap();
        assert_eq!(waiting(&scheduler), (3, 1));
        drop(first);
        let third = third.await.unwrap();
        drop((second, third, other));
        assert_eq!(waiting(&scheduler), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn while_others_are_about_an_organization_leaves_them_half_of_the_cores() {
        let scheduler = Scheduler::of(4);
        let held = async |org| {
            let mut held = Vec::new();
            for id in 0.. {
                let principal = Some(Principal::Token(TokenId::from_u128(id)));
                let asked = scheduler.hold(Class::Questions, OrgId::from_u128(org), principal);
                let Ok(place) = timeout(Duration::from_millis(1), asked).await else { break };
                held.push(place.unwrap());
            }
            held
        };
        scheduler.see(OrgId::from_u128(1));
        assert_eq!(held(1).await.len(), 6, "alone: three quarters of two a core");
        scheduler.see(OrgId::from_u128(2));
        let (first, second) = (held(1).await, held(2).await);
        assert_eq!((first.len(), second.len()), (2, 2));
        drop((first, second));
        tokio::time::advance(ABOUT).await;
        scheduler.see(OrgId::from_u128(1));
        assert_eq!(held(1).await.len(), 6, "the other one has gone");
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_queue() {
        let scheduler = Scheduler::of(1);
        let held = [1, 1].map(|org| scheduler.enter(Class::Questions, party(org)));
        let [first, second] = held;
        let held = (first.await.unwrap(), second.await.unwrap());
        let gives_up = timeout(Duration::ZERO, scheduler.enter(Class::Questions, party(1))).await;
        assert!(gives_up.is_err());
        assert_eq!(waiting(&scheduler), (2, 0));
        drop(held);
        assert_eq!(waiting(&scheduler), (0, 0));
    }

    #[tokio::test]
    async fn beyond_its_share_a_caller_is_refused_and_commands_that_take_are_not() {
        let scheduler = Scheduler::of(1);
        let mut asked = Vec::new();
        for _ in 0..2 + QUESTIONS_WAITING.of_principal {
            let scheduler = scheduler.clone();
            asked.push(tokio::spawn(async move {
                scheduler.enter(Class::Questions, party(1)).await.map(std::mem::forget)
            }));
        }
        while waiting(&scheduler) != (2, QUESTIONS_WAITING.of_principal) {
            yield_now().await;
        }
        let refused = scheduler.enter(Class::Questions, party(1)).await.map(drop);
        assert_eq!(refused, Err(Refused::OwnShare));
        for _ in 0..10_000 {
            scheduler.enter(Class::Taking, party(1)).await.map(std::mem::forget).unwrap();
        }
        assert!(scheduler.enter(Class::Questions, party(2)).await.is_ok());
    }
}
