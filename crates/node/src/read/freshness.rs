//! How stale a node may be, and what it does beyond that.

use std::{fmt, time::Duration};

/// The least that may be asked for: the journal's leader is asked once a second, and may take its time to answer.
const LAG_LEAST: Duration = Duration::from_secs(1);
const SILENCE_LEAST: Duration = Duration::from_secs(5);
/// And the most: beyond an hour a bound is none.
const MOST: Duration = Duration::from_hours(1);

/// Within which bounds a node is believed, and what it does beyond them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// For how long it may be behind a head that it knows.
    pub max_lag: Duration,
    /// For how long it may have no word from the journal's leader.
    pub max_silence: Duration,
    /// What becomes of questions then.
    pub when_stale: WhenStale,
}

/// What becomes of questions to a stale node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenStale {
    /// They are refused, 503 `stale`.
    Refuse,
    /// They are answered from what there is, and every answer says in a header how stale it is.
    Mark,
}

/// How stale an answer is that is given all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// How many frames are known to be missing.
    pub lag_frames: u64,
    /// For how long nothing has proved that the node has everything.
    pub age_ms: u64,
}

/// A bound that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{flag} must be between {} s and {} s", least.as_secs(), MOST.as_secs())]
pub struct BadBound {
    flag: &'static str,
    least: Duration,
}

impl Default for Freshness {
    fn default() -> Self {
        let (max_lag, max_silence) = (Duration::from_secs(5), Duration::from_secs(30));
        Self { max_lag, max_silence, when_stale: WhenStale::Refuse }
    }
}

impl Freshness {
    /// Whether the bounds can be kept.
    pub fn validate(&self) -> Result<(), BadBound> {
        let bounds =
            [("--max-lag", self.max_lag, LAG_LEAST), ("--max-silence", self.max_silence, SILENCE_LEAST)];
        for (flag, bound, least) in bounds {
            if bound < least || bound > MOST {
                return Err(BadBound { flag, least });
            }
        }
        Ok(())
    }
}

impl WhenStale {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Mark => "mark",
        }
    }
}

/// As it stands in the header.
impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lag_frames={},age_ms={}", self.lag_frames, self.age_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_cannot_be_kept_are_refused() {
        let good = Freshness::default();
        assert_eq!(good.validate(), Ok(()));
        for seconds in [0, 4, 3601] {
            let bad = Freshness { max_silence: Duration::from_secs(seconds), ..good };
            let told = bad.validate().unwrap_err().to_string();
            assert_eq!(told, "--max-silence must be between 5 s and 3600 s");
        }
        let bad = Freshness { max_lag: Duration::from_millis(999), ..good };
        assert_eq!(bad.validate().unwrap_err().to_string(), "--max-lag must be between 1 s and 3600 s");
        for good in [
            Freshness { max_lag: Duration::from_secs(1), ..good },
            Freshness { max_silence: Duration::from_secs(5), ..good },
        ] {
            assert_eq!(good.validate(), Ok(()));
        }
    }
}
