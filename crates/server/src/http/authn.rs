//! Who asks: `Authorization: Bearer KEY`, once, and nothing else.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use grantbook_domain::{
    access::Reason,
    id::{KeyId, OrgId},
    principal::{Caller, Principal},
};

use grantbook_views as views;

use crate::{
    app::Parts,
    http::{Web, metrics::AuthFailure, problem::Failure},
    read::Stale,
    secret::{KeyError, KeyKind, ParsedKey},
};

/// The use of a key that ended is told once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(10);

tokio::task_local! {
    /// Who asks the request that this task answers, for its log line.
    pub(crate) static ASKER: Cell<Asker>;
}

/// As much as is known of who asks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asker {
    /// Who was recognized.
    pub(crate) principal: Option<Principal>,
    /// The key whose secret was proved, whether or not it still works.
    pub(crate) key: Option<KeyId>,
    /// How stale the answer is that is given all the same.
    pub(crate) stale: Option<Stale>,
}

/// Whoever presented a key that works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Authenticated {
    /// The organization, which follows from the key.
    pub(crate) org: OrgId,
    /// The principal with its key.
    pub(crate) caller: Caller,
}

/// Recognizes the caller. Nobody is turned away for a key that this process may only not have heard of yet.
pub(crate) async fn authenticate(web: &Web, headers: &HeaderMap) -> Result<Authenticated, Failure> {
    let key = presented(web, headers)?;
    let mut recognized = recognize(web, &key)?;
    if recognized.is_err() {
        confirm(web).await?;
        recognized = recognize(web, &key)?;
    }
    match recognized {
        Ok(Authenticated { org, caller }) => {
            note(Asker { principal: Some(caller.principal), key: caller.key, stale: None });
            Ok(Authenticated { org, caller })
        }
        Err(reason) => {
            if reason != Reason::UnknownKey {
                note(Asker { principal: None, key: Some(key.id), stale: None });
                web.ended_keys.tell(key.id, reason);
            }
            web.metrics.auth_failed(AuthFailure::Refused);
            Err(Failure::key_refused(reason))
        }
    }
}

/// Looks the key up in what this process has: the fold, or the view.
fn recognize(web: &Web, key: &ParsedKey) -> Result<Result<Authenticated, Reason>, Failure> {
    let now = web.app.clock.now();
    let node = match &web.app.parts {
        Parts::All(commands, _) | Parts::Command(commands) => {
            let recognized = commands.authenticate(key, now);
            return Ok(recognized.map(|(org, caller)| Authenticated { org, caller }));
        }
        Parts::Read(node) => node,
    };
    let recognized = match node.image() {
        Some(image) => image.authenticate(key.id, &key.hash, now),
        None => node.reader.snapshot()?.authenticate(key.id, &key.hash, now)?,
    };
    Ok(recognized.and_then(|views::Authenticated { org, caller }| {
        // The prefix says what the key is of; the view does not know it.
        let fits = KeyKind::of(caller.principal) == key.kind;
        if fits { Ok(Authenticated { org, caller }) } else { Err(Reason::UnknownKey) }
    }))
}

async fn confirm(web: &Web) -> Result<(), Failure> {
    let confirmed = match &web.app.parts {
        Parts::All(commands, _) | Parts::Command(commands) => commands.confirm().await,
        Parts::Read(node) => node.confirm().await,
    };
    confirmed.map_err(|why| Failure::unconfirmed(&why))
}

/// Outside of a request nobody logs who asked.
/// Keeps for the end of the request how stale its answer is.
pub(crate) fn note_stale(stale: Option<Stale>) {
    ASKER.try_with(|noted| noted.set(Asker { stale, ..noted.get() })).unwrap_or_default();
}

fn note(asker: Asker) {
    ASKER.try_with(|noted| noted.set(asker)).unwrap_or_default();
}

/// Keys that no longer work and were used by somebody who has their secret: a leak, or something forgotten.
#[derive(Debug, Default)]
pub(crate) struct EndedKeys {
    told: Mutex<HashMap<KeyId, Instant>>,
}

impl EndedKeys {
    fn tell(&self, key: KeyId, reason: Reason) {
        if self.is_due(key, Instant::now()) {
            tracing::warn!(%key, ?reason, "a key that no longer works was used with its right secret");
        }
    }

    /// Whether the key was not told of for a while. Holds only what was told of in that while.
    fn is_due(&self, key: KeyId, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, last| now.duration_since(*last) < TOLD_EVERY);
        let is_due = !told.contains_key(&key);
        told.entry(key).or_insert(now);
        is_due
    }
}

/// The key presented, whose checksum is right: a wrong one is counted apart and never looked up.
fn presented(web: &Web, headers: &HeaderMap) -> Result<ParsedKey, Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        web.metrics.auth_failed(AuthFailure::Absent);
        return Err(Failure::no_credential());
    };
    if values.next().is_some() {
        return Err(Failure::invalid("present one credential: there are two Authorization headers"));
    }
    let text = value.to_str().ok().and_then(bearer).ok_or(KeyError::Malformed);
    text.and_then(ParsedKey::parse).map_err(|error| {
        web.metrics.auth_failed(match error {
            KeyError::Malformed => AuthFailure::Malformed,
            KeyError::Checksum => AuthFailure::Checksum,
        });
        Failure::bad_credential()
    })
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, text) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_ended_is_told_of_once_in_a_while() {
        let (keys, now) = (EndedKeys::default(), Instant::now());
        let [one, other] = [1, 2].map(KeyId::from_u128);
        assert!(keys.is_due(one, now) && keys.is_due(other, now));
        assert!(!keys.is_due(one, now + TOLD_EVERY / 2));
        assert!(keys.is_due(one, now + TOLD_EVERY));
    }

    #[test]
    fn only_the_bearer_scheme_is_a_credential() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for value in ["Basic abc", "abc", "Bearer", "Bearerabc"] {
            assert_eq!(bearer(value), None, "{value}");
        }
    }
}
