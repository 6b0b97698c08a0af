//! The text of a key: made once, shown once, and recognized by its checksum before anything is looked up.
//!
//! `gb_st_` or `gb_pk_`, 22 characters of key id, `_`, 43 characters of secret, 6 characters of CRC-32 over all
//! that precedes; every character of the three in base62. Only the SHA-256 of the 43 is ever kept.

use std::fmt;

use grantbook_domain::{id::KeyId, model::KeyHash, principal::Principal};
use sha2::{Digest, Sha256};

use grantbook_journal::stamp::ids::{NoRandomness, fill};

/// `0-9`, `A-Z`, `a-z`: double-clicked as one word, in a URL as in a shell.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: usize = 6;
/// 62^22 is more than 2^128.
const ID: usize = 22;
/// 62^43 is more than 2^256.
const SECRET: usize = 43;
/// 62^6 is more than 2^32.
const CHECKSUM: usize = 6;
/// Everything before the secret part: prefix, id and underscore.
const HEAD: usize = PREFIX + ID + 1;
/// Every key has so many characters.
pub const KEY_LENGTH: usize = HEAD + SECRET + CHECKSUM;

/// Whose a key says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// A service token's.
    Token,
    /// A user's: a personal key.
    User,
}

/// A key in full: for the one answer that shows it. Neither printed nor compared nor kept.
pub struct Secret {
    text: String,
    hash: KeyHash,
}

/// A presented key that is well-formed: what is left of it once its secret part has been hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedKey {
    /// Whose it says it is.
    pub kind: KeyKind,
    /// Its id.
    pub id: KeyId,
    /// SHA-256 of its secret part.
    pub hash: KeyHash,
}

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It does not have the form of one.
    #[error("not a key")]
    Malformed,
    /// It has the form, but a character is wrong.
    #[error("the key's checksum is wrong")]
    Checksum,
}

impl KeyKind {
    /// The kind of key that a principal has.
    pub const fn of(principal: Principal) -> Self {
        match principal {
            Principal::User(_) => Self::User,
            Principal::Token(_) => Self::Token,
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Token => "gb_st_",
            Self::User => "gb_pk_",
        }
    }
}

impl Secret {
    /// Makes a key's text with a secret from the operating system.
    pub fn mint(kind: KeyKind, id: KeyId) -> Result<Self, NoRandomness> {
        let secret = random_digits()?;
        let hash = hash(secret.as_bytes());
        let mut text = format!("{}{}_{secret}", kind.prefix(), base62(id.uuid().as_u128(), ID));
        let checksum = base62(u128::from(crc32fast::hash(text.as_bytes())), CHECKSUM);
        text.push_str(&checksum);
        Ok(Self { text, hash })
    }

    /// What is kept of it.
    pub const fn hash(&self) -> KeyHash {
        self.hash
    }

    /// The text itself: for the answer that shows it, and for nothing else.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(****)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl ParsedKey {
    /// Reads a presented key. The checksum is looked at before anything else.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (payload, checksum) = split(text.as_bytes(), KEY_LENGTH - CHECKSUM)?;
        if text.len() != KEY_LENGTH || !payload.iter().all(|byte| is_digit(*byte) || *byte == b'_') {
            return Err(KeyError::Malformed);
        }
        let checksum = number(checksum).ok_or(KeyError::Malformed)?;
        if checksum != u128::from(crc32fast::hash(payload)) {
            return Err(KeyError::Checksum);
        }
        let (prefix, rest) = split(payload, PREFIX)?;
        let (id, rest) = split(rest, ID)?;
        let Some((b'_', secret)) = rest.split_first() else { return Err(KeyError::Malformed) };
        if !secret.iter().all(|byte| is_digit(*byte)) {
            return Err(KeyError::Malformed);
        }
        let kind =
            [KeyKind::Token, KeyKind::User].into_iter().find(|kind| kind.prefix().as_bytes() == prefix);
        let kind = kind.ok_or(KeyError::Malformed)?;
        let id = number(id).map(KeyId::from_u128).ok_or(KeyError::Malformed)?;
        Ok(Self { kind, id, hash: hash(secret) })
    }
}

/// How a key is shown where it must not be given: by its public part.
pub fn preview(kind: KeyKind, id: KeyId) -> String {
    format!("{}{}_...", kind.prefix(), base62(id.uuid().as_u128(), ID))
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), KeyError> {
    bytes.split_at_checked(at).ok_or(KeyError::Malformed)
}

fn hash(secret: &[u8]) -> KeyHash {
    KeyHash(Sha256::digest(secret).into())
}

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// The number in so many digits, zeros in front.
fn base62(mut number: u128, digits: usize) -> String {
    let mut text = vec![b'0'; digits];
    for place in text.iter_mut().rev() {
        *place = digit(usize::try_from(number % 62).unwrap_or_default());
        number /= 62;
    }
    text.into_iter().map(char::from).collect()
}

/// The number that the digits stand for, if they are digits and it has at most 128 bits.
fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, byte| {
        let value = DIGITS.iter().position(|digit| digit == byte)?;
        number.checked_mul(62)?.checked_add(value as u128)
    })
}

fn digit(value: usize) -> u8 {
    DIGITS.get(value).copied().unwrap_or_default()
}

/// Each digit equally likely: bytes from 248 on, which 62 does not divide evenly, are thrown away.
fn random_digits() -> Result<String, NoRandomness> {
    const FAIR: u8 = 248;
    let mut text = String::with_capacity(SECRET);
    let mut bytes = [0; 64];
    while text.len() < SECRET {
        fill(&mut bytes)?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        let missing = SECRET - text.len();
        text.extend(fair.map(|byte| char::from(digit(usize::from(byte % 62)))).take(missing));
    }
    Ok(text)
}

pub mod scan;
#[cfg(test)]
mod tests;
