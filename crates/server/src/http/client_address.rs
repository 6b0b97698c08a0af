//! Who the client is where proxies stand before this process: `X-Forwarded-For` and `Forwarded` (RFC 7239), as far as proxies
//! that the operator trusts wrote them.

use std::{net::IpAddr, sync::Arc};

use axum::http::{HeaderMap, HeaderName, header::FORWARDED};

use crate::http::network::Network;

/// The header that proxies append the address of their peer to.
pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client whom a request is from: an extension of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// The networks whose proxies are believed; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[Network]>);

impl TrustedProxies {
    /// In these networks.
    pub fn new(networks: &[Network]) -> Self {
        Self(networks.into())
    }

    /// The client of a request that `peer` sent. An IPv4 address that is mapped into IPv6 is told as IPv4.
    ///
    /// A proxy appends the address of its own peer. So the chain is believed from its right end, as far as each that wrote
    /// an entry is trusted: the first address that is not is the client. A hop that is no address ends the chain. If the two
    /// headers lead to different clients, neither is believed, because a proxy that knows one of them passes on what a client
    /// wrote into the other.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if self.0.is_empty() || !self.trusts(peer) {
            return peer;
        }
        let told =
            headers.contains_key(X_FORWARDED_FOR).then(|| self.follow(peer, &x_forwarded_for(headers)));
        let standard = headers.contains_key(FORWARDED).then(|| self.follow(peer, &forwarded(headers)));
        match (told, standard) {
            (None, None) => peer,
            (Some(client), None) | (None, Some(client)) => client,
            (Some(told), Some(standard)) if told == standard => told,
            (Some(_), Some(_)) => peer,
        }
    }

    /// The first hop from the right that is not trusted.
    fn follow(&self, peer: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut client = peer;
        for hop in hops.iter().rev() {
            let Some(address) = hop else { return client };
            client = *address;
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The hops of all lines, which are one list (RFC 9110, section 5.3); none for one that is no address.
fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(X_FORWARDED_FOR).into_iter().map(|line| line.to_str().unwrap_or("?"));
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|hop| !hop.is_empty()).map(address).collect()
}

/// The same of `Forwarded`, whose elements name the client as `for=` (RFC 7239, section 4).
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED).into_iter().map(|line| line.to_str().unwrap_or("?"));
    let elements = lines.flat_map(|line| outside_quotes(line, ','));
    elements
        .map(|element| element.trim().to_owned())
        .filter(|element| !element.is_empty())
        .map(|element| node(&element))
        .collect()
}

/// The address that an element names, if it names one, once.
fn node(element: &str) -> Option<IpAddr> {
    let mut named = outside_quotes(element, ';').into_iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().to_owned())
    });
    let (value, again) = (named.next()?, named.next());
    // No address needs a character that is escaped.
    let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&value);
    if again.is_some() { None } else { address(bare) }
}

