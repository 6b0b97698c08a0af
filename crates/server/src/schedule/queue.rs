//! Who gets the next place: organizations in turn first, then principals. Pure: no clock, no tasks, no threads.
//!
//! A place that is free goes to the organization that holds the fewest places; among several to the one whose questions have
//! taken the least so far; then to the one that had its last turn longest ago. Within the organization the principal is chosen
//! in the same way, and of a principal the question that came first.

use std::collections::{BTreeMap, VecDeque};

use grantbook_domain::{id::OrgId, principal::Principal};

#[cfg(test)]
mod tests;

/// On whose behalf something is done: an organization, and the account that asks; none: this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Party {
    /// The organization.
    pub(crate) org: OrgId,
    /// The account.
    pub(crate) principal: Option<Principal>,
}

impl Party {
    /// This process itself.
    pub(crate) const PROCESS: Self = Self { org: OrgId::from_u128(0), principal: None };
}

/// How many turns pass between two looks at who can be forgotten.
const SWEEP_EVERY: u64 = 64;

/// One that waits or holds a place.
pub(crate) type Ticket = u64;

/// How many places there are, and how many may wait for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Places.
    pub(crate) places: Bound,
    /// Places of one organization while others are about.
    pub(crate) beside_others: usize,
    /// Those that wait.
    pub(crate) waiting: Bound,
}

/// A bound in all, of one organization, and of one principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    /// In all.
    pub(crate) all: usize,
    /// Of one organization.
    pub(crate) of_org: usize,
    /// Of one principal.
    pub(crate) of_principal: usize,
}

impl Bound {
    /// So many places. An organization gets at most three quarters of them, so that another finds one free, and a principal half.
    pub(crate) fn shared(all: usize) -> Self {
        let of_org = if all > 1 { all - (all / 4).max(1) } else { all };
        Self { all, of_org, of_principal: (all / 2).max(1) }
    }

    /// No bound.
    pub(crate) const NONE: Self = Self { all: usize::MAX, of_org: usize::MAX, of_principal: usize::MAX };
}

/// Why something may not even wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The caller, or its organization, has more waiting than its share.
    OwnShare,
    /// Too much waits in all, and none of it is the caller's.
    Overloaded,
}

/// What became of one that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// It waits, or is next.
    Alone,
    /// It does, and this one of another party no longer waits: it was the newest of the greediest.
    InsteadOf(Ticket, Party),
}

/// The queue of one class of work.
#[derive(Debug)]
pub(crate) struct FairQueue {
    bounds: Bounds,
    /// Several organizations are about.
    is_shared: bool,
    running: usize,
    waiting: usize,
    /// Counts turns.
    turns: u64,
    orgs: BTreeMap<OrgId, Org>,
}

#[derive(Debug, Default)]
struct Org {
    share: Share,
    waiting: usize,
    principals: BTreeMap<Option<Principal>, Account>,
}

#[derive(Debug, Default)]
struct Account {
    share: Share,
    queue: VecDeque<Ticket>,
}

/// What one of several that share has had. The order is the order of turns: who has had least comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Share {
    /// Places held now.
    running: usize,
    /// The cost of what was finished, never less than that of the least of the others when this one came.
    used: u64,
    /// The last turn.
    turn: u64,
}

impl FairQueue {
    /// Nobody waits.
    pub(crate) const fn new(bounds: Bounds) -> Self {
        Self { bounds, is_shared: false, running: 0, waiting: 0, turns: 0, orgs: BTreeMap::new() }
    }

    /// Whether several organizations are about from now on.
    pub(crate) const fn share(&mut self, is_shared: bool) {
        self.is_shared = is_shared;
    }

    /// Most places of one organization, at present.
    fn of_org(&self) -> usize {
        let Bounds { places, beside_others, .. } = self.bounds;
        if self.is_shared { places.of_org.min(beside_others) } else { places.of_org }
    }

    /// Places held now.
    pub(crate) const fn running(&self) -> usize {
        self.running
    }

    /// How many wait.
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// One more comes. Call [`FairQueue::next`] afterwards: it may be its turn.
    pub(crate) fn enqueue(&mut self, party: Party, ticket: Ticket) -> Result<Admitted, Refused> {
        let admitted = if self.has_place(party) { Admitted::Alone } else { self.make_room(party)? };
        self.join(party, ticket);
        Ok(admitted)
    }

    /// Who gets a place now, if one is free and somebody waits who may have it.
    pub(crate) fn next(&mut self) -> Option<(Ticket, Party)> {
        let (places, of_org) = (self.bounds.places, self.of_org());
        if self.running >= places.all {
            return None;
        }
        let may =
            |account: &Account| !account.queue.is_empty() && account.share.running < places.of_principal;
        let ready = self.orgs.iter_mut().filter(|(_, org)| org.share.running < of_org);
        let ready = ready.filter(|(_, org)| org.waiting > 0 && org.principals.values().any(may));
        let (id, org) = ready.min_by_key(|(_, org)| org.share)?;
        let accounts = org.principals.iter_mut().filter(|(_, account)| may(account));
        let (principal, account) = accounts.min_by_key(|(_, account)| account.share)?;
        let ticket = account.queue.pop_front()?;
        self.turns += 1;
        for share in [&mut org.share, &mut account.share] {
            share.running += 1;
            share.turn = self.turns;
        }
        org.waiting -= 1;
        self.waiting -= 1;
        self.running += 1;
        Some((ticket, Party { org: *id, principal: *principal }))
    }

