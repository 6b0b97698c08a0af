//! When a message that was not accepted is sent again.

use std::{str::FromStr, time::Duration};

use sha2::{Digest, Sha256};

/// Longest wait that a receiver may ask for by `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// The waits after the first, second, ... failed attempt; after the last of them the message is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

impl Default for Schedule {
    /// The example of the specification: the tenth attempt after 75 hours is the last.
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let waits =
            [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self(waits.map(Duration::from_secs).to_vec())
    }
}

impl FromStr for Schedule {
    type Err = String;

    /// Waits such as `5s,5m,2h`, with `ms`, `s`, `m` and `h`.
    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(wait).collect::<Option<_>>().map(Self).ok_or_else(|| {
            format!("`{text}` is no schedule: write the waits between attempts, such as 5s,5m,30m,2h")
        })
    }
}

fn wait(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).filter(|millis| *millis <= 30 * 24 * 3_600_000).map(Duration::from_millis)
}

impl Schedule {
    /// How long to wait after so many failed attempts, up to a fifth longer so that not all receivers of one outage are
    /// asked at once; none: give up. Never shorter than the receiver asked for, within a day.
    pub(crate) fn wait(&self, failed: u32, message: &str, retry_after: Option<Duration>) -> Option<Duration> {
        let place = usize::try_from(failed).unwrap_or(usize::MAX).checked_sub(1)?;
        let wait = self.0.get(place).copied()?;
        Some(self.spread(wait, failed, message, retry_after))
    }

    /// How long to wait if nothing may be given up.
    pub(crate) fn last(&self, failed: u32, message: &str, retry_after: Option<Duration>) -> Duration {
        let wait = self.0.last().copied().unwrap_or_default();
        self.spread(wait, failed, message, retry_after)
    }

    /// The spread is drawn from the message, so that it needs no randomness and a test gets it again.
    #[expect(clippy::unused_self, reason = "it belongs to the waits of a schedule")]
    fn spread(&self, wait: Duration, failed: u32, message: &str, retry_after: Option<Duration>) -> Duration {
        let digest = Sha256::new().chain_update(message).chain_update(failed.to_be_bytes()).finalize();
        let share = u32::from(digest.first().copied().unwrap_or_default());
        let spread = wait + wait.saturating_mul(share) / (5 * 255);
        spread.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_the_schedule_a_little_late_and_then_end() {
        let schedule = Schedule::default();
        let waits: Vec<_> = (1..=9).map(|failed| schedule.wait(failed, "msg_a", None).unwrap()).collect();
        for (wait, seconds) in waits.iter().zip([5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]) {
            let least = Duration::from_secs(seconds);
            assert!(*wait >= least && *wait <= least + least / 5, "{wait:?}");
        }
        assert_eq!(schedule.wait(10, "msg_a", None), None);
        assert_eq!(schedule.wait(0, "msg_a", None), None);
        let others = (0..20).map(|n| schedule.wait(2, &format!("msg_{n}"), None).unwrap());
        assert!(others.collect::<std::collections::BTreeSet<_>>().len() > 5, "they differ");
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_but_not_for_ever() {
        let schedule: Schedule = "10ms,20ms".parse().unwrap();
        let hour = Duration::from_hours(1);
        assert_eq!(schedule.wait(1, "m", Some(hour)), Some(hour));
        assert_eq!(schedule.wait(2, "m", Some(Duration::MAX)), Some(RETRY_AFTER_MAX));
        assert!(schedule.wait(2, "m", Some(Duration::ZERO)).unwrap() >= Duration::from_millis(20));
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in ["", "5", "s", "5s,", "5d", "-5s", "99999999999999999999h", "9999h"] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
        assert_eq!("1s,2m".parse::<Schedule>().unwrap().0, [1, 120].map(Duration::from_secs));
    }
}
