//! Shares of what is held for long, such as streams: the greediest gives way to who has less. Pure.

use std::collections::BTreeMap;

use grantbook_domain::{id::OrgId, principal::Principal};

use crate::schedule::queue::{Bound, Party, Refused, Ticket};

/// Who holds what.
#[derive(Debug)]
pub(crate) struct Shares {
    bound: Bound,
    /// Of each account what it holds, oldest first.
    held: BTreeMap<OrgId, BTreeMap<Option<Principal>, Vec<Ticket>>>,
}

/// How much an organization holds.
fn count_of(org: &BTreeMap<Option<Principal>, Vec<Ticket>>) -> usize {
    org.values().map(Vec::len).sum()
}

impl Shares {
    /// Nothing is held.
    pub(crate) const fn new(bound: Bound) -> Self {
        Self { bound, held: BTreeMap::new() }
    }

    /// How much is held.
    pub(crate) fn count(&self) -> usize {
        self.held.values().map(count_of).sum()
    }

    /// One more is held. If something is given back, it is the newest of the greediest, which has to end.
    pub(crate) fn enter(&mut self, party: Party, ticket: Ticket) -> Result<Option<(Ticket, Party)>, Refused> {
        let own = self.held.get(&party.org);
        let of_account = own.and_then(|org| org.get(&party.principal)).map_or(0, Vec::len);
        let of_org = own.map_or(0, count_of);
        if of_account >= self.bound.of_principal {
            return Err(Refused::OwnShare);
        }
        let ended = if of_org >= self.bound.of_org {
            Some(self.end_one_of(party.org, of_account).ok_or(Refused::OwnShare)?)
        } else if self.count() >= self.bound.all {
            Some(self.end_one(party.org, (of_org, of_account))?)
        } else {
            None
        };
        self.held.entry(party.org).or_default().entry(party.principal).or_default().push(ticket);
        Ok(ended)
    }

    /// It is held no more.
    pub(crate) fn leave(&mut self, party: Party, ticket: Ticket) {
        let Some(org) = self.held.get_mut(&party.org) else { return };
        if let Some(own) = org.get_mut(&party.principal) {
            own.retain(|one| *one != ticket);
        }
        org.retain(|_, own| !own.is_empty());
        if org.is_empty() {
            self.held.remove(&party.org);
        }
    }

    /// Everything is held: the organization that holds most gives one back, unless the one that comes would hold as much.
    fn end_one(
        &mut self,
        org: OrgId,
        (of_org, of_account): (usize, usize),
    ) -> Result<(Ticket, Party), Refused> {
        let most = self.held.iter().map(|(id, org)| (count_of(org), *id)).max();
        let found = match most {
            Some((most, greediest)) if most > of_org + 1 => self.end_one_of(greediest, 0),
            Some(_) | None => self.end_one_of(org, of_account),
        };
        found.ok_or(if of_org > 0 { Refused::OwnShare } else { Refused::Overloaded })
    }

    /// The same within an organization, for an account that holds so much.
    fn end_one_of(&mut self, org: OrgId, of_account: usize) -> Option<(Ticket, Party)> {
        let accounts = self.held.get(&org)?;
        let (principal, own) = accounts.iter().max_by_key(|(_, own)| own.len())?;
        if own.len() <= of_account + 1 && of_account > 0 {
            return None;
        }
        let (newest, party) = (*own.last()?, Party { org, principal: *principal });
        self.leave(party, newest);
        Some((newest, party))
    }
}

#[cfg(test)]
mod tests {
    use grantbook_domain::id::TokenId;
    use proptest::prelude::*;

    use super::*;

    fn party(org: u128, principal: u128) -> Party {
        Party { org: OrgId::from_u128(org), principal: Some(Principal::Token(TokenId::from_u128(principal))) }
    }

    const BOUND: Bound = Bound { all: 8, of_org: 6, of_principal: 3 };

    #[test]
    fn one_organization_never_holds_every_place_and_its_principals_share() {
        let mut shares = Shares::new(BOUND);
        let mut ticket = 0;
        let mut enter = |shares: &mut Shares, org, principal| {
            ticket += 1;
            shares.enter(party(org, principal), ticket)
        };
        for principal in [1, 1, 1, 2, 2, 2] {
            assert_eq!(enter(&mut shares, 1, principal), Ok(None));
        }
        assert_eq!(enter(&mut shares, 1, 1), Err(Refused::OwnShare));
        let ended = enter(&mut shares, 1, 3).unwrap().unwrap();
        assert_eq!((ended, shares.count()), ((6, party(1, 2)), 6), "the newest of one that holds most");
        assert_eq!([enter(&mut shares, 2, 1), enter(&mut shares, 3, 1)], [Ok(None), Ok(None)]);
        let ended = enter(&mut shares, 4, 1).unwrap().unwrap();
        assert_eq!((ended.1.org, shares.count()), (OrgId::from_u128(1), 8));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Who has less than others is never refused for what they hold, and only the greediest gives way.
        #[test]
        fn who_holds_least_is_let_in(steps in prop::collection::vec((0_u128..12, 0_u128..4, any::<bool>()), 1..300)) {
            let mut shares = Shares::new(BOUND);
            let mut held: Vec<(Ticket, Party)> = Vec::new();
            for (ticket, (org, principal, leaves)) in (0..).zip(steps) {
                let party = party(org, principal);
                if leaves && !held.is_empty() {
                    let (ticket, party) = held.remove(held.len() / 2);
                    shares.leave(party, ticket);
                    continue;
                }
                let of_org = |org: OrgId| held.iter().filter(|(_, one)| one.org == org).count();
                let of_party = |party: Party| held.iter().filter(|(_, one)| *one == party).count();
                let most = held.iter().map(|(_, one)| of_org(one.org)).max().unwrap_or_default();
                let (own, own_account) = (of_org(party.org), of_party(party));
                match shares.enter(party, ticket) {
                    Ok(None) => prop_assert!(held.len() < BOUND.all && own < BOUND.of_org && own_account < BOUND.of_principal),
                    Ok(Some((ended, whose))) => {
                        prop_assert!(held.contains(&(ended, whose)));
                        prop_assert!(whose.org == party.org || (of_org(whose.org) == most && most > own + 1));
                        prop_assert!(whose.org != party.org || of_party(whose) > own_account);
                        held.retain(|(one, _)| *one != ended);
                    }
                    Err(Refused::OwnShare) => prop_assert!(own > 0),
                    Err(Refused::Overloaded) => {
                        prop_assert!(own == 0 && most == 1 && held.len() == BOUND.all);
                    }
                }
                if shares.count() > held.len() {
                    held.push((ticket, party));
                }
                prop_assert_eq!(shares.count(), held.len());
            }
        }
    }
}
