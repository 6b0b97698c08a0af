//! Keys that give more than who issued them could give today: rights made yesterday that reach further now.

use std::collections::BTreeMap;

use crate::{
    id::KeyId,
    model::Key,
    principal::{Actor, Caller, Grantee, Principal},
    state::OrgState,
    time::Timestamp,
};

/// A key, and who answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOfConcern {
    /// The key.
    pub key: KeyId,
    /// Who issued it, or the key that it was issued with.
    pub issued_by: Actor,
}

/// Who answers for a key. A key that its own principal issued is answered for like the key that it was issued with, so that no key
/// vouches for its own successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issuer {
    /// A principal that issued it, or the operator.
    pub by: Actor,
    /// With which key; none for the operator.
    pub with: Option<KeyId>,
}

impl OrgState {
    /// The working keys of a principal, by key, whose issuer could not give today what the key can do, or that were issued with a key
    /// of which this holds, whether or not that one still works. The operator could give everything; so could the principal
    /// itself, of its own keys.
    pub fn keys_of_concern(&self, principal: Principal, now: Timestamp) -> Vec<KeyOfConcern> {
        if self.active_principal(principal, now).is_err() {
            return Vec::new();
        }
        let mut judging = Judging { state: self, now, alike: BTreeMap::new() };
        let working = self.keys_of(principal).filter(|key| self.active_key(key.id, now).is_ok());
        let concerns = working.filter_map(|key| {
            let issued_by = self.issuer_of(key.id)?.by;
            judging.concerns(key).then_some(KeyOfConcern { key: key.id, issued_by })
        });
        concerns.collect()
    }
}

impl OrgState {
    /// Those whose rights decide whether a key is of concern: its issuers, and the holders of the keys that they used.
    pub fn answering_for(&self, key: KeyId) -> impl Iterator<Item = Principal> {
        let before = |issuer: &Issuer| issuer.with.and_then(|with| self.issuer_of(with));
        let chain = std::iter::successors(self.issuer_of(key), before);
        chain.flat_map(|issuer| {
            let used = issuer.with.and_then(|with| self.key(with));
            [issuer.by.principal(), used.map(|key| key.principal)].into_iter().flatten()
        })
    }
}

struct Judging<'a> {
    state: &'a OrgState,
    now: Timestamp,
    /// What was found of keys that are not narrowed, by issuer, principal and end: it is the same for all of them.
    alike: BTreeMap<(Principal, Principal, Timestamp), bool>,
}

impl Judging<'_> {
    fn concerns(&mut self, key: &Key) -> bool {
        let mut until = Timestamp::end(key.expires_at);
        let mut open = Some(key);
        while let Some(key) = open {
            let Some(issuer) = self.state.issuer_of(key.id) else { return false };
            if !self.could_issue(issuer.by, key, until) {
                return true;
            }
            // What was issued with a key may outlive it.
            until = Timestamp::FOREVER;
            open = issuer.with.and_then(|with| self.state.key(with));
        }
        false
    }

    /// Whether the issuer could give what the key can do until then.
    fn could_issue(&mut self, issuer: Actor, key: &Key, until: Timestamp) -> bool {
        let Some(issuer) = issuer.principal().filter(|issuer| *issuer != key.principal) else { return true };
        let alike = (issuer, key.principal, until);
        if let Some(found) = self.alike.get(&alike).filter(|_| key.narrow.is_none()) {
            return *found;
        }
        let found = self.judge(issuer, key, until);
        if key.narrow.is_none() {
            self.alike.insert(alike, found);
        }
        found
    }

    fn judge(&self, issuer: Principal, key: &Key, until: Timestamp) -> bool {
        let (state, now) = (self.state, self.now);
        // Who is no longer active can do nothing.
        let Ok(lasting) = state.active_principal(key.principal, now) else { return true };
        let holdings = state.holdings(Caller { principal: issuer, key: None }, now);
        let grantee = Grantee::from(key.principal);
        let given = state.holdings_of(state.reached_from(grantee, lasting.min(until), now), now).allows;
        let narrow = key.narrow.as_ref().map(|narrow| state.narrow(narrow));
        state.on_ground(|ground| match key.principal {
            Principal::User(_) => holdings.may_issue_for_others(ground),
            Principal::Token(_) => holdings.excess(ground, &given, narrow.as_ref()).is_none(),
        })
    }
}
