//! Keys that give more than who issued them could give today: rights made yesterday that reach further now.

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

impl OrgState {
    /// The working keys of a principal whose issuer could not give today what the key can do, by key. The operator could;
    /// so could the principal itself, of its own keys.
    pub fn keys_of_concern(&self, principal: Principal, now: Timestamp) -> Vec<KeyOfConcern> {
        let Ok(until) = self.active_principal(principal, now) else { return Vec::new() };
        let working = self.keys_of(principal).filter(|key| self.active_key(key.id, now).is_ok());
        let of_concern = working.filter_map(|key| {
            let issued_by = self.issuer_of(key.id)?;
            let concerns = !self.could_issue(issued_by, key, until, now);
            concerns.then_some(KeyOfConcern { key: key.id, issued_by })
        });
        of_concern.collect()
    }

    fn could_issue(&self, issuer: Actor, key: &Key, until: Timestamp, now: Timestamp) -> bool {
        let issuer = match issuer {
            Actor::User(id) => Principal::User(id),
            Actor::Token(id) => Principal::Token(id),
            Actor::System | Actor::Operator => return true,
        };
        if issuer == key.principal {
            return true;
        }
        let holdings = self.holdings(Caller { principal: issuer, key: None }, now);
        let until = until.min(Timestamp::end(key.expires_at));
        let grantee = Grantee::from(key.principal);
        let given = self.holdings_of(self.reached_from(grantee, until, now), now).allows;
        let narrow = key.narrow.as_ref().map(|narrow| self.narrow(narrow));
        self.on_ground(|ground| match key.principal {
            Principal::User(_) => holdings.may_issue_for_others(ground),
            Principal::Token(_) => holdings.excess(ground, &given, narrow.as_ref()).is_none(),
        })
    }
}
