//! Answers that were lost: a client that sends its request again gets another key in place of the one whose secret nobody has.
//!
//! Braintrust's clients name no request id. A second request is taken for the first one, sent again, if the same credential asks for
//! a key of the same name for the same account within two minutes, and nobody used the first key here (ADR 39).

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use grantbook_domain::time::Timestamp;
use serde_json::Value;

use crate::braintrust::{
    body::{id_of, string_of},
    call::Call,
    denial::Denial,
};

/// How long a client may take to send a request again.
const WINDOW: Duration = Duration::from_mins(2);
/// Most keys whose use is remembered.
const REMEMBERED: usize = 10_000;

static USED: LazyLock<Mutex<Used>> = LazyLock::new(Mutex::default);

/// The keys that were used on this wire within the window, by when they were used last.
#[derive(Default)]
struct Used {
    keys: HashMap<String, Instant>,
    /// When there were too many to remember: every key counts as used for a window then.
    overflowed: Option<Instant>,
}

impl Used {
    fn note(&mut self, key: &str, now: Instant) {
        if self.keys.len() >= REMEMBERED && !self.keys.contains_key(key) {
            self.keys.retain(|_, at| now.saturating_duration_since(*at) <= WINDOW);
            if self.keys.len() >= REMEMBERED {
                self.keys.clear();
                self.overflowed = Some(now);
            }
        }
        self.keys.insert(key.to_owned(), now);
    }

    fn has(&self, key: &str, now: Instant) -> bool {
        let overflowed = self.overflowed.is_some_and(|at| now.saturating_duration_since(at) <= WINDOW);
        overflowed || self.keys.contains_key(key)
    }
}

/// Notes that a key was used.
pub(crate) fn note(key: &str) {
    USED.lock().unwrap_or_else(PoisonError::into_inner).note(key, Instant::now());
}

fn is_used(key: &str) -> bool {
    USED.lock().unwrap_or_else(PoisonError::into_inner).has(key, Instant::now())
}

/// Whose key it is that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The caller's: all its keys are its own doing.
    Callers,
    /// Another account's: of its keys those count that the same credential issued.
    Anothers,
}

/// The key of an account that was issued for the same request, if its answer may have been lost. `ends` says whether a key with an
/// end is asked for.
pub(crate) async fn key(
    call: &Call,
    (account, whose): (&str, Whose),
    (name, ends): (&str, bool),
) -> Result<Option<String>, Denial> {
    let filter = match whose {
        Whose::Callers => "",
        Whose::Anothers => "?issued_with=own",
    };
    let own = match call.native.list(&format!("{account}/keys{filter}")).await {
        Ok(own) => own,
        // Who may not list the keys of an account does not know of an earlier one.
        Err(denial) if denial.is_forbidden() => return Ok(None),
        Err(denial) => return Err(denial),
    };
    let is_lost = |key: &&Value| {
        let has = |member: &str| key.get(member).is_some_and(|value| !value.is_null());
        let is_alike = string_of(key, "name") == name && !has("narrow") && has("expires_at") == ends;
        is_alike && is_recent(call, key) && !is_used(id_of(key))
    };
    Ok(own.iter().rev().find(is_lost).map(|key| id_of(key).to_owned()))
}

/// Whether a thing was made so shortly ago that its request may have been sent again.
pub(crate) fn is_recent(call: &Call, thing: &Value) -> bool {
    let millis = i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX);
    let made = Timestamp::parse_rfc3339(string_of(thing, "created_at"));
    made.is_some_and(|made| made.plus_millis(millis) >= call.web.app.clock.now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_too_many_keys_are_used_every_key_counts_as_used() {
        let (mut used, now) = (Used::default(), Instant::now());
        used.note("own", now);
        assert!(used.has("own", now) && !used.has("another", now));
        for number in 0..REMEMBERED {
            used.note(&number.to_string(), now);
        }
        assert!(used.has("own", now) && used.has("never", now), "what was forgotten may have been used");
        assert!(used.keys.len() <= REMEMBERED);
        let later = now + WINDOW + Duration::from_secs(1);
        assert!(!used.has("never", later));
    }
}
