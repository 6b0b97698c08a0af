//! What a caller holds, for questions about whole scopes; containment itself is the domain's.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    sync::Arc,
};

use grantbook_domain::{
    access::{
        authority::{Holding, Holdings, Narrow},
        containment::ScopeContext,
    },
    catalog::{Permission, PermissionSet, TypeSet},
    id::{KeyId, OrgId, ProjectId},
    limits::WorkCounter,
    model::{Effect, Grant, Project},
    principal::{Caller, Grantee, Principal},
    scope::Scope,
    state::{Block, concern::KeyOfConcern},
    time::Timestamp,
};

use crate::{
    access::{
        checker::{Checker, Stop},
        grantee_rows::Node,
    },
    store::{
        encode::Take,
        error::ViewError,
        row::{KeyRow, NarrowRow},
        row_key::List,
        snapshot::Snapshot,
        table::Table,
    },
};

/// What was found of keys that are not narrowed, by issuer, principal and end: it is the same for all of them.
type Alike = BTreeMap<(Principal, Principal, Timestamp), bool>;

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

    /// What reaches the caller at `now`, cut by the narrowing of its key; nothing if it is not active.
    pub fn holdings(&self, org: OrgId, caller: Caller, now: Timestamp) -> Result<Holdings, ViewError> {
        match self.checker(org, now)?.holdings(caller) {
            Ok(holdings) => Ok(holdings),
            Err(Stop::Because(_)) => Ok(Holdings::default()),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Whether a caller with these holdings sees the grant.
    pub fn sees_grant(&self, org: OrgId, holdings: &Holdings, grant: &Grant) -> Result<bool, ViewError> {
        self.on_ground(org, |ground| holdings.sees_grant(ground, grant))
    }

    /// Whether a caller with these holdings holds the permission on everything there is or could be.
    pub fn holds_everywhere(
        &self,
        org: OrgId,
        holdings: &Holdings,
        permission: Permission,
    ) -> Result<bool, ViewError> {
        self.on_ground(org, |ground| holdings.holds(ground, permission, TypeSet::ALL, &Scope::Organization))
    }

    /// Runs `ask` with what is known of projects.
    fn on_ground<T>(&self, org: OrgId, ask: impl FnOnce(&ScopeContext<'_>) -> T) -> Result<T, ViewError> {
        let catalog = self.catalog(org)?;
        // The domain asks through closures that cannot fail: a failure is kept and outranks the answer.
        let failed = RefCell::new(None);
        let project =
            |id: ProjectId| keep(&failed, self.get::<Project>(org, &id)).filter(|row| row.ended_at.is_none());
        let project = |id| project(id).map(Arc::new);
        let work = WorkCounter::unlimited();
        let answer = ask(&ScopeContext { catalog: &catalog, project: &project, work: &work });
        failed.take().map_or(Ok(answer), Err)
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
        let mut holdings = self.holdings_of(caller.principal, Timestamp::FOREVER)?;
        if let Some(id) = caller.key {
            let key = self.snapshot.key_row(id)?.filter(|key| key.org == self.org);
            let narrow = key.and_then(|key| key.narrow);
            holdings.narrow = narrow.map(|narrow| self.narrow(narrow)).transpose()?;
        }
        Ok(holdings)
    }

    /// One to an object that ended leaves nothing.
    fn narrow(&mut self, narrow: NarrowRow) -> Result<Narrow, ViewError> {
        let NarrowRow { permissions, on, generation } = narrow;
        let stands = on.as_ref().map_or(Ok(true), |scope| self.scope_stands(scope, generation))?;
        Ok(Narrow { permissions: if stands { permissions } else { PermissionSet::EMPTY }, on })
    }

    /// What reaches the principal, each until the earliest expiry on its best path and `until` at the latest.
    fn holdings_of(&mut self, principal: Principal, until: Timestamp) -> Result<Holdings, Stop> {
        let mut holdings = Holdings::default();
        for (node, until) in self.reached_until(principal, until)? {
            for grant in &node.grants {
                if self.now >= grant.until || !self.grant_stands(grant)? {
                    continue;
                }
                let cut = |block: &Block| Block { types: block.types.intersect(grant.types), ..*block };
                let blocks =
                    self.blocks(grant)?.iter().map(cut).filter(|block| !block.types.is_empty()).collect();
                let (id, scope, until) = (Some(grant.id), grant.scope.clone(), until.min(grant.until));
                let holding = Holding { grant: id, scope, blocks, until };
                match grant.effect {
                    Effect::Allow => holdings.allows.push(holding),
                    Effect::Deny => holdings.denies.push(holding),
                }
            }
        }
        Ok(holdings)
    }

    /// The principal and every group that it is in now, each with the latest instant until which it stays so: widest paths, as
    /// [`grantbook_domain::state::OrgState::reached_from`] finds them.
    fn reached_until(
        &mut self,
        principal: Principal,
        until: Timestamp,
    ) -> Result<Vec<(Rc<Node>, Timestamp)>, Stop> {
        let own = self.active(principal)?;
        let until = until.min(own.head.map_or(Timestamp::FOREVER, |head| head.until));
        let mut reached = BTreeMap::from([(own.of, until)]);
        let mut open = VecDeque::from([own.of]);
        while let Some(member) = open.pop_front() {
            let so_far = reached.get(&member).copied().unwrap_or(self.now);
            for (group, row) in &self.node(member)?.memberships {
                let (group, until) = (Grantee::Group(*group), so_far.min(row.until));
                let better = reached.get(&group).is_none_or(|known| *known < until);
                if self.now < until && better && self.node(group)?.lives() {
                    reached.insert(group, until);
                    open.push_back(group);
                }
            }
        }
        reached.into_iter().map(|(grantee, until)| Ok((self.node(grantee)?, until))).collect()
    }

    /// The working keys of a principal whose issuer could not give today what the key can do, by key: the same as
    /// [`grantbook_domain::state::OrgState::keys_of_concern`].
    pub fn keys_of_concern(&mut self, principal: Principal) -> Result<Vec<KeyOfConcern>, ViewError> {
        match self.active(principal) {
            Ok(_) => {}
            Err(Stop::Because(_)) => return Ok(Vec::new()),
            Err(Stop::Failed(error)) => return Err(error),
        }
        let (snapshot, org) = (self.snapshot, self.org);
        let mut keys: Vec<KeyId> = Vec::new();
        snapshot.each(org, List::KeysOf(principal), snapshot.position(org)?, |entry| {
            keys.push(Take::new(Table::Lists, entry.id).id()?);
            Ok(())
        })?;
        keys.sort();
        let (mut found, mut alike) = (Vec::new(), BTreeMap::new());
        for key in keys {
            let Some(row) = snapshot.key_row(key)? else { continue };
            match snapshot.require_working(&row, self.now) {
                Ok(()) => {}
                Err(Stop::Because(_)) => continue,
                Err(Stop::Failed(error)) => return Err(error),
            }
            let issued_by = row.issuer.by;
            if self.concerns(row, &mut alike)? {
                found.push(KeyOfConcern { key, issued_by });
            }
        }
        Ok(found)
    }

    fn concerns(&mut self, row: KeyRow, alike: &mut Alike) -> Result<bool, ViewError> {
        let mut until = row.until;
        let mut open = Some(row);
        while let Some(row) = open {
            let with = row.issuer.with;
            if !self.could_issue(row, until, alike)? {
                return Ok(true);
            }
            // What was issued with a key may outlive it.
            until = Timestamp::FOREVER;
            open = with.map(|with| self.snapshot.key_row(with)).transpose()?.flatten();
        }
        Ok(false)
    }

    /// Whether the issuer could give what the key can do until then.
    fn could_issue(&mut self, row: KeyRow, until: Timestamp, alike: &mut Alike) -> Result<bool, ViewError> {
        let Some(issuer) = row.issuer.by.principal().filter(|issuer| *issuer != row.principal) else {
            return Ok(true);
        };
        let (is_narrowed, place) = (row.narrow.is_some(), (issuer, row.principal, until));
        if let Some(found) = alike.get(&place).filter(|_| !is_narrowed) {
            return Ok(*found);
        }
        let nothing = |held| match held {
            Ok(held) => Ok(held),
            Err(Stop::Because(_)) => Ok(Holdings::default()),
            Err(Stop::Failed(error)) => Err(error),
        };
        let lasting = match self.active(row.principal) {
            Ok(node) => node.head.map_or(Timestamp::FOREVER, |head| head.until),
            // Who is no longer active can do nothing.
            Err(Stop::Because(_)) => return Ok(true),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let held = nothing(self.holdings_of(issuer, Timestamp::FOREVER))?;
        let given = nothing(self.holdings_of(row.principal, lasting.min(until)))?.allows;
        let narrow = row.narrow.map(|narrow| self.narrow(narrow)).transpose()?;
        let found = self.snapshot.on_ground(self.org, |ground| match row.principal {
            Principal::User(_) => held.may_issue_for_others(ground),
            Principal::Token(_) => held.excess(ground, &given, narrow.as_ref()).is_none(),
        })?;
        if !is_narrowed {
            alike.insert(place, found);
        }
        Ok(found)
    }
}
