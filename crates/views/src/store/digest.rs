//! A fingerprint of a view's content that costs what a batch changes: a sum over its rows (docs/adr/0017-a-digest-that-is-a-sum.md).
//!
//! The writer keeps the sum beside the checkpoint, in the transaction of the rows themselves. A scan of all rows must
//! give the same: whatever changes the file behind the writer's back shows there.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::store::table::Table;

/// The sum, modulo 2^256, of a hash of every row. Equal content has equal digests, whatever the batches were; that two views
/// which differ by accident agree is as likely as a guess of 256 bits. It proves nothing against somebody who chooses rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ViewDigest {
    /// The least significant first.
    words: [u64; 4],
}

impl ViewDigest {
    /// From its 32 bytes, the most significant first.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut words = [0; 4];
        for (word, chunk) in words.iter_mut().rev().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_be_bytes(*chunk);
        }
        Self { words }
    }

    /// The 32 bytes, the most significant first.
    pub fn bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.words.iter().rev()) {
            *chunk = word.to_be_bytes();
        }
        bytes
    }

    /// From 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            if !pair.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
                return None;
            }
            *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self::from_bytes(bytes))
    }

    /// A row came.
    pub(crate) fn add(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.join(Self::row(table, key, value));
    }

    /// A row went.
    pub(crate) fn take_off(&mut self, table: Table, key: &[u8], value: &[u8]) {
        let mut borrow = false;
        for (word, less) in self.words.iter_mut().zip(Self::row(table, key, value).words) {
            (*word, borrow) = word.borrowing_sub(less, borrow);
        }
    }

    /// The rows of another sum came.
    pub fn join(&mut self, other: Self) {
        let mut carry = false;
        for (word, more) in self.words.iter_mut().zip(other.words) {
            (*word, carry) = word.carrying_add(more, carry);
        }
    }

    /// SHA-256 over the table's name, and key and value, so that no two rows hash the same bytes.
    fn row(table: Table, key: &[u8], value: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(table.name());
        hash.update([0]);
        hash.update(u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(key);
        hash.update(value);
        Self::from_bytes(hash.finalize().into())
    }
}

impl fmt::Display for ViewDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.words.iter().rev().try_for_each(|word| write!(f, "{word:016x}"))
    }
}

impl fmt::Debug for ViewDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ViewDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ViewDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(&text), &"64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_and_taken_off_in_any_order_leaves_nothing() {
        let mut digest = ViewDigest::default();
        let rows: Vec<_> = (0_u8..50).map(|n| (vec![n, 7], vec![n; usize::from(n)])).collect();
        for (key, value) in &rows {
            digest.add(Table::Things, key, value);
        }
        assert_ne!(digest, ViewDigest::default());
        for (key, value) in rows.iter().rev() {
            digest.take_off(Table::Things, key, value);
        }
        assert_eq!(digest, ViewDigest::default());
    }

    #[test]
    fn where_a_row_stands_and_where_its_key_ends_count() {
        let of = |table, key: &[u8], value: &[u8]| {
            let mut digest = ViewDigest::default();
            digest.add(table, key, value);
            digest
        };
        let one = of(Table::Things, b"ab", b"c");
        assert_ne!(one, of(Table::Things, b"a", b"bc"));
        assert_ne!(one, of(Table::Access, b"ab", b"c"));
        assert_eq!(ViewDigest::parse(&one.to_string()), Some(one));
        assert_eq!(ViewDigest::from_bytes(one.bytes()), one);
        assert_eq!(ViewDigest::parse(&one.to_string().to_uppercase()), None);
    }
}
