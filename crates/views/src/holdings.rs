//! What a caller holds, for questions about whole scopes; containment itself is the domain's.

use std::{cell::RefCell, sync::Arc};

use grantbook_domain::{
    authority::{Holding, Holdings, Narrow},
    form::Ground,
    id::{OrgId, ProjectId},
    model::{Effect, Grant, Project, RegisteredObject},
    principal::Caller,
    scope::ObjectRef,
    state::Block,
    time::Timestamp,
};

use crate::{
    check::{Checker, Stop},
    document::Document as _,
    error::ViewError,
    reader::Snapshot,
    row::ObjectRow,
    row_key::Kind,
};

impl Snapshot {
    /// Whether the caller may see the grant: see [`Holdings::sees_grant`].
    pub fn may_read_grant(
        &self,
        org: OrgId,
        caller: Caller,
        grant: &Grant,
        now: Timestamp,
    ) -> Result<bool, ViewError> {
        let holdings = self.holdings(org, caller, now)?;
        self.sees_grant(org, &holdings, grant)
    }

    /// What reaches the caller at `now`, cut by the narrowing of its key; nothing if it is not active. For questions about
    /// now: `until` is the grant's own expiry, not that of the path to it, so nothing may be conferred by it.
    pub fn holdings(&self, org: OrgId, caller: Caller, now: Timestamp) -> Result<Holdings, ViewError> {
        match self.checker(org, now)?.holdings(caller) {
            Ok(holdings) => Ok(holdings),
            Err(Stop::Because(_)) => Ok(Holdings::default()),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Whether a caller with these holdings sees the grant.
    pub fn sees_grant(&self, org: OrgId, holdings: &Holdings, grant: &Grant) -> Result<bool, ViewError> {
        let catalog = self.catalog(org)?;
        // The domain asks through closures that cannot fail: a failure is kept and outranks the answer.
        let failed = RefCell::new(None);
        let project =
            |id: ProjectId| keep(&failed, self.get::<Project>(org, &id)).filter(|row| row.ended_at.is_none());
        let home = |object: &ObjectRef| {
            let id = RegisteredObject::id_bytes(object);
            let row = keep(&failed, self.version(org, Kind::Object, &id, ObjectRow::decode));
            row.filter(|row| !row.ended).and_then(|row| row.project)
        };
        let project = |id| project(id).map(Arc::new);
        let ground = Ground { catalog: &catalog, project: &project, home: &home };
        let held = holdings.sees_grant(&ground, grant);
        failed.take().map_or(Ok(held), Err)
    }
}

fn keep<T>(failed: &RefCell<Option<ViewError>>, found: Result<Option<T>, ViewError>) -> Option<T> {
    found.unwrap_or_else(|error| {
        failed.replace(Some(error));
        None
    })
}

impl Checker<'_> {
    fn holdings(&mut self, caller: Caller) -> Result<Holdings, Stop> {
        let reached = self.reached(caller.principal)?;
        let mut holdings = Holdings::default();
        if let Some(id) = caller.key {
            let key = self.snapshot.key_row(id)?.filter(|key| key.org == self.org);
            holdings.narrow = key
                .and_then(|key| key.narrow)
                .map(|narrow| Narrow { permissions: narrow.permissions, on: narrow.on });
        }
        for node in reached.iter() {
            for grant in &node.grants {
                if self.now >= grant.until || !self.grant_stands(grant)? {
                    continue;
                }
                let cut = |block: &Block| Block { types: block.types.intersect(grant.types), ..*block };
                let blocks =
                    self.blocks(grant)?.iter().map(cut).filter(|block| !block.types.is_empty()).collect();
                let holding = Holding { scope: grant.scope.clone(), blocks, until: grant.until };
                match grant.effect {
                    Effect::Allow => holdings.allows.push(holding),
                    Effect::Deny => holdings.denies.push(holding),
                }
            }
        }
        Ok(holdings)
    }
}
