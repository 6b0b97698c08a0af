//! Who asks: `Authorization: Bearer KEY`, once, and nothing else.

use std::cell::Cell;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use grantbook_domain::{
    access::check::Reason,
    id::{KeyId, OrgId},
    principal::{Caller, Principal},
};

use grantbook_views as views;

use crate::{
    http::problem::Failure,
    state::{Parts, Web, at_least, metrics::AuthFailure},
};
use grantbook_command::secret::{KeyError, KeyKind, ParsedKey};
use grantbook_node::read::Stale;

tokio::task_local! {
    /// Who asks the request that this task answers, for its log line.
    pub(crate) static IDENTITY: Cell<RequestIdentity>;
}

/// As much as is known of who asks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RequestIdentity {
    /// Whose data is asked about.
    pub(crate) org: Option<OrgId>,
    /// Who was recognized.
    pub(crate) principal: Option<Principal>,
    /// The key whose secret was proved, whether or not it still works.
    pub(crate) key: Option<KeyId>,
    /// Why the key no longer works.
    pub(crate) ended: Option<Reason>,
    /// Whether the question is about an earlier moment.
    pub(crate) looks_back: bool,
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
    /// Whether the view has what the request demands already: it was waited for before the key was recognized.
    pub(crate) has_waited: bool,
}

/// Recognizes the caller. An unknown key is rejected only after this process has caught up.
pub(crate) async fn authenticate(web: &Web, headers: &HeaderMap) -> Result<Authenticated, Failure> {
    let key = presented(web, headers)?;
    let mut recognized = recognize(web, &key)?;
    let mut has_waited = false;
    if let Ok(Authenticated { org, .. }) = recognized
        && web.app.parts.commands().is_none()
    {
        // The key may have ended in what the caller demands to be known, or by way of this node.
        has_waited = at_least::wait_if_demanded(web, org, headers).await?;
        if has_waited || at_least::has_to_catch_up(web, org).await {
            recognized = recognize(web, &key)?;
        }
    }
    if recognized.is_err() {
        confirm(web).await?;
        recognized = recognize(web, &key)?;
    }
    match recognized {
        Ok(recognized @ Authenticated { org, caller, .. }) => {
            let (principal, key) = (Some(caller.principal), caller.key);
            web.app.scheduler.see(org);
            note(RequestIdentity { org: Some(org), principal, key, ..RequestIdentity::default() });
            Ok(Authenticated { has_waited, ..recognized })
        }
        Err(reason) => {
            if reason != Reason::UnknownKey {
                note(RequestIdentity {
                    key: Some(key.id),
                    ended: Some(reason),
                    ..RequestIdentity::default()
                });
            }
            web.metrics.auth_failed(AuthFailure::Refused);
            Err(Failure::key_refused(reason))
        }
    }
}

/// Notes whose request it is, as far as this process knows the key, and says of which organization.
pub(crate) fn note_if_known(web: &Web, key: &ParsedKey) -> Option<OrgId> {
    let Ok(Ok(Authenticated { org, caller, .. })) = recognize(web, key) else { return None };
    let (principal, key) = (Some(caller.principal), caller.key);
    note(RequestIdentity { org: Some(org), principal, key, ..RequestIdentity::default() });
    Some(org)
}

/// Looks the key up in what this process has: the fold, or the view.
fn recognize(web: &Web, key: &ParsedKey) -> Result<Result<Authenticated, Reason>, Failure> {
    let now = web.app.clock.now();
    let node = match &web.app.parts {
        Parts::All(commands, _) | Parts::Command(commands) => {
            let recognized = commands.authenticate(key, now);
            return Ok(recognized.map(|(org, caller)| Authenticated { org, caller, has_waited: false }));
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
        if fits { Ok(Authenticated { org, caller, has_waited: false }) } else { Err(Reason::UnknownKey) }
    }))
}

async fn confirm(web: &Web) -> Result<(), Failure> {
    let confirmed = match &web.app.parts {
        Parts::All(commands, _) | Parts::Command(commands) => commands.confirm().await,
        Parts::Read(node) => node.confirm().await,
    };
    confirmed.map_err(|why| Failure::unconfirmed(&why))
}

/// Keeps for the end of the request how stale its answer is.
pub(crate) fn note_stale(stale: Option<Stale>) {
    IDENTITY.try_with(|noted| noted.set(RequestIdentity { stale, ..noted.get() })).unwrap_or_default();
}

/// Keeps for the end of the request that it is about an earlier moment.
pub(crate) fn note_looks_back() {
    IDENTITY
        .try_with(|noted| noted.set(RequestIdentity { looks_back: true, ..noted.get() }))
        .unwrap_or_default();
}

/// Outside of a request nobody logs who asked. How stale the answer is may be known before.
fn note(asker: RequestIdentity) {
    let stale = |noted: &Cell<RequestIdentity>| noted.get().stale;
    let keep = |noted: &Cell<RequestIdentity>| noted.set(RequestIdentity { stale: stale(noted), ..asker });
    IDENTITY.try_with(keep).unwrap_or_default();
}

/// The key presented, whose checksum is right: a wrong one is counted apart and never looked up.
pub(crate) fn presented(web: &Web, headers: &HeaderMap) -> Result<ParsedKey, Failure> {
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
    fn only_the_bearer_scheme_is_a_credential() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for value in ["Basic abc", "abc", "Bearer", "Bearerabc"] {
            assert_eq!(bearer(value), None, "{value}");
        }
    }
}
