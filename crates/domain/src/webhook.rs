//! Webhooks: where messages about events and changes of access are sent. A webhook confers no access; its signing secret
//! is derived from a key that no journal holds, so that what stands here is no secret.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::{
    id::WebhookId,
    text::{TextFault, require_no_key},
    time::Timestamp,
};

/// Most living webhooks of an organization.
pub const WEBHOOKS_MAX: usize = 32;
/// Longest URL of a webhook, in bytes.
pub const URL_MAX_BYTES: usize = 2048;
/// Longest time that a former secret signs too, in seconds: a year.
pub const GRACE_MAX_SECONDS: u64 = 366 * 24 * 60 * 60;
/// The names of messages about changes of effective access.
pub const CHANGE_NAMES: [&str; 2] = ["AccessGained", "AccessLost"];

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// An event of a record.
    Record,
    /// A change of effective access that a record caused.
    Change,
}

/// Which secret signs: derived from the webhook's id, this key and this generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// Names the key that it is derived from; tells nothing about it.
    pub key: String,
    /// From 1, one more with each rotation.
    pub generation: u32,
    /// Signs before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Where messages are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// As [`Destination::parse`] takes it.
    pub url: String,
    /// Only messages of these names; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Messages of these kinds, sorted; at least one.
    pub kinds: Vec<MessageKind>,
    /// What the webhook is for, in its author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether messages are sent; those of the time between are sent once it is enabled again.
    pub enabled: bool,
    /// What signs.
    pub signer: Signer,
    /// What signed before, and signs too until its `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Signer>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl Webhook {
    /// Whether a message of this kind and name is wanted.
    pub fn wants(&self, kind: MessageKind, name: &str) -> bool {
        self.kinds.contains(&kind) && (self.events.is_empty() || self.events.iter().any(|one| one == name))
    }
}

/// The parts of a webhook's URL. One strict reading for deciding and for sending: what readers of URLs might take
/// differently is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Whether by TLS.
    pub https: bool,
    /// A name, lower-cased, or an address.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
}

/// The destination host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// By name.
    Name(String),
    /// By address.
    Address(IpAddr),
}

impl Destination {
    /// Reads `https://host[:port][/path][?query]`, or the same with `http`: printable ASCII, no user or password, no
    /// fragment, addresses in their usual form only.
    pub fn parse(url: &str) -> Result<Self, TextFault> {
        if url.len() > URL_MAX_BYTES {
            return Err(TextFault::TooLong(URL_MAX_BYTES));
        }
        require_no_key(url)?;
        Self::read(url).ok_or(TextFault::NotAUrl)
    }

    fn read(url: &str) -> Option<Self> {
        if url.bytes().any(|byte| !byte.is_ascii_graphic() || b"\\#\"<>^`{|}".contains(&byte)) {
            return None;
        }
        let (https, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, rest) => (false, rest?),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let (host, port) = host_and_port(authority)?;
        let port = match port {
            None if https => 443,
            None => 80,
            Some(digits) => port_number(digits)?,
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        Some(Self { https, host, port, path: format!("{slash}{path}") })
    }
}

fn host_and_port(authority: &str) -> Option<(Host, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
        return Some((Host::Address(address.into()), port));
    }
    let (name, port) = match authority.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (authority, None),
    };
    Some((host(name)?, port))
}

/// A name whose last label could be a number is an address, or nothing: some readers take `0x7f000001` for one.
fn host(name: &str) -> Option<Host> {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return None;
    }
    let last = name.rsplit('.').next()?;
    if last.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(Host::Address(name.parse::<Ipv4Addr>().ok()?.into()));
    }
    Some(Host::Name(name.to_ascii_lowercase()))
}

fn port_number(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port != 0)
}
