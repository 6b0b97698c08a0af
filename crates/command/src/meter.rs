//! A meter of the work that an organization's commands make, accepted or refused: a token bucket.
//!
//! The source of the algorithm is the token bucket of RFC 2697, section 3, with one difference: a command is let through as
//! long as anything is left, and may overdraw the bucket, as its cost is known only once it was decided.

use std::time::Duration;

use tokio::time::Instant;

/// How much work an organization's commands may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkRate {
    /// Work units a second in the long run.
    pub per_second: u64,
    /// Work units at once after a rest.
    pub burst: u64,
}

impl WorkRate {
    /// The figures of docs/limits.md.
    pub const DEFAULT: Self = Self { per_second: 500_000, burst: 500_000 };
}

impl Default for WorkRate {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One organization's bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorkMeter {
    rate: WorkRate,
    /// What is left at `since`; negative once it was overdrawn.
    left: i64,
    since: Instant,
}

impl WorkMeter {
    pub(super) fn full(rate: WorkRate) -> Self {
        Self { rate, left: clamp(rate.burst), since: Instant::now() }
    }

    /// How long to wait until anything is left; none if something is.
    pub(super) fn wait(&mut self) -> Option<Duration> {
        self.refill();
        let missing = u64::try_from(self.left.saturating_neg()).ok()?.saturating_add(1);
        let micros = u128::from(missing).saturating_mul(1_000_000) / u128::from(self.rate.per_second.max(1));
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX).max(1)))
    }

    /// Takes what a command has cost.
    pub(super) fn charge(&mut self, units: u64) {
        self.left = self.left.saturating_sub(clamp(units));
    }

    fn refill(&mut self) {
        let now = Instant::now();
        let micros = now.saturating_duration_since(self.since).as_micros();
        let gained = micros.saturating_mul(u128::from(self.rate.per_second)) / 1_000_000;
        if gained > 0 {
            let gained = i64::try_from(gained).unwrap_or(i64::MAX);
            self.left = self.left.saturating_add(gained).min(clamp(self.rate.burst));
            self.since = now;
        }
    }
}

fn clamp(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const RATE: WorkRate = WorkRate { per_second: 100, burst: 200 };

    #[tokio::test(start_paused = true)]
    async fn what_is_overdrawn_is_waited_for_and_no_more_is_saved_than_the_burst() {
        let mut meter = WorkMeter::full(RATE);
        assert_eq!(meter.wait(), None);
        meter.charge(199);
        assert_eq!(meter.wait(), None, "one is left");
        meter.charge(300);
        let wait = meter.wait().unwrap();
        assert_eq!(wait, Duration::from_secs(3));
        advance(wait).await;
        assert_eq!(meter.wait(), None);
        advance(Duration::from_hours(1)).await;
        assert_eq!(meter.wait(), None);
        meter.charge(200);
        assert!(meter.wait().is_some(), "an hour saves no more than the burst");
    }

    /// Looking often loses nothing to rounding.
    #[tokio::test(start_paused = true)]
    async fn it_fills_however_often_it_is_looked_at() {
        let mut meter = WorkMeter::full(RATE);
        meter.charge(300);
        for _ in 0..1_001 {
            assert!(meter.wait().is_some());
            advance(Duration::from_millis(1)).await;
        }
        advance(Duration::from_millis(9)).await;
        assert_eq!(meter.wait(), None);
    }
}
