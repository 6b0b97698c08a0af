//! The folds: each organization's last durable state, and whose each key is.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use grantbook_domain::{
    access::check::Reason,
    event::Event,
    id::{InstallationId, KeyId, OrgId},
    model::KeyHash,
    principal::Caller,
    time::Timestamp,
};
use grantbook_journal::{
    Foreign, Item, Stored,
    chain::{ChainError, ForeignMet, lost_ranges},
    follow::known_head::SeenEnd,
    frame::Frame,
};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use crate::{
    fold::{Fold, FoldError, OrgFold, issued_key},
    secret::{KeyKind, ParsedKey},
};

/// Compared with when a key is not known, so that it takes as long as a known one.
const NOBODY: KeyHash = KeyHash([0; 32]);

/// All organizations as they were last published. Locks are held for a look or a swap, never across an await.
#[derive(Debug)]
pub(super) struct Directory {
    installation: InstallationId,
    orgs: RwLock<BTreeMap<OrgId, Arc<Slot>>>,
    keys: RwLock<HashMap<KeyId, OrgId>>,
    /// The last sequence that any fold holds.
    last: AtomicU64,
    /// The last frame that any fold holds.
    end: watch::Sender<SeenEnd>,
    /// Up to this sequence the stream was read in order, if it is: a frame that lands there now lands where another one was.
    followed: AtomicU64,
    /// The foreign messages of the stream up to where it was read.
    foreign: Mutex<ForeignMet>,
}

/// One organization's fold. It only ever goes forward: by our own frames, and by those of others.
#[derive(Debug)]
struct Slot {
    /// Held while the next fold is made of the present one.
    moving: Mutex<()>,
    fold: RwLock<Arc<OrgFold>>,
}

impl Slot {
    fn new(fold: OrgFold) -> Self {
        Self { moving: Mutex::default(), fold: RwLock::new(Arc::new(fold)) }
    }

