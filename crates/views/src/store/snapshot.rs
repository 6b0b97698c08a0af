//! Snapshots, on which many questions get agreeing answers.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use grantbook_domain::{
    catalog::{Catalog, TypeDefinition},
    id::OrgId,
    position::Position,
    time::Timestamp,
};
use redb::{AccessGuard, Database, Range, ReadOnlyTable, ReadTransaction, ReadableDatabase};
use serde::{Deserialize, Serialize};

use crate::store::{
    encode::{Put, Take},
    error::ViewError,
    leads::{Leads, LeadsOf},
    row::Version,
    row_key::{self, Kind},
    table::{META, META_CHECKPOINT, META_SEQUENCE, Table},
};
use crate::work::Work;

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;
pub(crate) type Cell = AccessGuard<'static, &'static [u8]>;

/// Rows between two keys. Each step is a unit of work.
pub(crate) struct RowRange {
    rows: Range<'static, &'static [u8], &'static [u8]>,
    work: Option<Work>,
}

impl RowRange {
    fn counted(
        work: Option<&Work>,
        row: Result<(Cell, Cell), redb::StorageError>,
    ) -> Result<(Cell, Cell), ViewError> {
        work.map_or(Ok(()), |work| work.spend(1))?;
        Ok(row?)
    }
}

impl Iterator for RowRange {
    type Item = Result<(Cell, Cell), ViewError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next().map(|row| Self::counted(self.work.as_ref(), row))
    }
}

impl DoubleEndedIterator for RowRange {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.rows.next_back().map(|row| Self::counted(self.work.as_ref(), row))
    }
}

/// What writer and readers share.
pub(crate) struct Shared {
    /// What the last committed batch left, once somebody looked: readers share it, with the tables that it has open.
    latest: RwLock<Option<Arc<Pinned>>>,
    pub(crate) db: Database,
    /// Catalogs by the position that made them: they hardly ever change, and every check needs one.
    catalogs: RwLock<HashMap<(OrgId, Position), Arc<Catalog>>>,
    /// What the last page of "who can" went through, for the next one.
    leads: RwLock<Option<Arc<Leads>>>,
}

impl Shared {
    pub(crate) fn new(db: Database) -> Self {
        let (latest, catalogs, leads) = (RwLock::default(), RwLock::default(), RwLock::default());
        Self { latest, db, catalogs, leads }
    }

    /// Call this after each commit, before the commit is announced: the next reader then takes the new state.
    pub(crate) fn look_anew(&self) {
        let old = self.latest.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(old);
    }

    fn latest(&self) -> Result<Arc<Pinned>, ViewError> {
        if let Some(latest) = self.latest.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return Ok(Arc::clone(latest));
        }
        // Looked at under the lock: what is older than a commit is not put here after the writer has emptied the slot.
        let mut slot = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = slot.as_ref() {
            return Ok(Arc::clone(latest));
        }
        let latest = Arc::new(Pinned { transaction: self.db.begin_read()?, tables: Default::default() });
        *slot = Some(Arc::clone(&latest));
        Ok(latest)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The view as of one committed batch; later commits do not change it. Cheap, but keeps old pages while it lives.
///
/// [`Snapshot::as_of`] gives the same as it was after an earlier record: every answer is then as it was.
#[derive(Clone)]
pub struct Snapshot {
    pinned: Arc<Pinned>,
    shared: Arc<Shared>,
    /// What was made after this record is not seen, what ended after it is; none: everything is as it is.
    as_of: Option<Position>,
    /// Counts the rows that are looked at, if they are counted.
    work: Option<Work>,
}

/// What one committed batch left.
struct Pinned {
    transaction: ReadTransaction,
    tables: [OnceLock<Rows>; Table::ALL.len()],
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("as_of", &self.as_of).finish_non_exhaustive()
    }
}

/// What is known of an organization as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its id.
    pub id: OrgId,
    /// Its name.
    pub name: String,
    /// When it began.
    pub created_at: Timestamp,
}

/// Everything that was added to a catalog, in order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct CatalogAdditions {
    pub(crate) object_types: Vec<TypeDefinition>,
    pub(crate) permissions: Vec<String>,
}

