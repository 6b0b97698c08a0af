//! What answers many questions on one snapshot at one instant.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
};

use grantbook_domain::{
    access::check::Reason,
    catalog::Catalog,
    id::{GroupId, OrgId, ProjectId, RoleId},
    principal::{Grantee, Principal},
    state::Block,
    time::Timestamp,
};

use crate::{
    access::grantee_rows::Node,
    store::{
        error::ViewError,
        row::{ProjectRow, RoleRow},
        snapshot::Snapshot,
    },
};

/// Answers many questions on one snapshot at one instant, sharing what it looks up.
#[derive(Debug)]
pub struct Checker<'s> {
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) org: OrgId,
    pub(crate) now: Timestamp,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) reached: HashMap<Principal, Rc<[Rc<Node>]>>,
    /// Every group above those who are directly in these.
    pub(crate) above: HashMap<Vec<GroupId>, Rc<[Rc<Node>]>>,
    pub(crate) nodes: HashMap<Grantee, Rc<Node>>,
    pub(crate) roles: BTreeMap<RoleId, Rc<[Block]>>,
    pub(crate) role_rows: HashMap<RoleId, Option<Rc<RoleRow>>>,
    pub(crate) projects: HashMap<ProjectId, Option<Rc<ProjectRow>>>,
    /// What sets of projects are about, once one was asked for: every living project.
    pub(crate) every_project: Option<Rc<[Rc<ProjectRow>]>>,
}

/// Why a check goes no further: it is answered, or the view failed.
#[derive(Debug)]
pub(crate) enum Stop {
    Because(Reason),
    Failed(ViewError),
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Because(reason)
    }
}

impl<E: Into<ViewError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Snapshot {
    /// Starts answering questions at `now`.
    pub fn checker(&self, org: OrgId, now: Timestamp) -> Result<Checker<'_>, ViewError> {
        Ok(Checker {
            snapshot: self,
            org,
            now,
            catalog: self.catalog(org)?,
            reached: HashMap::new(),
            above: HashMap::new(),
            nodes: HashMap::new(),
            roles: BTreeMap::new(),
            role_rows: HashMap::new(),
            projects: HashMap::new(),
            every_project: None,
        })
    }
}

impl Checker<'_> {
    /// Counts units of what looks at no rows, such as a walk over memberships.
    pub(crate) fn spend(&self, units: usize) -> Result<(), ViewError> {
        self.snapshot.spend(units as u64)
    }
}
