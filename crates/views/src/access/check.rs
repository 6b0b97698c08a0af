//! The answer to a check, from rows. The order of the questions asked here is that of the domain's [`Reason`].

use grantbook_domain::{
    access::check::{Question, Reason},
    catalog::Permission,
    id::{KeyId, OrgId},
    model::Effect,
    principal::Principal,
    time::Timestamp,
};

use crate::{
    access::{
        checker::{Checker, Stop},
        locate::Place,
    },
    store::{
        error::ViewError,
        row::{GrantRow, KeyRow, NarrowRow},
        snapshot::Snapshot,
    },
};

/// A question whose parts are all known.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) principal: Principal,
    pub(crate) permission: Permission,
    pub(crate) place: Place,
    pub(crate) narrow: Option<NarrowRow>,
}

impl Snapshot {
    /// Answers one question.
    pub fn check(&self, org: OrgId, question: &Question<'_>, now: Timestamp) -> Result<Reason, ViewError> {
        self.checker(org, now)?.check(question)
    }
}

impl Checker<'_> {
    /// May the question's principal do it? The same as the domain's fold says at the snapshot's position.
    pub fn check(&mut self, question: &Question<'_>) -> Result<Reason, ViewError> {
        match self.judge(question) {
            Ok(()) => Ok(Reason::Granted),
            Err(Stop::Because(reason)) => Ok(reason),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn judge(&mut self, question: &Question<'_>) -> Result<(), Stop> {
        let resolved = self.resolve(question)?;
        self.require_narrowing(&resolved)?;
        self.decide_by_grants(&resolved)
    }

    /// Finds key, principal, permission and object, each active and known.
    pub(crate) fn resolve(&mut self, question: &Question<'_>) -> Result<Resolved, Stop> {
        let key = question.key.map(|id| self.active_key(id)).transpose()?;
        let principal = match (question.principal, &key) {
            (Some(named), Some(key)) if named != key.principal => return Err(Reason::KeyMismatch.into()),
            (Some(named), _) => named,
            (None, Some(key)) => key.principal,
            (None, None) => return Err(Reason::UnknownPrincipal.into()),
        };
        self.active(principal)?;
        let permission = self.catalog.permission(question.permission).ok_or(Reason::UnknownPermission)?;
        let place = self.locate(question.object)?;
        Ok(Resolved { principal, permission, place, narrow: key.and_then(|key| key.narrow) })
    }

    pub(crate) fn require_narrowing(&mut self, resolved: &Resolved) -> Result<(), Stop> {
        let Some(narrow) = &resolved.narrow else { return Ok(()) };
        let on = narrow.on.as_ref();
        let covered = narrow.permissions.has(resolved.permission)
            && on.is_none_or(|scope| self.covers(scope, &resolved.place))
            && on.map_or(Ok(true), |scope| self.scope_stands(scope, narrow.generation))?;
        if covered { Ok(()) } else { Err(Reason::KeyNarrowed.into()) }
    }

    pub(crate) fn decide_by_grants(&mut self, resolved: &Resolved) -> Result<(), Stop> {
        let mut allowed = false;
        for node in self.reached(resolved.principal)?.iter() {
            for grant in &node.grants {
                let open = grant.effect == Effect::Deny || !allowed;
                if !open || !self.gives(grant, resolved.permission, &resolved.place)? {
                    continue;
                }
                match grant.effect {
                    Effect::Deny => return Err(Reason::DeniedByGrant.into()),
                    Effect::Allow => allowed = true,
                }
            }
        }
        if allowed { Ok(()) } else { Err(Reason::NoGrant.into()) }
    }

    /// Whether the grant, now in force, gives or takes the permission on the object.
    fn gives(&mut self, grant: &GrantRow, permission: Permission, place: &Place) -> Result<bool, ViewError> {
        let fits = self.now < grant.until
            && grant.types.has(place.located.object_type)
            && self
                .blocks(grant)?
                .iter()
                .any(|block| block.permissions.has(permission) && block.types.has(place.located.object_type));
        Ok(fits && self.covers(&grant.scope, place) && self.grant_stands(grant)?)
    }

    fn active_key(&self, id: KeyId) -> Result<KeyRow, Stop> {
        let key = self.snapshot.key_row(id)?.filter(|key| key.org == self.org).ok_or(Reason::UnknownKey)?;
        self.snapshot.require_working(&key, self.now)?;
        Ok(key)
    }
}
