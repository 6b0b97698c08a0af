//! Rows that a batch will write, over the rows that are there. Sorted by table and key they go in quickly.

use std::collections::{HashMap, hash_map::Entry};

use redb::WriteTransaction;

use crate::{digest::ViewDigest, error::ViewError, reader::Snapshot, table::Table};

/// What a batch changes; nothing is written before [`Changes::write`].
#[derive(Debug)]
pub(crate) struct Staged<'s> {
    below: &'s Snapshot,
    changes: Changes,
}

/// The changes of a batch, no longer bound to what lies below.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    tables: [Changed; Table::ALL.len()],
}

/// The changes of one table.
#[derive(Debug, Default)]
struct Changed {
    /// Rows that the batch itself may look at again; none: removed.
    rows: HashMap<Vec<u8>, Option<Vec<u8>>>,
    /// Rows that are written once and not looked at.
    added: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl<'s> Staged<'s> {
    pub(crate) fn over(below: &'s Snapshot) -> Self {
        Self { below, changes: Changes::default() }
    }

    /// The rows before this batch.
    pub(crate) fn below(&self) -> &'s Snapshot {
        self.below
    }

    /// The row as it stands in this batch.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        match self.changes.tables.get(table as usize).and_then(|changed| changed.rows.get(key)) {
            Some(staged) => Ok(staged.clone()),
            None => Ok(self.below.row(table, key)?.map(|cell| cell.value().to_vec())),
        }
    }

    /// The row as it stands in this batch, to be changed in place; none: there is no such row.
    pub(crate) fn edit(&mut self, table: Table, key: Vec<u8>) -> Result<&mut Option<Vec<u8>>, ViewError> {
        let changed = self.changes.tables.get_mut(table as usize);
        let changed = changed.ok_or_else(|| ViewError::bad_row(table.name(), "not among the tables"))?;
        Ok(match changed.rows.entry(key) {
            Entry::Occupied(staged) => staged.into_mut(),
            Entry::Vacant(vacant) => {
                let stored = self.below.row(table, vacant.key())?.map(|cell| cell.value().to_vec());
                vacant.insert(stored)
            }
        })
    }

    pub(crate) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.set(table, key, Some(value));
    }

    pub(crate) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.set(table, key, None);
    }

    /// A row whose key no other event has; not seen by [`Staged::get`].
    pub(crate) fn add(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        if let Some(changed) = self.changes.tables.get_mut(table as usize) {
            changed.added.push((key, Some(value)));
        }
    }

    pub(crate) fn into_changes(self) -> Changes {
        self.changes
    }

    fn set(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        if let Some(changed) = self.changes.tables.get_mut(table as usize) {
            changed.rows.insert(key, value);
        }
    }
}

impl Changes {
    /// The rows of a table that are put or removed, in no order; not those that are written once and not looked at.
    pub(crate) fn of(&self, table: Table) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let rows = self.tables.get(table as usize).into_iter().flat_map(|changed| &changed.rows);
        rows.map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// Writes everything, in the order of the keys; gives the digest of all rows, from that of the rows before.
    pub(crate) fn write(
        self,
        transaction: &WriteTransaction,
        mut digest: ViewDigest,
    ) -> Result<ViewDigest, ViewError> {
        for (table, changed) in Table::ALL.into_iter().zip(self.tables) {
            let mut rows = changed.added;
            rows.extend(changed.rows);
            if rows.is_empty() {
                continue;
            }
            rows.sort_unstable_by(|one, other| one.0.cmp(&other.0));
            let mut open = transaction.open_table(table.definition())?;
            for (key, value) in rows {
                let old = match &value {
                    Some(value) => open.insert(key.as_slice(), value.as_slice())?,
                    None => open.remove(key.as_slice())?,
                };
                if let Some(old) = old {
                    digest.take_off(table, &key, old.value());
                }
                if let Some(value) = value {
                    digest.add(table, &key, &value);
                }
            }
        }
        Ok(digest)
    }
}
