//! The only place where time comes from.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::Utc;
use grantbook_domain::time::Timestamp;

/// What time it is: the system's clock, or one that a test sets. Clones tell the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    /// The time that a test set; none: the system's.
    set: Option<Arc<AtomicI64>>,
}

/// The other end of a clock made by [`Clock::settable`].
#[derive(Debug, Clone)]
pub struct ClockHand {
    millis: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self { set: None }
    }

    /// A clock that stands still until its hand is moved; for tests.
    pub fn settable(start: Timestamp) -> (Self, ClockHand) {
        let millis = Arc::new(AtomicI64::new(start.millis()));
        (Self { set: Some(Arc::clone(&millis)) }, ClockHand { millis })
    }

    /// The present instant.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everything else takes time from")]
    pub fn now(&self) -> Timestamp {
        match &self.set {
            Some(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
            None => Timestamp::from_millis(Utc::now().timestamp_millis()),
        }
    }
}

impl ClockHand {
    /// Moves the clock, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.millis.store(now.millis(), Ordering::SeqCst);
    }

    /// Moves the clock forward.
    pub fn advance_ms(&self, millis: i64) {
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settable_clock_stands_still_until_it_is_moved() {
        let (clock, hand) = Clock::settable(Timestamp::from_millis(5));
        let clone = clock.clone();
        hand.advance_ms(2);
        assert_eq!((clock.now(), clone.now()), (Timestamp::from_millis(7), Timestamp::from_millis(7)));
        hand.set(Timestamp::from_millis(1));
        assert_eq!(clone.now(), Timestamp::from_millis(1));
    }

    #[test]
    fn the_system_clock_tells_a_time_of_this_century() {
        let now = Clock::system().now();
        let from = Timestamp::parse_rfc3339("2024-01-01T00:00:00Z").unwrap();
        assert!(now > from && now < Timestamp::parse_rfc3339("2100-01-01T00:00:00Z").unwrap());
    }
}
