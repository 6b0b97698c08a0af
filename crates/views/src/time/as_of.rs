//! The past: which record an earlier moment is after, and the rows that were in force then.
//!
//! Each row stores the record it is valid from. A past row also stores the record that replaced it. So a look back is
//! a look into the tables of the past, beside the present ones, and nothing is replayed. What it costs beyond a look at
//! the present follows what has changed since about the very things looked at.

use grantbook_domain::{
    id::{GroupId, KeyId, OrgId},
    position::Position,
    principal::Grantee,
    time::Timestamp,
};

use crate::{
    history::audit::last_position,
    store::{
        encode::Take,
        error::ViewError,
        row::{HeadRow, KeyRow, MembershipRow},
        row_key::{self, Kind},
        snapshot::Snapshot,
        table::Table,
    },
};

/// Every so many records of an organization one is marked in `times`, from the first on.
pub(crate) const MARK_EVERY: u64 = 32;

/// A moment in an organization's life: after which record, and at which instant expiry is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The last record that counts; [`Position::START`] before the first.
    pub position: Position,
    /// What time it is.
    pub at: Timestamp,
}

/// When a moment was.
impl Snapshot {
    /// The moment of the record at `position`, or of the last one before it: its own time.
    pub fn moment_after(&self, org: OrgId, position: Position) -> Result<Moment, ViewError> {
        let mut end = row_key::at_position(org, self.bound(Some(position)).unwrap_or(position));
        // One byte more is the least key beyond: the end is exclusive.
        end.push(0);
        match self.range(Table::History, &row_key::org(org), Some(&end))?.next_back() {
            None => Ok(Moment { position: Position::START, at: Timestamp::from_millis(i64::MIN) }),
            Some(row) => {
                let (key, value) = row?;
                let position = last_position(Table::History, key.value())?;
                Ok(Moment { position, at: Take::new(Table::History, value.value()).time()? })
            }
        }
    }

    /// The moment at an instant: after the last record that is not later.
    pub fn moment_at(&self, org: OrgId, at: Timestamp) -> Result<Moment, ViewError> {
        let start = row_key::at_position(org, self.mark_before(org, at.plus_millis(1))?);
        let end = row_key::beyond(&row_key::org(org));
        let mut position = Position::START;
        for row in self.range(Table::History, &start, end.as_deref())? {
            let (key, value) = row?;
            if Take::new(Table::History, value.value()).time()? > at {
                break;
            }
            position = last_position(Table::History, key.value())?;
        }
        Ok(Moment { position: self.bound(Some(position)).unwrap_or(position), at })
    }

    /// The last mark in time before `at`; [`Position::START`] if there is none. Records do not step back in time, so that
    /// what lies at `at` is soon found from there on: see [`MARK_EVERY`].
    pub(crate) fn mark_before(&self, org: OrgId, at: Timestamp) -> Result<Position, ViewError> {
        let end = row_key::time(org, at, Position::START);
        let mark = self.range(Table::Times, &row_key::org(org), Some(&end))?.next_back();
        let mark = mark.map(|row| last_position(Table::Times, row?.0.value())).transpose()?;
        Ok(mark.unwrap_or(Position::START))
    }
}

/// Rows that were in force where the snapshot stands.
impl Snapshot {
    /// Looks at everything that `access` says of a grantee: what follows the grantee in the key, and the value.
    pub(crate) fn access_rows(
        &self,
        org: OrgId,
        grantee: Grantee,
        mut look: impl FnMut(Take<'_>, &[u8]) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        let node = row_key::node(org, grantee);
        let at = self.bound(None);
        for row in self.prefix(Table::Access, &node)? {
            let (key, value) = row?;
            if begun(value.value(), at)? {
                let mut key = Take::new(Table::Access, key.value());
                key.raw(node.len())?;
                look(key, value.value())?;
            }
        }
        let Some(at) = at else { return Ok(()) };
        let ended_since = row_key::versioned(&node, after(at));
        for row in self.range(Table::AccessPast, &ended_since, row_key::beyond(&node).as_deref())? {
            let (key, value) = row?;
            if begun(value.value(), Some(at))? {
                let mut key = Take::new(Table::AccessPast, key.value());
                key.raw(node.len())?;
                key.position()?;
                look(key, value.value())?;
            }
        }
        Ok(())
    }

    pub(crate) fn head(&self, org: OrgId, grantee: Grantee) -> Result<Option<HeadRow>, ViewError> {
        self.access_row(org, grantee, &row_key::head(org, grantee), HeadRow::decode)
    }

    pub(crate) fn membership_row(
        &self,
        org: OrgId,
        member: Grantee,
        group: GroupId,
    ) -> Result<Option<MembershipRow>, ViewError> {
        let key = row_key::membership(org, member, group);
        self.access_row(org, member, &key, MembershipRow::decode)
    }

    /// A key as it was. What a key is for, and its secret, never change: only when it ends does.
    pub(crate) fn key_row(&self, id: KeyId) -> Result<Option<KeyRow>, ViewError> {
        let Some(row) = self.row(Table::Keys, &row_key::key(id))? else { return Ok(None) };
        let row = KeyRow::decode(row.value())?;
        if self.bound(None).is_none() {
            return Ok(Some(row));
        }
        self.version(row.org, Kind::Key, &id.bytes(), |version| Ok((version.ended, version.until)))
            .map(|then| then.map(|(ended, until)| KeyRow { until, ended, ..row }))
    }

    fn access_row<T>(
        &self,
        org: OrgId,
        grantee: Grantee,
        key: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, ViewError>,
    ) -> Result<Option<T>, ViewError> {
        if self.bound(None).is_none() {
            return self.row(Table::Access, key)?.map(|row| decode(row.value())).transpose();
        }
        let node = row_key::node(org, grantee);
        let mut found = None;
        self.access_rows(org, grantee, |rest, value| {
            if key.strip_prefix(node.as_slice()) == Some(rest.rest()) {
                found = Some(decode(value)?);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// Whether a row of `access` held at a position already.
fn begun(value: &[u8], at: Option<Position>) -> Result<bool, ViewError> {
    let Some(at) = at else { return Ok(true) };
    Ok(Take::new(Table::Access, value).position()? <= at)
}

fn after(position: Position) -> Position {
    Position::from_u64(position.get().saturating_add(1))
}
