//! Work units: what one question may cost, counted where the loop is; and the flag that ends it early.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use crate::store::error::ViewError;

/// How many units of one question are worked off without giving others a turn: some 0.1 ms.
const TURN: u64 = 128;

/// How many rows are written, without giving others a turn: some 0.1 ms.
pub(crate) const ROWS_A_TURN: usize = 32;

/// Lets others have the core now and then in a loop of so many steps a turn: a record may be long, and what waits for a core more
/// urgent than its end.
pub(crate) fn give_way(step: usize, steps_a_turn: usize) {
    if step.checked_rem(steps_a_turn).is_some_and(|rest| rest + 1 == steps_a_turn) {
        thread::yield_now();
    }
}

/// The work of one question: how much was done, how much may be done, and whether anybody still waits for the answer.
///
/// A unit is a look at one row: a look-up, or a step of a range. Loops that look at no rows count their steps with
/// [`Work::spend`]. Units follow from what the view holds, not from how fast the machine is. Two things can make the same question
/// cheaper when it is asked again: the catalog is kept once it was read, and so is what the last page of "who can" went through.
///
/// Cheap to clone; all clones share one count.
#[derive(Debug, Clone)]
pub struct Work(Arc<Spent>);

#[derive(Debug)]
struct Spent {
    units: AtomicU64,
    limit: u64,
    cancelled: AtomicBool,
}

impl Work {
    /// Most units of one question, if nothing else is said. A question that looks at five million rows takes some seconds.
    pub const LIMIT: u64 = 5_000_000;

    /// Nothing was done yet; at most `limit` units.
    pub fn limited(limit: u64) -> Self {
        Self(Arc::new(Spent { units: AtomicU64::new(0), limit, cancelled: AtomicBool::new(false) }))
    }

    /// Without a limit, for what has a bound of its own, such as a stream that is paced by its reader. It can still be cancelled.
    pub fn unlimited() -> Self {
        Self::limited(u64::MAX)
    }

    /// Counts what is about to be done. [`ViewError::Interrupted`] if nobody waits for it any more,
    /// [`ViewError::TooCostly`] if it is more than the limit.
    pub fn spend(&self, units: u64) -> Result<(), ViewError> {
        let before = self.0.units.fetch_add(units, Ordering::Relaxed);
        if self.0.cancelled.load(Ordering::Relaxed) {
            return Err(ViewError::Interrupted);
        }
        // Left alone, the system lets a thread keep its core for some milliseconds, also from threads of a higher priority.
        if before / TURN != before.saturating_add(units) / TURN {
            thread::yield_now();
        }
        let limit = self.0.limit;
        if before.saturating_add(units) > limit { Err(ViewError::TooCostly { limit }) } else { Ok(()) }
    }

    /// Nobody waits for the answer any more: the next unit is an error.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether [`Work::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// How many units were counted so far.
    pub fn spent(&self) -> u64 {
        self.0.units.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_beyond_the_limit_is_refused_and_clones_share_the_count() {
        let work = Work::limited(3);
        let other = work.clone();
        work.spend(2).unwrap();
        other.spend(1).unwrap();
        assert!(matches!(work.spend(1), Err(ViewError::TooCostly { limit: 3 })));
        assert_eq!(work.spent(), 4);
    }

    #[test]
    fn what_was_cancelled_stops_at_its_next_unit() {
        let work = Work::unlimited();
        work.spend(1).unwrap();
        work.clone().cancel();
        assert!(work.is_cancelled() && matches!(work.spend(1), Err(ViewError::Interrupted)));
    }
}
