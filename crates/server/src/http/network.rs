//! Networks of addresses, such as `10.0.0.0/8`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// Bits of an IPv6 address that come before an IPv4 address that is mapped into it (RFC 4291, section 2.5.5.2).
const MAPPED: u8 = 96;

/// All addresses that begin with so many bits of this one. An IPv4 address and the IPv6 address that it is mapped to are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network such as 10.0.0.0/8, and no address")]
pub struct BadNetwork(String);

impl Network {
    /// The addresses that begin with the first `bits` of `address`; all bits if there are fewer.
    pub const fn of(address: IpAddr, bits: u8) -> Self {
        Self { address, bits }
    }

    /// Whether an address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.bits);
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differs = network.to_bits() ^ address.to_bits();
                differs.checked_shr(32_u32.saturating_sub(bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differs = network.to_bits() ^ address.to_bits();
                differs.checked_shr(128_u32.saturating_sub(bits)).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    fn mapped(address: Ipv6Addr, bits: u8) -> Self {
        match address.to_canonical() {
            v4 @ IpAddr::V4(_) if bits >= MAPPED => Self::of(v4, bits - MAPPED),
            IpAddr::V4(_) | IpAddr::V6(_) => Self::of(address.into(), bits),
        }
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    /// `address/bits`, or an address alone.
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let fault = || BadNetwork(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits =
            bits.map_or(Ok(most), |bits| bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(fault))?;
        Ok(match address {
            IpAddr::V4(_) => Self::of(address, bits),
            IpAddr::V6(address) => Self::mapped(address, bits),
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_contains_what_begins_as_it_does() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("10.0.0.7", "10.0.0.7", "10.0.0.6"),
            ("10.0.0.7/31", "10.0.0.6", "10.0.0.8"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("::/0", "::1", "1.2.3.4"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::1", "::1", "::2"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
        ] {
            assert!(network(text).contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(!network(text).contains(outside.parse().unwrap()), "{text} {outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_not_taken() {
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0/8",
            "a/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            "localhost",
            "10.0.0.1:80",
        ] {
            assert_eq!(text.parse::<Network>(), Err(BadNetwork(text.to_owned())), "{text}");
        }
    }

    proptest! {
        /// Bit by bit, from the left.
        #[test]
        fn an_address_lies_in_a_network_if_its_first_bits_are_the_same(network: u32, flip in 0..32_u32, bits in 0..=32_u8) {
            let address = IpAddr::V4((network ^ 1 << flip).into());
            let first = 31 - flip;
            let expected = first >= u32::from(bits);
            prop_assert_eq!(Network::of(IpAddr::V4(network.into()), bits).contains(address), expected);
        }
    }
}
