//! Who asks: `Authorization: Bearer KEY`, once, and nothing else.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use grantbook_domain::{id::OrgId, principal::Caller};

use crate::{
    http::{Web, metrics::AuthFailure, problem::Failure},
    secret::{KeyError, ParsedKey},
};

/// Whoever presented a key that works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Authenticated {
    /// The organization, which follows from the key.
    pub(crate) org: OrgId,
    /// The principal with its key.
    pub(crate) caller: Caller,
}

/// Recognizes the caller.
pub(crate) fn authenticate(web: &Web, headers: &HeaderMap) -> Result<Authenticated, Failure> {
    let key = presented(web, headers)?;
    match web.app.commands.authenticate(&key, web.app.clock.now()) {
        Ok((org, caller)) => Ok(Authenticated { org, caller }),
        Err(reason) => {
            web.metrics.auth_failed(AuthFailure::Refused);
            Err(Failure::key_refused(reason))
        }
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
    fn only_the_bearer_scheme_is_a_credential() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for value in ["Basic abc", "abc", "Bearer", "Bearerabc"] {
            assert_eq!(bearer(value), None, "{value}");
        }
    }
}
