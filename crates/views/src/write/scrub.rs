//! Reading every row, and comparing their sum with the one that the writer keeps.

use grantbook_domain::id::OrgId;

use crate::store::{
    digest::ViewDigest,
    error::ViewError,
    row_key,
    snapshot::Snapshot,
    table::{META_DIGEST, Table},
};

/// Rows between two calls of the scan's `pace`.
const PACE_ROWS: u64 = 4096;

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
    use crate::{
        ViewWriter,
        store::{batch::Staged, table::META},
    };

    /// Without a cache every read goes to the file: what is changed there under a running writer is seen.
    #[test]
    fn damage_under_a_running_writer_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("view.redb");
        let mut builder = redb::Database::builder();
        let db = builder.set_cache_size(0).create(&path).unwrap();
        let writer = ViewWriter::fresh(db, InstallationId::from_u128(1)).unwrap();
        let snapshot = writer.reader().snapshot().unwrap();
        let mut staged = Staged::over(&snapshot, None);
        for n in 0..5000_u16 {
            let value = b"a value that is long enough to be found".to_vec();
            staged.add(Table::History, n.to_be_bytes().to_vec(), value);
        }
        let changes = staged.into_changes();
        let transaction = writer.shared.db.begin_write().unwrap();
        let digest = changes.write(&transaction, writer.digest()).unwrap();
        transaction.open_table(META).unwrap().insert(META_DIGEST, digest.bytes().as_slice()).unwrap();
        transaction.commit().unwrap();
        writer.shared.look_anew();
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
