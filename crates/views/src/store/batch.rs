//! Rows that a batch will write, over the rows that are there. Sorted by table and key they go in quickly.

use std::collections::HashMap;

use redb::WriteTransaction;

use crate::{
    store::{digest::ViewDigest, error::ViewError, snapshot::Snapshot, table::Table},
    work::{ROWS_A_TURN, give_way},
};

/// What a batch changes; nothing is written before [`Changes::write`].
#[derive(Debug)]
pub(crate) struct Staged<'s> {
    below: &'s Snapshot,
    /// The batch before, if what lies below may not have it yet.
    ahead: Option<&'s Changes>,
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
    added: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'s> Staged<'s> {
    pub(crate) fn over(below: &'s Snapshot, ahead: Option<&'s Changes>) -> Self {
        Self { below, ahead, changes: Changes::default() }
    }

    /// The row as it stands in this batch.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        match self.changes.rows(table).and_then(|rows| rows.get(key)) {
            Some(staged) => Ok(staged.clone()),
            None => self.before(table, key),
        }
    }

    /// The row as it stands in this batch, to be changed in place; none: there is no such row.
    pub(crate) fn edit(&mut self, table: Table, key: Vec<u8>) -> Result<&mut Option<Vec<u8>>, ViewError> {
        let known = self.changes.rows(table).is_some_and(|rows| rows.contains_key(&key));
        let before = if known { None } else { self.before(table, &key)? };
        let changed = self.changes.tables.get_mut(table as usize);
        let changed = changed.ok_or_else(|| ViewError::bad_row(table.name(), "not among the tables"))?;
        Ok(changed.rows.entry(key).or_insert(before))
    }

    /// The row before this batch.
    fn before(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        match self.ahead.and_then(|ahead| ahead.rows(table)).and_then(|rows| rows.get(key)) {
            Some(ahead) => Ok(ahead.clone()),
            None => Ok(self.below.row(table, key)?.map(|cell| cell.value().to_vec())),
        }
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
            changed.added.push((key, value));
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
        let rows = self.rows(table).into_iter().flatten();
        rows.map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// The rows that are put, or removed.
    fn rows(&self, table: Table) -> Option<&HashMap<Vec<u8>, Option<Vec<u8>>>> {
        self.tables.get(table as usize).map(|changed| &changed.rows)
    }

    /// Writes everything, in the order of the keys; gives the digest of all rows, from that of the rows before.
    pub(crate) fn write(
        &self,
        transaction: &WriteTransaction,
        mut digest: ViewDigest,
    ) -> Result<ViewDigest, ViewError> {
        for (table, changed) in Table::ALL.into_iter().zip(&self.tables) {
            let mut rows: Vec<(&[u8], Option<&[u8]>)> = Vec::with_capacity(changed.len());
            rows.extend(changed.added.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice()))));
            rows.extend(self.of(table));
            if rows.is_empty() {
                continue;
            }
            rows.sort_unstable_by_key(|(key, _)| *key);
            let mut open = transaction.open_table(table.definition())?;
            for (number, (key, value)) in rows.into_iter().enumerate() {
                give_way(number, ROWS_A_TURN);
                let old = match value {
                    Some(value) => open.insert(key, value)?,
                    None => open.remove(key)?,
                };
                if let Some(old) = old {
                    digest.take_off(table, key, old.value());
                }
                if let Some(value) = value {
                    digest.add(table, key, value);
                }
            }
        }
        Ok(digest)
    }
}

impl Changed {
    fn len(&self) -> usize {
        self.rows.len().saturating_add(self.added.len())
    }
}
