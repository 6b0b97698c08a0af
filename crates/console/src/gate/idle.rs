//! Sessions that nobody uses end here after half an hour; each node counts for itself.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a session may rest.
pub(crate) const REST: Duration = Duration::from_mins(30);
/// Sessions that are remembered; with more, those that rested longest are forgotten, and begin anew.
const MOST: usize = 100_000;

/// When each session was last used on this node, by its id.
#[derive(Debug, Default)]
pub(crate) struct Idle(Mutex<HashMap<String, Instant>>);

impl Idle {
    /// Notes that a session is used now; whether it had not rested too long.
    pub(crate) fn uses(&self, id: &str, now: Instant) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(id).is_some_and(|last| now.duration_since(*last) > REST) {
            return false;
        }
        if known.len() >= MOST && !known.contains_key(id) {
            known.retain(|_, last| now.duration_since(*last) <= REST);
            let oldest = known.iter().min_by_key(|(_, last)| **last).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest.filter(|_| known.len() >= MOST) {
                known.remove(&oldest);
            }
        }
        known.insert(id.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_rested_for_more_than_half_an_hour_stays_ended() {
        let (idle, start) = (Idle::default(), Instant::now());
        assert!(idle.uses("s", start));
        assert!(idle.uses("s", start + REST));
        assert!(!idle.uses("s", start + REST * 2 + Duration::from_millis(1)));
        assert!(!idle.uses("s", start + REST * 3), "asking again does not revive it");
        assert!(idle.uses("other", start + REST * 3));
    }
}