    /// A place is free again, after work of this cost.
    pub(crate) fn finish(&mut self, party: Party, cost: u64) {
        let Some(org) = self.orgs.get_mut(&party.org) else { return };
        let Some(account) = org.principals.get_mut(&party.principal) else { return };
        for share in [&mut org.share, &mut account.share] {
            share.running = share.running.saturating_sub(1);
            share.used = share.used.saturating_add(cost);
        }
        self.running = self.running.saturating_sub(1);
        self.forget();
    }

    /// One that waited no longer does; whether it waited.
    pub(crate) fn leave(&mut self, party: Party, ticket: Ticket) -> bool {
        let Some(org) = self.orgs.get_mut(&party.org) else { return false };
        let Some(account) = org.principals.get_mut(&party.principal) else { return false };
        let Some(place) = account.queue.iter().position(|one| *one == ticket) else { return false };
        account.queue.remove(place);
        org.waiting -= 1;
        self.waiting -= 1;
        self.forget();
        true
    }

    /// Whether a free place may be this party's at once. Whoever waits then, waits for its own share.
    fn has_place(&self, party: Party) -> bool {
        let places = self.bounds.places;
        let org = self.orgs.get(&party.org);
        let account = org.and_then(|org| org.principals.get(&party.principal));
        self.running < places.all
            && org.is_none_or(|org| org.share.running < self.of_org())
            && account
                .is_none_or(|account| account.queue.is_empty() && account.share.running < places.of_principal)
    }

    /// Room to wait for one more of this party.
    fn make_room(&mut self, party: Party) -> Result<Admitted, Refused> {
        let bound = self.bounds.waiting;
        let org = self.orgs.get(&party.org);
        let own = org.map_or(0, |org| org.waiting);
        let of_account = org.and_then(|org| org.principals.get(&party.principal));
        if of_account.map_or(0, |account| account.queue.len()) >= bound.of_principal {
            return Err(Refused::OwnShare);
        }
        if own >= bound.of_org {
            return self.shed(party, party.org).ok_or(Refused::OwnShare);
        }
        if self.waiting < bound.all {
            return Ok(Admitted::Alone);
        }
        let most = self.orgs.iter().max_by_key(|(_, org)| org.waiting).map(|(id, org)| (*id, org.waiting));
        match most {
            Some((greediest, most)) if most > own + 1 => self.shed(party, greediest).ok_or(Refused::OwnShare),
            _ if own > 0 => self.shed(party, party.org).ok_or(Refused::OwnShare),
            _ => Err(Refused::Overloaded),
        }
    }

    /// The newest of an organization's greediest principal makes room for the party; none if that is the party itself.
    fn shed(&mut self, party: Party, from: OrgId) -> Option<Admitted> {
        let org = self.orgs.get(&from)?;
        let own = org.principals.get(&party.principal).filter(|_| from == party.org);
        let (principal, most) = org
            .principals
            .iter()
            .max_by_key(|(_, account)| account.queue.len())
            .map(|(principal, account)| (*principal, account.queue.len()))?;
        if from == party.org && most <= own.map_or(0, |account| account.queue.len()) + 1 {
            return None;
        }
        let greediest = Party { org: from, principal };
        let newest = *org.principals.get(&principal)?.queue.back()?;
        self.leave(greediest, newest).then_some(Admitted::InsteadOf(newest, greediest))
    }

    fn join(&mut self, party: Party, ticket: Ticket) {
        let least = least(self.orgs.values().filter(|org| org.is_active()).map(|org| org.share));
        let org = self.orgs.entry(party.org).or_default();
        if !org.is_active() {
            org.share.used = org.share.used.max(least);
        }
        let active = org.principals.values().filter(|account| account.is_active());
        let least_of_org = self::least(active.map(|account| account.share));
        let account = org.principals.entry(party.principal).or_default();
        if !account.is_active() {
            account.share.used = account.share.used.max(least_of_org);
        }
        account.queue.push_back(ticket);
        org.waiting += 1;
        self.waiting += 1;
    }

    /// Forgets those that neither wait nor hold a place and have had no more than the least of the others: they come back as
    /// if they were new. Others are remembered until the rest has caught up.
    fn forget(&mut self) {
        if self.running + self.waiting > 0 && !self.turns.is_multiple_of(SWEEP_EVERY) {
            return;
        }
        let least_active = least(self.orgs.values().filter(|org| org.is_active()).map(|org| org.share));
        let any = self.orgs.values().any(Org::is_active);
        self.orgs.retain(|_, org| org.is_active() || (any && org.share.used > least_active));
        for org in self.orgs.values_mut() {
            let active = org.principals.values().filter(|account| account.is_active());
            let least_active = least(active.map(|account| account.share));
            let any = org.is_active();
            org.principals
                .retain(|_, account| account.is_active() || (any && account.share.used > least_active));
        }
    }
}

/// The least use of those; 0 if there are none.
fn least(shares: impl Iterator<Item = Share>) -> u64 {
    shares.map(|share| share.used).min().unwrap_or_default()
}

impl Org {
    const fn is_active(&self) -> bool {
        self.waiting > 0 || self.share.running > 0
    }
}

impl Account {
    fn is_active(&self) -> bool {
        !self.queue.is_empty() || self.share.running > 0
    }
}
