//! The URL under which clients reach this server, as its operator says it: the only source of URLs that we tell.

use std::{fmt, str::FromStr};

/// Hosts that may be reached without TLS: nothing leaves the machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// `https://HOST[:PORT][/PATH]` without a slash at the end, or `http` to this machine itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    /// Bytes before the path.
    origin: usize,
}

/// The text is not such a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPublicUrl {
    /// Neither `https` nor to this machine.
    #[error("the public URL must begin with https:// (http:// is for localhost only)")]
    Scheme,
    /// No host, a user, a query, a fragment, or characters that do not belong into a URL.
    #[error("the public URL must be https://HOST[:PORT][/PATH], without user, query and fragment")]
    Form,
}

impl PublicUrl {
    /// The path, without a slash at the end; empty if there is none.
    pub fn path(&self) -> &str {
        self.text.split_at_checked(self.origin).map_or("", |(_, path)| path)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for PublicUrl {
    type Err = NotAPublicUrl;

    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let text = text.trim_end_matches('/');
        let (scheme, rest) = text.split_once("://").ok_or(NotAPublicUrl::Scheme)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~%:[]/".contains(c);
        let port_of = |authority: &str| match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host.to_owned(), Some(port.to_owned())),
            _ => (authority.to_owned(), None),
        };
        let (host, port) = port_of(authority);
        let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let good_path =
            !path.contains(['[', ']', ':']) && path.split('/').all(|part| !matches!(part, "." | ".."));
        if host.is_empty() || !rest.chars().all(is_plain) || !good_port || !good_path {
            return Err(NotAPublicUrl::Form);
        }
        match scheme {
            "https" => {}
            "http" if LOOPBACK.contains(&host.as_str()) => {}
            _ => return Err(NotAPublicUrl::Scheme),
        }
        Ok(Self { text: text.to_owned(), origin: scheme.len() + "://".len() + authority.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_with_or_without_a_path_is_taken() {
        for (text, shown, path) in [
            ("https://pdp.example.com", "https://pdp.example.com", ""),
            ("https://pdp.example.com/", "https://pdp.example.com", ""),
            ("https://pdp.example.com:8443/t1/", "https://pdp.example.com:8443/t1", "/t1"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", ""),
            ("https://[2001:db8::1]/a/b", "https://[2001:db8::1]/a/b", "/a/b"),
            ("http://127.0.0.1:7878", "http://127.0.0.1:7878", ""),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.path()), (shown, path));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "pdp.example.com",
            "http://pdp.example.com",
            "ftp://pdp.example.com",
            "https://",
            "https:///x",
            "https://a b",
            "https://user@host",
            "https://host?x=1",
            "https://host#x",
            "https://host:0",
            "https://host:99999",
            "https://host:x",
            "https://host/../x",
            "https://caf\u{e9}",
            "http://localhost.evil.example",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