/// The parts between separators that stand in no quoted string (RFC 9110, section 5.6.4).
fn outside_quotes(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for letter in text.chars() {
        if letter == separator && !quoted {
            parts.push(String::new());
            continue;
        }
        if letter == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && letter == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts
}

/// `1.2.3.4`, `::1`, `[::1]`, the first and the last with a port.
fn address(hop: &str) -> Option<IpAddr> {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    let address = match hop.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let address = address.parse().ok().map(IpAddr::V6)?;
            (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(address)?
        }
        None => match hop.split_once(':') {
            Some((address, port)) if is_port(port) && address.contains('.') => {
                IpAddr::V4(address.parse().ok()?)
            }
            _ => hop.parse().ok()?,
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn proxies(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::new(&networks.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        headers
    }

    fn client(peer: &str, lines: &[(HeaderName, &str)]) -> String {
        let proxies = proxies(&["10.0.0.0/8", "fd00::/8"]);
        proxies.client(peer.parse().unwrap(), &headers(lines)).to_string()
    }

    #[test]
    fn x_forwarded_for_is_believed_as_far_as_those_who_wrote_it_are_trusted() {
        for (peer, lines, expected) in [
            ("10.0.0.1", &[][..], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7"][..], "203.0.113.7"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
            ("10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("fd00::1", &["[2001:db8::1]:80"], "2001:db8::1"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["198.51.100.1 ,203.0.113.7,  10.9.9.9"], "203.0.113.7"),
            ("10.0.0.1", &["198.51.100.1", "203.0.113.7, 10.9.9.9", "10.8.8.8"], "203.0.113.7"),
            ("10.0.0.1", &["10.1.1.1, 10.9.9.9"], "10.1.1.1"),
            ("10.0.0.1", &["203.0.113.7,, ,10.9.9.9,"], "203.0.113.7"),
            // Nobody whom this process trusts wrote it.
            ("192.0.2.1", &["203.0.113.7"], "192.0.2.1"),
            ("192.0.2.1", &["10.0.0.1"], "192.0.2.1"),
            ("::ffff:192.0.2.1", &["10.0.0.1"], "192.0.2.1"),
            // What is no address ends the chain.
            ("10.0.0.1", &["203.0.113.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7, nonsense, 10.9.9.9"], "10.9.9.9"),
            ("10.0.0.1", &["caf\u{e9}"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7:x"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7:+80"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7:70000"], "10.0.0.1"),
            ("10.0.0.1", &["[2001:db8::1"], "10.0.0.1"),
            ("10.0.0.1", &["[2001:db8::1]80"], "10.0.0.1"),
            ("10.0.0.1", &["[1.2.3.4]"], "10.0.0.1"),
            ("10.0.0.1", &["fe80::1%eth0"], "10.0.0.1"),
            ("10.0.0.1", &["1.2.3"], "10.0.0.1"),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| (X_FORWARDED_FOR, *line)).collect();
            assert_eq!(client(peer, &lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn forwarded_is_believed_likewise() {
        for (lines, expected) in [
            (&["for=203.0.113.7"][..], "203.0.113.7"),
            (&["For=\"203.0.113.7:4711\";proto=https"][..], "203.0.113.7"),
            (&["proto=http; by=10.0.0.1; for=\"[2001:db8::1]:80\""], "2001:db8::1"),
            (&["for=198.51.100.1, for=203.0.113.7;by=\"a,b;c\", for=10.9.9.9"], "203.0.113.7"),
            (&["for=198.51.100.1;host=\"a\\\",for=10.1.1.1\"", "for=10.9.9.9"], "198.51.100.1"),
            (&["for=203.0.113.7, for=_hidden"], "10.0.0.1"),
            (&["for=203.0.113.7, for=unknown, for=10.9.9.9"], "10.9.9.9"),
            (&["for=203.0.113.7, proto=https"], "10.0.0.1"),
            (&["for=203.0.113.7;for=198.51.100.1"], "10.0.0.1"),
            (&["203.0.113.7"], "10.0.0.1"),
            (&["for=\"203.0.113.7"], "10.0.0.1"),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| (FORWARDED, *line)).collect();
            assert_eq!(client("10.0.0.1", &lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn headers_that_disagree_are_not_believed() {
        let both = |told, standard| client("10.0.0.1", &[(X_FORWARDED_FOR, told), (FORWARDED, standard)]);
        assert_eq!(both("203.0.113.7", "for=203.0.113.7"), "203.0.113.7");
        assert_eq!(both("203.0.113.7, 10.9.9.9", "for=203.0.113.7"), "203.0.113.7");
        assert_eq!(both("203.0.113.7", "for=198.51.100.1"), "10.0.0.1");
        assert_eq!(both("203.0.113.7", "for=unknown"), "10.0.0.1");
        assert_eq!(both("", "for=203.0.113.7"), "10.0.0.1");
    }

    #[test]
    fn who_trusts_nobody_believes_nobody() {
        let client = TrustedProxies::default()
            .client("10.0.0.1".parse().unwrap(), &headers(&[(X_FORWARDED_FOR, "203.0.113.7")]));
        assert_eq!(client.to_string(), "10.0.0.1");
    }

    proptest! {
        /// By its definition: the leftmost address to whose right all are addresses, and trusted.
        #[test]
        fn the_client_is_the_leftmost_address_that_only_trusted_ones_vouch_for(
            hops in proptest::collection::vec(0..4_u8, 0..8), peer in 0..2_u8, lines in 1..4_usize,
        ) {
            const WORDS: [&str; 4] = ["192.0.2.1", "10.0.0.1", "fd00::2", "nonsense"];
            let words: Vec<&str> = hops.iter().map(|hop| WORDS[usize::from(*hop)]).collect();
            let peer = WORDS[usize::from(peer)];
            let mut map = HeaderMap::new();
            for line in words.chunks(lines) {
                map.append(X_FORWARDED_FOR, HeaderValue::from_str(&line.join(", ")).unwrap());
            }
            let chain: Vec<&str> = words.iter().copied().chain([peer]).collect();
            let is_address = |word: &&str| *word != "nonsense";
            let is_trusted = |word: &&str| is_address(word) && *word != "192.0.2.1";
            let expected = (0..chain.len()).find(|at| {
                is_address(&chain[*at]) && chain[at + 1..].iter().all(is_trusted)
            });
            let proxies = proxies(&["10.0.0.0/8", "fd00::/8"]);
            let found = proxies.client(peer.parse().unwrap(), &map).to_string();
            prop_assert_eq!(found, chain[expected.unwrap()]);
        }
    }
}
