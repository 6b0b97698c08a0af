//! A fingerprint of a view's content, to compare a rebuilt view with an incremental one.

use grantbook_domain::id::OrgId;

use sha2::{Digest as _, Sha256};

use crate::{error::ViewError, reader::Snapshot, row_key, table::Table};

impl Snapshot {
    /// SHA-256 over every row of every table, in order, but for what the file says of itself; of one organization, or of all.
    pub fn digest(&self, org: Option<OrgId>) -> Result<[u8; 32], ViewError> {
        let mut hash = Sha256::new();
        for table in Table::ALL {
            hash.update(table.name());
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
                    add(&mut hash, key.value());
                    add(&mut hash, value.value());
                }
            }
        }
        Ok(hash.finalize().into())
    }
}

fn add(hash: &mut Sha256, bytes: &[u8]) {
    hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(bytes);
}
