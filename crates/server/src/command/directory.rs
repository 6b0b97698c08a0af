//! What is published of the folds: each organization's last durable state, and whose each key is.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use grantbook_domain::{
    access::Reason,
    event::Event,
    id::{KeyId, OrgId},
    model::KeyHash,
    position::Position,
    principal::Caller,
    state::OrgState,
    time::Timestamp,
};
use subtle::ConstantTimeEq;

use super::fold::{Fold, OrgFold, issued_key};
use crate::secret::{KeyKind, ParsedKey};

/// Compared with when a key is not known, so that it takes as long as a known one.
const NOBODY: KeyHash = KeyHash([0; 32]);

/// An organization's last durable state and where it stands.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) state: OrgState,
    pub(super) position: Position,
}

/// All organizations as they were last published. Locks are held for a look or a swap, never across an await.
#[derive(Debug)]
pub(super) struct Directory {
    orgs: BTreeMap<OrgId, RwLock<Arc<Published>>>,
    keys: RwLock<HashMap<KeyId, OrgId>>,
}

impl Directory {
    pub(super) fn of(fold: &Fold) -> Self {
        let published = |one: &OrgFold| (one.org, RwLock::new(Arc::new(Published::of(one))));
        let keys = fold.organizations().flat_map(|one| one.state.keys().map(|key| (key.id, one.org)));
        Self { orgs: fold.organizations().map(published).collect(), keys: RwLock::new(keys.collect()) }
    }

    pub(super) fn organizations(&self) -> Vec<OrgId> {
        self.orgs.keys().copied().collect()
    }

    pub(super) fn published(&self, org: OrgId) -> Option<Arc<Published>> {
        let slot = self.orgs.get(&org)?;
        Some(Arc::clone(&slot.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Publishes what the fold has become by these events. Before anybody is answered, so that a key works as soon
    /// as its secret is known, and a revoked one no more once its revocation is.
    pub(super) fn publish<'a>(&self, fold: &OrgFold, events: impl Iterator<Item = &'a Event>) {
        let issued: Vec<KeyId> = events.filter_map(issued_key).collect();
        if let Some(slot) = self.orgs.get(&fold.org) {
            *slot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Published::of(fold));
        }
        if !issued.is_empty() {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            keys.extend(issued.into_iter().map(|key| (key, fold.org)));
        }
    }

    pub(super) fn authenticate(&self, key: &ParsedKey, now: Timestamp) -> Result<(OrgId, Caller), Reason> {
        let org = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&key.id).copied();
        let known = org.and_then(|org| self.published(org).map(|published| (org, published)));
        let stored = known.as_ref().and_then(|(_, published)| published.state.key(key.id));
        let proved = proves(&key.hash, stored.map(|stored| &stored.hash));
        let (Some((org, published)), Some(stored), true) = (&known, stored, proved) else {
            return Err(Reason::UnknownKey);
        };
        if KeyKind::of(stored.principal) != key.kind {
            return Err(Reason::UnknownKey);
        }
        published.state.active_key(key.id, now)?;
        published.state.active_principal(stored.principal, now)?;
        Ok((*org, Caller { principal: stored.principal, key: Some(key.id) }))
    }
}

impl Published {
    fn of(fold: &OrgFold) -> Self {
        Self { state: fold.state.clone(), position: fold.last }
    }
}

/// Whether the presented hash is the stored one; as long for no stored one as for a wrong one.
fn proves(presented: &KeyHash, stored: Option<&KeyHash>) -> bool {
    let equal = presented.0.ct_eq(&stored.unwrap_or(&NOBODY).0);
    bool::from(equal) && stored.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_compared_and_never_proved() {
        let (one, other) = (KeyHash([1; 32]), KeyHash([2; 32]));
        assert!(proves(&one, Some(&one)));
        assert!(!proves(&one, Some(&other)));
        assert!(!proves(&one, None));
        assert!(!proves(&NOBODY, None), "what the dummy compares equal with is no key either");
    }
}