    fn fold(&self) -> Arc<OrgFold> {
        Arc::clone(&self.fold.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Directory {
    pub(super) fn of(fold: Fold) -> Self {
        let installation = fold.installation();
        let mut keys = HashMap::new();
        for one in fold.organizations() {
            keys.extend(one.state.keys().map(|key| (key.id, one.org)));
        }
        let (last, foreign) = (AtomicU64::new(fold.sequence()), Mutex::new(fold.foreign()));
        let (end, followed) = (watch::Sender::new(fold.end()), AtomicU64::new(0));
        let orgs = fold.orgs.into_iter().map(|(org, one)| (org, Arc::new(Slot::new(one))));
        let orgs = RwLock::new(orgs.collect());
        Self { installation, orgs, keys: RwLock::new(keys), last, end, followed, foreign }
    }

    /// The last sequence of the stream that is known to be durable here.
    pub(super) fn last_sequence(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// The last frame of the stream that is known to be durable here, as it changes.
    pub(super) fn last(&self) -> watch::Receiver<SeenEnd> {
        self.end.subscribe()
    }

    /// The stream was read in order up to this sequence.
    pub(super) fn follow(&self, sequence: u64) {
        self.followed.fetch_max(sequence, Ordering::AcqRel);
    }

    pub(super) fn organizations(&self) -> Vec<OrgId> {
        self.orgs.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// The organization's last durable fold.
    pub(super) fn fold(&self, org: OrgId) -> Option<Arc<OrgFold>> {
        self.slot(org).map(|slot| slot.fold())
    }

    /// The foreign messages of the stream.
    pub(super) fn foreign(&self) -> ForeignMet {
        *self.foreign.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what a reader of the whole stream has met.
    pub(super) fn meet(&self, item: &Item) {
        if let Item::Foreign(Foreign { sequence, token, .. }) = item {
            tracing::debug!(sequence, token, "a foreign message stands in the journal");
            self.foreign.lock().unwrap_or_else(PoisonError::into_inner).meet(*sequence);
        }
    }

    /// Takes the stream's item, unless the organization's fold holds it already.
    pub(super) fn take(&self, item: &Item) -> Result<(), FoldError> {
        match item {
            Item::Frame(stored) => self.take_frame(stored),
            Item::Foreign(foreign) => {
                self.take_foreign(foreign);
                Ok(())
            }
        }
    }

    /// Moves the guard of the organization on whose subject it stands, if there is such an organization.
    fn take_foreign(&self, foreign: &Foreign) {
        let Some(slot) = foreign.org().and_then(|org| self.slot(org)) else { return };
        let moving = slot.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let before = slot.fold();
        if foreign.sequence > before.end.guard() {
            let mut fold = OrgFold::clone(&before);
            fold.take_foreign(foreign);
            self.publish(&slot, fold, std::iter::empty());
        }
        drop(moving);
    }

    fn take_frame(&self, stored: &Stored) -> Result<(), FoldError> {
        let slot = self.slot(stored.org).unwrap_or_else(|| {
            // Not shown before its first frame is in it.
            Arc::new(Slot::new(OrgFold::new(self.installation, stored.org)))
        });
        let moving = slot.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let before = slot.fold();
        if stored.sequence <= before.end.sequence {
            return Ok(());
        }
        let mut fold = OrgFold::clone(&before);
        let frame = fold.take(stored)?;
        self.expect_nothing_lost(stored.sequence, &frame)?;
        self.publish(&slot, fold, frame.records.iter().flat_map(|record| &record.events));
        drop(moving);
        Ok(())
    }

    /// Takes what was decided on the fold whose guard is `guard`, now that its frame is acknowledged at `sequence`,
    /// unless the follower has applied the frame already. Returns false if the follower has read `sequence` without
    /// finding that frame (then the journal was rolled back), or if the organization is unknown.
    pub(super) fn accept<'a>(
        &self,
        org: OrgId,
        (guard, sequence): (u64, u64),
        after: impl FnOnce(&mut OrgFold),
        events: impl Iterator<Item = &'a Event>,
    ) -> bool {
        let Some(slot) = self.slot(org) else { return false };
        let moving = slot.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let before = slot.fold();
        let is_new = before.end.guard() == guard;
        if is_new && sequence <= self.followed.load(Ordering::Acquire) {
            return false;
        }
        if is_new {
            let mut fold = OrgFold::clone(&before);
            after(&mut fold);
            self.publish(&slot, fold, events);
        }
        drop(moving);
        true
    }

    /// An operator may have gone on without records that were lost: no fold may hold any of them.
    fn expect_nothing_lost(&self, sequence: u64, frame: &Frame) -> Result<(), ChainError> {
        for (kept, lost) in lost_ranges(frame) {
            let orgs = self.orgs.read().unwrap_or_else(PoisonError::into_inner);
            let mut ends = orgs.values().map(|slot| slot.fold().end.sequence);
            if ends.any(|end| kept < end && end <= lost) {
                return Err(ChainError::Lost { sequence, kept, lost });
            }
        }
        Ok(())
    }

    fn slot(&self, org: OrgId) -> Option<Arc<Slot>> {
        self.orgs.read().unwrap_or_else(PoisonError::into_inner).get(&org).cloned()
    }

    /// Publishes what the fold has become by these events. Before anybody is answered, so that a key works as soon
    /// as its secret is known, and a revoked one no more once its revocation is.
    fn publish<'a>(&self, slot: &Arc<Slot>, fold: OrgFold, events: impl Iterator<Item = &'a Event>) {
        let org = fold.org;
        let issued: Vec<KeyId> = events.filter_map(issued_key).collect();
        let is_new = fold.end.ordinal == 1;
        self.last.fetch_max(fold.end.guard(), Ordering::AcqRel);
        let end = SeenEnd { sequence: fold.end.sequence, hash: fold.end.hash };
        self.end.send_if_modified(|last| {
            let is_later = end.sequence > last.sequence;
            if is_later {
                *last = end;
            }
            is_later
        });
        *slot.fold.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fold);
        if is_new {
            let mut orgs = self.orgs.write().unwrap_or_else(PoisonError::into_inner);
            orgs.entry(org).or_insert_with(|| Arc::clone(slot));
        }
        if !issued.is_empty() {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            keys.extend(issued.into_iter().map(|key| (key, org)));
        }
    }

    pub(super) fn authenticate(&self, key: &ParsedKey, now: Timestamp) -> Result<(OrgId, Caller), Reason> {
        let org = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&key.id).copied();
        let known = org.and_then(|org| self.fold(org).map(|fold| (org, fold)));
        let stored = known.as_ref().and_then(|(_, fold)| fold.state.key(key.id));
        let proved = proves(&key.hash, stored.map(|stored| &stored.hash));
        let (Some((org, fold)), Some(stored), true) = (&known, stored, proved) else {
            return Err(Reason::UnknownKey);
        };
        if KeyKind::of(stored.principal) != key.kind {
            return Err(Reason::UnknownKey);
        }
        fold.state.active_key(key.id, now)?;
        fold.state.active_principal(stored.principal, now)?;
        Ok((*org, Caller { principal: stored.principal, key: Some(key.id) }))
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
