//! What goes on failing is logged now and then, not every time.

use std::time::Duration;

use tokio::time::Instant;

/// Between two lines on the same outage.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// When an outage was last logged.
#[derive(Debug, Default)]
pub struct LogThrottle {
    logged_at: Option<Instant>,
}

impl LogThrottle {
    /// One that is silent at first: some outages are expected at a start.
    pub fn silent_at_first() -> Self {
        Self { logged_at: Some(Instant::now()) }
    }

    /// Whether a line is due; then it is taken as written.
    pub fn is_due(&mut self) -> bool {
        let is_due = self.logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL);
        if is_due {
            self.logged_at = Some(Instant::now());
        }
        is_due
    }

    /// The outage is over: the next one is logged at once.
    pub fn reset(&mut self) {
        self.logged_at = None;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_logged_at_its_beginning_and_then_now_and_then() {
        let mut throttle = LogThrottle::default();
        assert!(throttle.is_due() && !throttle.is_due());
        advance(LOG_INTERVAL).await;
        assert!(throttle.is_due() && !throttle.is_due());
        throttle.reset();
        assert!(throttle.is_due());
        assert!(!LogThrottle::silent_at_first().is_due());
    }
}