impl CatalogAdditions {
    /// From the row of `things` that holds them; empty if there is none.
    pub(crate) fn of(row: Option<&[u8]>) -> Result<Self, ViewError> {
        let additions = row.map(|bytes| parse(Table::Things, Version::decode(bytes)?.document));
        additions.transpose().map(Option::unwrap_or_default)
    }

    /// The built-in catalog with them.
    pub(crate) fn catalog(&self) -> Catalog {
        let mut catalog = Catalog::default();
        catalog.extend(&self.object_types, &self.permissions);
        catalog
    }
}

/// Where an organization's records stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrgRow {
    pub(crate) last: Position,
    pub(crate) ordinal: u64,
    pub(crate) at: Timestamp,
}

impl OrgRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Put::new(24).position(self.last).u64(self.ordinal).time(self.at).done()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ViewError> {
        let mut take = Take::new(Table::Orgs, bytes);
        Ok(Self { last: take.position()?, ordinal: take.u64()?, at: take.time()? })
    }
}

/// Which position is looked at.
impl Snapshot {
    /// The view as of the last committed batch.
    pub(crate) fn latest(shared: &Arc<Shared>) -> Result<Self, ViewError> {
        Ok(Self { pinned: shared.latest()?, shared: Arc::clone(shared), as_of: None, work: None })
    }

    /// The same view as it was after the record at `position`, or the last one before it. Goes back only: of a view as of
    /// an earlier position, a later one is that earlier one.
    pub fn as_of(&self, position: Position) -> Self {
        Self { as_of: self.bound(Some(position)), ..self.clone() }
    }

    /// The same view, which counts each look at a row as a unit of this work, and looks at no more once the work is ended.
    pub fn metered(&self, work: &Work) -> Self {
        Self { work: Some(work.clone()), ..self.clone() }
    }

    /// Counts units of what looks at no rows, such as a loop over pairs of grants.
    pub fn spend(&self, units: u64) -> Result<(), ViewError> {
        self.work.as_ref().map_or(Ok(()), |work| work.spend(units))
    }

