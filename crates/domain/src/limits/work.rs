//! Work units: what a command costs, counted where its loops are. The count depends on the state and the command alone, so
//! that a plan, a write and another process come to the same verdict.

use std::{cell::Cell, thread};

/// How many units are worked off without giving other threads a turn: some 0.1 ms. It changes nothing of what is counted.
const TURN: u64 = 1024;

/// Counts units, up to a limit.
#[derive(Debug)]
pub struct WorkCounter {
    spent: Cell<u64>,
    limit: u64,
}

impl WorkCounter {
    /// At most so many units.
    pub const fn limited(limit: u64) -> Self {
        Self { spent: Cell::new(0), limit }
    }

    /// As many as it takes: for what takes access away, and for what is bounded elsewhere.
    pub const fn unlimited() -> Self {
        Self::limited(u64::MAX)
    }

    /// One unit more. False once the limit is exceeded.
    pub fn compare(&self) -> bool {
        self.spend(1)
    }

    /// So many units more. False once the limit is exceeded.
    pub fn spend(&self, units: usize) -> bool {
        let units = u64::try_from(units).unwrap_or(u64::MAX);
        let before = self.spent.get();
        let spent = before.saturating_add(units);
        if before / TURN != spent / TURN {
            thread::yield_now();
        }
        self.spent.set(spent);
        !self.is_exceeded()
    }

    /// The units spent so far.
    pub fn spent(&self) -> u64 {
        self.spent.get()
    }

    /// Whether more was spent than the limit allows: what was found by then is not to be relied on.
    pub fn is_exceeded(&self) -> bool {
        self.spent.get() > self.limit
    }
}
