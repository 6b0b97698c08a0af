//! Where messages may be sent: to public addresses by https, and where the operator says. Against server-side request
//! forgery: every address that a name stands for is looked at, and the connection goes to one that was looked at.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use grantbook_domain::webhook::{Destination, Host};

use crate::http::network::Network;

/// One place that the operator allows, also if it is not public, also by plain http.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// A host by its name or address as the URL has it, on this port or on any.
    Host(Host, Option<u16>),
    /// All addresses of a network.
    Network(Network),
}

/// Everything that is allowed besides what is public.
#[derive(Debug, Clone, Default)]
pub struct Policy(Vec<Allowed>);

/// Why nothing is sent there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// An address of this machine or of a network that is not public.
    #[error("the address is not public, and no --webhook-allow names it")]
    NotPublic,
    /// Plain http.
    #[error("only https is allowed, but where --webhook-allow says otherwise")]
    NotHttps,
}

impl FromStr for Allowed {
    type Err = String;

    /// `host`, `host:port`, an address, `[v6]:port`, or `address/bits`.
    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}` is no host, host:port or network such as 10.0.0.0/8");
        if text.contains('/') {
            return text.parse().map(Self::Network).map_err(|_| fault());
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Host(Host::Address(address.to_canonical()), None));
        }
        // The reading of URLs is the strictest that there is.
        let read = Destination::parse(&format!("https://{text}")).map_err(|_| fault())?;
        if read.path != "/" || text.ends_with('/') {
            return Err(fault());
        }
        let named = text.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        Ok(Self::Host(canonical(read.host), named.then_some(read.port)))
    }
}

impl Policy {
    /// Of these places.
    pub fn new(allowed: Vec<Allowed>) -> Self {
        Self(allowed)
    }

    /// What can be said before a name is looked up: whether messages could ever be sent there.
    pub fn precheck(&self, to: &Destination) -> Result<(), Forbidden> {
        match &to.host {
            Host::Address(address) => self.admit(to, *address),
            Host::Name(_) if to.https || self.names(to) || self.has_networks() => Ok(()),
            Host::Name(_) => Err(Forbidden::NotHttps),
        }
    }

    /// All the addresses that a host stands for, if a connection may go to each of them.
    pub fn admit_all(
        &self,
        to: &Destination,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<Vec<SocketAddr>, Forbidden> {
        addresses
            .into_iter()
            .map(|address| {
                self.admit(to, address)?;
                Ok(SocketAddr::new(address, to.port))
            })
            .collect()
    }

    fn admit(&self, to: &Destination, address: IpAddr) -> Result<(), Forbidden> {
        let address = address.to_canonical();
        let in_network =
            |one: &Allowed| matches!(one, Allowed::Network(network) if network.contains(address));
        if self.names(to) || self.0.iter().any(in_network) {
            return Ok(());
        }
        if !is_public(address) {
            return Err(Forbidden::NotPublic);
        }
        if to.https { Ok(()) } else { Err(Forbidden::NotHttps) }
    }

    fn names(&self, to: &Destination) -> bool {
        let host = canonical(to.host.clone());
        self.0.iter().any(|one| match one {
            Allowed::Host(name, port) => *name == host && port.is_none_or(|port| port == to.port),
            Allowed::Network(_) => false,
        })
    }

    fn has_networks(&self) -> bool {
        self.0.iter().any(|one| matches!(one, Allowed::Network(_)))
    }
}

fn canonical(host: Host) -> Host {
    match host {
        Host::Address(address) => Host::Address(address.to_canonical()),
        name @ Host::Name(_) => name,
    }
}

/// Whether an address is one of the public internet. What is not known to be is not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The registry of special addresses (RFC 6890 and what was added since).
fn is_public_v4(address: Ipv4Addr) -> bool {
    const SPECIAL: [(Ipv4Addr, u8); 17] = [
        (Ipv4Addr::UNSPECIFIED, 8),
        (Ipv4Addr::new(10, 0, 0, 0), 8),
        (Ipv4Addr::new(100, 64, 0, 0), 10),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        // No special address by the registry, but each machine in Azure reaches its host by it.
        (Ipv4Addr::new(168, 63, 129, 16), 32),
        (Ipv4Addr::new(172, 16, 0, 0), 12),
        (Ipv4Addr::new(192, 0, 0, 0), 24),
        (Ipv4Addr::new(192, 0, 2, 0), 24),
        (Ipv4Addr::new(192, 31, 196, 0), 24),
        (Ipv4Addr::new(192, 52, 193, 0), 24),
        (Ipv4Addr::new(192, 88, 99, 0), 24),
        (Ipv4Addr::new(192, 168, 0, 0), 16),
        (Ipv4Addr::new(198, 18, 0, 0), 15),
        (Ipv4Addr::new(198, 51, 100, 0), 24),
        (Ipv4Addr::new(203, 0, 113, 0), 24),
        (Ipv4Addr::new(224, 0, 0, 0), 3),
    ];
    !SPECIAL.iter().any(|(network, bits)| Network::of((*network).into(), *bits).contains(address.into()))
}

/// Global unicast (`2000::/3`) without what stands for other addresses or for nothing: `2001::/23` with Teredo,
/// `2001:db8::/32`, `2002::/16` (6to4), `3fff::/20`. Addresses that embed IPv4 ones by NAT64 lie outside of it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let within = |network: [u16; 2], bits: u8| {
        let [first, second] = network;
        let network = Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0);
        Network::of(network.into(), bits).contains(address.into())
    };
    within([0x2000, 0], 3)
        && !within([0x2001, 0], 23)
        && !within([0x2001, 0xdb8], 32)
        && !within([0x2002, 0], 16)
        && !within([0x3fff, 0], 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(url: &str) -> Destination {
        Destination::parse(url).unwrap()
    }

    fn policy(allowed: &[&str]) -> Policy {
        Policy::new(allowed.iter().map(|one| one.parse().unwrap()).collect())
    }

    fn admits(policy: &Policy, url: &str, address: &str) -> Result<(), Forbidden> {
        policy.admit_all(&to(url), [address.parse().unwrap()]).map(drop)
    }

    #[test]
    fn what_is_not_public_is_refused() {
        let strict = Policy::default();
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "168.63.129.16",
            "192.0.0.192",
            "100.100.100.200",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "3fff::1",
            "4000::1",
        ] {
            assert_eq!(admits(&strict, "https://h/", address), Err(Forbidden::NotPublic), "{address}");
        }
        for address in [
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
            "2001:200::1",
        ] {
            assert_eq!(admits(&strict, "https://h/", address), Ok(()), "{address}");
            assert_eq!(admits(&strict, "http://h/", address), Err(Forbidden::NotHttps), "{address}");
        }
    }

    #[test]
    fn one_bad_address_of_a_name_is_enough() {
        let addresses = ["1.1.1.1", "127.0.0.1"].map(|address| address.parse().unwrap());
        assert_eq!(Policy::default().admit_all(&to("https://h/"), addresses), Err(Forbidden::NotPublic));
    }

    #[test]
    fn the_operator_allows_hosts_ports_and_networks() {
        let allowed =
            policy(&["hooks.internal", "Other.Internal:8080", "10.0.0.0/8", "127.0.0.1:9000", "fd00::/8"]);
        for (url, address, expected) in [
            ("http://hooks.internal/", "127.0.0.1", Ok(())),
            ("http://hooks.internal:81/", "192.168.0.1", Ok(())),
            ("http://other.internal:8080/", "192.168.0.1", Ok(())),
            ("http://other.internal/", "192.168.0.1", Err(Forbidden::NotPublic)),
            ("http://h/", "10.255.0.1", Ok(())),
            ("http://h/", "::ffff:10.255.0.1", Ok(())),
            ("http://h/", "11.0.0.1", Err(Forbidden::NotHttps)),
            ("https://h/", "fd12::1", Ok(())),
            ("http://127.0.0.1:9000/", "127.0.0.1", Ok(())),
            ("http://[::ffff:127.0.0.1]:9000/", "127.0.0.1", Ok(())),
            ("http://127.0.0.1:9001/", "127.0.0.1", Err(Forbidden::NotPublic)),
            ("http://sub.hooks.internal/", "127.0.0.1", Err(Forbidden::NotPublic)),
        ] {
            assert_eq!(admits(&allowed, url, address), expected, "{url} {address}");
        }
        assert_eq!(allowed.precheck(&to("http://unknown/")), Ok(()), "it may lie in an allowed network");
        assert_eq!(Policy::default().precheck(&to("http://unknown/")), Err(Forbidden::NotHttps));
        assert_eq!(Policy::default().precheck(&to("https://[::1]/")), Err(Forbidden::NotPublic));
        assert_eq!(policy(&["0.0.0.0/0"]).precheck(&to("http://127.0.0.1/")), Ok(()));
    }

    #[test]
    fn what_names_no_place_is_not_taken() {
        for text in
            ["", "10.0.0.0/33", "10.0/8", "::/129", "a/b", "http://a", "a b", "a:0", "a:x", "u@a", "a/", "*"]
        {
            assert!(text.parse::<Allowed>().is_err(), "{text}");
        }
    }
}