    /// The earlier of a position and the one that the whole snapshot is as of; none: the present.
    pub(crate) fn bound(&self, at: Option<Position>) -> Option<Position> {
        match (self.as_of, at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

/// Where the view stands.
impl Snapshot {
    /// The sequence of the last frame applied, of any organization; 0 before the first.
    pub fn sequence(&self) -> Result<u64, ViewError> {
        let Some(bytes) = self.meta(META_SEQUENCE)? else { return Ok(0) };
        bytes
            .try_into()
            .map(u64::from_be_bytes)
            .map_err(|_| ViewError::bad_row("view_meta", "sequence has not 8 bytes"))
    }

    /// What the writer's caller put beside the last batch; empty before the first.
    pub fn checkpoint(&self) -> Result<Vec<u8>, ViewError> {
        Ok(self.meta(META_CHECKPOINT)?.unwrap_or_default())
    }

    /// What the file says of itself under a name.
    pub(crate) fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, ViewError> {
        let meta = self.pinned.transaction.open_table(META)?;
        Ok(meta.get(name)?.map(|bytes| bytes.value().to_vec()))
    }

    /// The position of the organization's last record; [`Position::START`] before its first.
    pub fn position(&self, org: OrgId) -> Result<Position, ViewError> {
        match self.bound(None) {
            Some(at) => Ok(self.moment_after(org, at)?.position),
            None => Ok(self.org_row(org)?.map_or(Position::START, |row| row.last)),
        }
    }

    /// Every organization, by id.
    pub fn organizations(&self) -> Result<Vec<Organization>, ViewError> {
        self.orgs()?.into_iter().filter_map(|org| self.organization(org).transpose()).collect()
    }

    /// The id of every organization, in order.
    pub(crate) fn orgs(&self) -> Result<Vec<OrgId>, ViewError> {
        self.range(Table::Orgs, &[], None)?.map(|row| Take::new(Table::Orgs, row?.0.value()).id()).collect()
    }

    /// One organization.
    pub fn organization(&self, org: OrgId) -> Result<Option<Organization>, ViewError> {
        self.document(org, Kind::Organization, &org.bytes())
    }

    /// The organization's permissions and object types; the built-in ones if it is unknown.
    pub fn catalog(&self, org: OrgId) -> Result<Arc<Catalog>, ViewError> {
        let version = self.version(org, Kind::Catalog, &org.bytes(), |version| Ok(version.from))?;
        let version = version.unwrap_or(Position::START);
        let known = &self.shared.catalogs;
        let held = known.read().unwrap_or_else(PoisonError::into_inner).get(&(org, version)).cloned();
        if let Some(catalog) = held {
            return Ok(catalog);
        }
        let additions: Option<CatalogAdditions> = self.document(org, Kind::Catalog, &org.bytes())?;
        let catalog = Arc::new(additions.unwrap_or_default().catalog());
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert((org, version), Arc::clone(&catalog));
        Ok(catalog)
    }

    /// What was last gone through, if it was for the same question.
    pub(crate) fn leads(&self, of: &LeadsOf) -> Option<Arc<Leads>> {
        let last = self.shared.leads.read().unwrap_or_else(PoisonError::into_inner).clone();
        last.filter(|last| last.of == *of)
    }

    /// Keeps it for the next page, instead of what was kept before.
    pub(crate) fn keep_leads(&self, leads: &Arc<Leads>) {
        let mut slot = self.shared.leads.write().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Arc::clone(leads));
    }

    pub(crate) fn org_row(&self, org: OrgId) -> Result<Option<OrgRow>, ViewError> {
        self.row(Table::Orgs, &row_key::org(org))?.map(|bytes| OrgRow::decode(bytes.value())).transpose()
    }
}

/// Rows as they are stored; only what is said to be of the present or of the past heeds [`Snapshot::as_of`].
impl Snapshot {
    pub(crate) fn row(&self, table: Table, key: &[u8]) -> Result<Option<Cell>, ViewError> {
        self.spend(1)?;
        Ok(self.table(table)?.get(key)?)
    }

    /// The rows from `start` on, up to `end` exclusive.
    pub(crate) fn range(
        &self,
        table: Table,
        start: &[u8],
        end: Option<&[u8]>,
    ) -> Result<RowRange, ViewError> {
        let rows = self.table(table)?;
        let rows = match end {
            Some(end) => rows.range::<&[u8]>(start..end)?,
            None => rows.range::<&[u8]>(start..)?,
        };
        Ok(RowRange { rows, work: self.work.clone() })
    }

    /// The rows whose key begins with `prefix`.
    pub(crate) fn prefix(&self, table: Table, prefix: &[u8]) -> Result<RowRange, ViewError> {
        self.range(table, prefix, row_key::beyond(prefix).as_deref())
    }

    /// Looks at the version of a thing that is in force, at the position that the snapshot is as of.
    pub(crate) fn version<T>(
        &self,
        org: OrgId,
        kind: Kind,
        id: &[u8],
        look: impl FnOnce(&Version<'_>) -> Result<T, ViewError>,
    ) -> Result<Option<T>, ViewError> {
        self.version_at(&row_key::thing(org, kind, id), None, look)
    }

    pub(crate) fn document<T: for<'de> Deserialize<'de>>(
        &self,
        org: OrgId,
        kind: Kind,
        id: &[u8],
    ) -> Result<Option<T>, ViewError> {
        self.version(org, kind, id, |version| parse(Table::Things, version.document))
    }

    fn table(&self, table: Table) -> Result<&Rows, ViewError> {
        let slot = self.pinned.tables.get(table as usize);
        let slot = slot.ok_or_else(|| ViewError::bad_row(table.name(), "not among the tables"))?;
        if let Some(rows) = slot.get() {
            return Ok(rows);
        }
        let rows = self.pinned.transaction.open_table(table.definition())?;
        Ok(slot.get_or_init(|| rows))
    }
}

pub(crate) fn parse<T: for<'de> Deserialize<'de>>(table: Table, json: &[u8]) -> Result<T, ViewError> {
    serde_json::from_slice(json).map_err(|error| ViewError::bad_row(table.name(), error.to_string()))
}
