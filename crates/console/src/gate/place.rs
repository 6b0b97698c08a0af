//! Where the browser believes to be, by the `Host` that it sends: over TLS, on this machine, or somewhere that is not safe.

use axum::http::{HeaderMap, Uri, header::HOST};

/// Hosts that may be reached without TLS: nothing leaves the machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// How a browser reaches the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the public URL, which begins with `https`.
    Secure,
    /// On this machine.
    Loopback,
    /// Elsewhere, without TLS as far as anybody knows: nobody signs in there.
    Plain,
}

/// Host and port of the public URL, if it begins with `https`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicOrigin(String);

impl PublicOrigin {
    pub(crate) fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https"))?;
        Some(Self(authority.as_str().trim_end_matches(":443").to_ascii_lowercase()))
    }
}

impl Place {
    pub(crate) fn of(headers: &HeaderMap, public: Option<&PublicOrigin>) -> Self {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let host = host.trim().to_ascii_lowercase();
        if public.is_some_and(|PublicOrigin(known)| *known == host.trim_end_matches(":443")) {
            return Self::Secure;
        }
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host.as_str(),
        };
        if LOOPBACK.contains(&name) { Self::Loopback } else { Self::Plain }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_public_url_and_this_machine_are_safe() {
        let public = PublicOrigin::of("https://Grantbook.example.com/below");
        for (host, expected) in [
            ("grantbook.example.com", Place::Secure),
            ("GRANTBOOK.example.com:443", Place::Secure),
            ("grantbook.example.com:8443", Place::Plain),
            ("127.0.0.1:7878", Place::Loopback),
            ("[::1]:7878", Place::Loopback),
            ("localhost", Place::Loopback),
            ("localhost.example.com", Place::Plain),
            ("10.0.0.7:7878", Place::Plain),
            ("", Place::Plain),
        ] {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_str(host).unwrap())]);
            assert_eq!(Place::of(&headers, public.as_ref()), expected, "{host}");
        }
        assert_eq!(PublicOrigin::of("http://localhost:7878"), None);
    }
}
