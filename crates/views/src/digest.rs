//! A fingerprint of a view's content that costs what a batch changes: a sum over its rows (docs/adr/0017-a-digest-that-is-a-sum.md).
//!
//! The writer keeps the sum beside the checkpoint, in the transaction of the rows themselves. A scan of all rows must
//! give the same: whatever changes the file behind the writer's back shows there.

use std::fmt;

use grantbook_domain::id::OrgId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::{
    error::ViewError,
    reader::Snapshot,
    row_key,
    table::{META_DIGEST, Table},
};

/// Rows between two calls of the scan's `pace`.
const PACE_ROWS: u64 = 4096;

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
        let mut carry = false;
        for (word, more) in self.words.iter_mut().zip(Self::row(table, key, value).words) {
            (*word, carry) = word.carrying_add(more, carry);
        }
    }

    /// A row went.
    pub(crate) fn take_off(&mut self, table: Table, key: &[u8], value: &[u8]) {
        let mut borrow = false;
        for (word, less) in self.words.iter_mut().zip(Self::row(table, key, value).words) {
            (*word, borrow) = word.borrowing_sub(less, borrow);
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

impl Snapshot {
    /// The sum over every row of every table, by a scan; of one organization, or of all.
    pub fn digest(&self, org: Option<OrgId>) -> Result<ViewDigest, ViewError> {
        let mut digest = ViewDigest::default();
        for table in Table::ALL {
            let prefix = match (table, org) {
                (Table::Keys, _) | (_, None) => Vec::new(),
                (_, Some(org)) => row_key::org(org),
            };
            for row in self.prefix(table, &prefix)? {
                let (key, value) = row?;
                // Keys of secrets are found across organizations: theirs stands in the value.
                let foreign =
                    table == Table::Keys && org.is_some_and(|org| !value.value().starts_with(&org.bytes()));
                if !foreign {
                    digest.add(table, key.value(), value.value());
                }
            }
        }
        Ok(digest)
    }

    /// The sum that the writer keeps beside the rows.
    pub fn kept_digest(&self) -> Result<ViewDigest, ViewError> {
        let bytes = self.meta(META_DIGEST)?;
        let bytes = bytes.as_deref().and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or_else(|| ViewError::bad_row("view_meta", "the digest has not 32 bytes"))?;
        Ok(ViewDigest::from_bytes(bytes))
    }

    /// Reads every row and compares their sum with the one that is kept; gives how many rows there are.
    ///
    /// `pace` is told how many rows were read, every few thousand of them; it may sleep, and ends the scan with an error
    /// of [`ViewError::Interrupted`] by answering false. The file keeps old pages meanwhile.
    pub fn scrub(&self, mut pace: impl FnMut(u64) -> bool) -> Result<u64, ViewError> {
        let (mut found, mut rows) = (ViewDigest::default(), 0_u64);
        for table in Table::ALL {
            for row in self.range(table, &[], None)? {
                let (key, value) = row?;
                found.add(table, key.value(), value.value());
                rows = rows.saturating_add(1);
                if rows.is_multiple_of(PACE_ROWS) && !pace(rows) {
                    return Err(ViewError::Interrupted);
                }
            }
        }
        let kept = self.kept_digest()?;
        if found == kept { Ok(rows) } else { Err(ViewError::Diverged { kept, found }) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use grantbook_domain::id::InstallationId;

    use super::*;
    use crate::{ViewWriter, staged::Staged, table::META};

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

    /// Without a cache every read goes to the file: what is changed there under a running writer is seen.
    #[test]
    fn damage_under_a_running_writer_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("view.redb");
        let mut builder = redb::Database::builder();
        let db = builder.set_cache_size(0).create(&path).unwrap();
        let writer = ViewWriter::fresh(db, InstallationId::from_u128(1)).unwrap();
        let snapshot = writer.reader().snapshot().unwrap();
        let mut staged = Staged::over(&snapshot);
        for n in 0..5000_u16 {
            let value = b"a value that is long enough to be found".to_vec();
            staged.add(Table::History, n.to_be_bytes().to_vec(), value);
        }
        let changes = staged.into_changes();
        let transaction = writer.shared.db.begin_write().unwrap();
        let digest = changes.write(&transaction, writer.digest()).unwrap();
        transaction.open_table(META).unwrap().insert(META_DIGEST, digest.bytes().as_slice()).unwrap();
        transaction.commit().unwrap();
        let scrub = || writer.reader().snapshot().unwrap().scrub(|_| true);
        assert_eq!(scrub().unwrap(), 5000);
        let stopped = writer.reader().snapshot().unwrap().scrub(|_| false);
        assert!(matches!(stopped, Err(ViewError::Interrupted)));
        let file = std::fs::read(&path).unwrap();
        let place = file.windows(11).rposition(|bytes| bytes == b"to be found").unwrap();
        let open = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        open.write_all_at(b"T", u64::try_from(place).unwrap()).unwrap();
        assert!(matches!(scrub(), Err(ViewError::Diverged { .. })), "{:?}", scrub());
    }
}
