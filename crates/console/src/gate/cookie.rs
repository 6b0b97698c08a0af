//! The cookie that holds a session's key (RFC 6265), and nothing else.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use grantbook_api::words::secret::Secret;

use crate::gate::place::Place;

/// How long a browser keeps it, in seconds: a session lasts no longer.
const AGE: u32 = 12 * 60 * 60;

/// Its name. The prefix binds it to this very host, over TLS (RFC 6265bis, section 4.1.3.2).
const fn name(place: Place) -> &'static str {
    match place {
        Place::Secure => "__Host-grantbook",
        Place::Loopback | Place::Plain => "grantbook",
    }
}

/// The key that a request holds. Of two cookies of the name, neither is believed.
pub(crate) fn read(headers: &HeaderMap, place: Place) -> Option<Secret> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(known, _)| *known == name(place)).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Some(Secret::new(value)),
        _ => None,
    }
}

/// Keeps a session.
pub(crate) fn set(secret: &Secret, place: Place) -> Option<HeaderValue> {
    line(secret.expose(), AGE, place)
}

/// Forgets it.
pub(crate) fn clear(place: Place) -> Option<HeaderValue> {
    line("", 0, place)
}

fn line(value: &str, age: u32, place: Place) -> Option<HeaderValue> {
    let secure = if place == Place::Secure { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}", name(place));
    let mut line = HeaderValue::try_from(text).ok()?;
    line.set_sensitive(true);
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(cookies: &[&'static str], place: Place) -> Option<String> {
        let lines = cookies.iter().map(|line| (COOKIE, HeaderValue::from_static(line)));
        read(&lines.collect(), place).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn the_one_cookie_of_the_name_is_believed() {
        assert_eq!(held(&["a=b; grantbook=k; c=d"], Place::Loopback).as_deref(), Some("k"));
        assert_eq!(held(&["__Host-grantbook=k"], Place::Secure).as_deref(), Some("k"));
        for cookies in
            [&["grantbook=k; grantbook=l"][..], &["grantbook=k", "grantbook=l"], &["grantbook="], &[]]
        {
            assert_eq!(held(cookies, Place::Loopback), None, "{cookies:?}");
        }
        assert_eq!(held(&["grantbook=k"], Place::Secure), None, "the name without the prefix is anybody's");
    }

    #[test]
    fn it_is_kept_from_scripts_from_other_sites_and_from_plain_http() {
        let line = set(&Secret::new("k"), Place::Secure).unwrap();
        let expected = "__Host-grantbook=k; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(line.to_str().unwrap(), expected);
        assert!(!set(&Secret::new("k"), Place::Loopback).unwrap().to_str().unwrap().contains("Secure"));
        assert!(
            clear(Place::Loopback).unwrap().to_str().unwrap().starts_with("grantbook=; Path=/; Max-Age=0")
        );
    }
}
