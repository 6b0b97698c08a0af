//! The view in memory, for checks alone: immutable, exact at its position, and quick to replace.
//!
//! Layout D of docs/adr/0012-an-image-in-memory.md: a principal has its direct groups, a group the sets that it and all
//! groups above it give. [`Image::build`] makes it from rows; a [`crate::ViewWriter`] that was told to keep one changes it
//! with every batch by the very rows that the batch wrote.

mod build;
mod check;
mod compiled_grants;
mod content;
mod homes;
mod project_bitset;
mod recompute;
mod rights_sets;
mod row;
mod rows;
mod shards;
mod sources;
mod updater;

use std::{hash::RandomState, sync::Arc};

use grantbook_domain::{
    access::check::Reason,
    catalog::Catalog,
    id::{KeyId, OrgId, ProjectId},
    model::KeyHash,
    position::Position,
    principal::{Caller, Principal},
    scope::ObjectRef,
    time::Timestamp,
};
use subtle::ConstantTimeEq as _;

pub(crate) use self::updater::Updater;
use self::{
    homes::Homes,
    row::{KeyEntry, PrincipalRow, ProjectSlot, Rights},
    rows::Rows,
    shards::{ById, IdKey, Shards},
};
use crate::access::authenticate::Authenticated;

/// What checks need of all organizations, as of one committed batch. Cheap to copy; a copy never changes.
#[derive(Debug, Clone, Default)]
pub struct Image {
    sequence: u64,
    orgs: ById<Option<Arc<OrgImage>>>,
    keys: ById<Option<KeyEntry>>,
}

/// One organization's part.
#[derive(Debug, Clone)]
struct OrgImage {
    id: OrgId,
    position: Position,
    /// Whether the organization was created: its singletons are there.
    founded: bool,
    catalog: Arc<Catalog>,
    users: ById<PrincipalRow>,
    tokens: ById<PrincipalRow>,
    /// The numbers of groups; also of some that are only spoken of.
    group_numbers: ById<Option<row::GroupNumber>>,
    groups: Rows<Arc<Rights>>,
    /// Whether a role lives.
    roles: ById<bool>,
    projects: ById<ProjectSlot>,
    /// By type and id.
    objects: Shards<Box<[u8]>, Homes, RandomState>,
}

impl Image {
    /// The living projects that have a living object of this type and id registered, as [`crate::Checker::homes`] finds them.
    pub fn homes(&self, org: OrgId, object: &ObjectRef) -> Vec<ProjectId> {
        self.org(org).map_or_else(Vec::new, |org| org.living_homes(&object.object_type, &object.id).collect())
    }

    /// Recognizes a presented secret, as [`crate::Snapshot::authenticate`] does.
    pub fn authenticate(&self, key: KeyId, hash: &KeyHash, now: Timestamp) -> Result<Authenticated, Reason> {
        let known = self.key(key);
        let expected = known.map_or([0; 32], |known| known.hash);
        let equal: bool = expected.ct_eq(&hash.0).into();
        let known = self.active_key(known.filter(|_| equal).ok_or(Reason::UnknownKey)?, now)?;
        let row = self.org(known.org).and_then(|org| org.principal(known.principal));
        check::active(row, now)?;
        let caller = Caller { principal: known.principal, key: Some(key) };
        Ok(Authenticated { org: known.org, caller })
    }

    /// Whose key it is, living or ended; none if the organization has no such.
    pub fn key_holder(&self, org: OrgId, key: KeyId) -> Option<Principal> {
        self.key(key).filter(|known| known.org == org).map(|known| known.principal)
    }

    /// The sequence of the last frame in it, of any organization; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The position of the organization's last record; [`Position::START`] before its first.
    pub fn position(&self, org: OrgId) -> Position {
        self.org(org).map_or(Position::START, |org| org.position)
    }

    fn org(&self, org: OrgId) -> Option<&OrgImage> {
        self.orgs.get(&org.bytes())?.as_deref()
    }

    fn key(&self, key: KeyId) -> Option<&KeyEntry> {
        self.keys.get(&key.bytes())?.as_ref()
    }
}

impl OrgImage {
    fn new(id: OrgId) -> Self {
        Self {
            id,
            position: Position::START,
            founded: false,
            catalog: Arc::default(),
            users: Shards::default(),
            tokens: Shards::default(),
            group_numbers: Shards::default(),
            groups: Rows::default(),
            roles: Shards::default(),
            projects: Shards::default(),
            objects: Shards::default(),
        }
    }

    fn principal(&self, principal: Principal) -> Option<&PrincipalRow> {
        match principal {
            Principal::User(id) => self.users.get(&id.bytes()),
            Principal::Token(id) => self.tokens.get(&id.bytes()),
        }
    }

    fn group_lives(&self, id: &IdKey) -> bool {
        let number = self.group_numbers.get(id).copied().flatten();
        number.and_then(|number| self.groups.get(number)).is_some_and(|rights| rights.lives)
    }
}
