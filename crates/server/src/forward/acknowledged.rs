//! Positions that a command service acknowledged by way of this node, and that the node's view may not have yet.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use grantbook_domain::{id::OrgId, position::Position};

/// Of more organizations than this at once, positions are not kept one by one: then all wait for the highest.
const KEPT_MAX: usize = 10_000;

/// What later reads wait for. Only the frame counts: it comes whole, so all of its records are there with it.
#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    /// No position is of a later frame: most reads look at this alone.
    highest: AtomicU64,
    positions: Mutex<Positions>,
}

#[derive(Debug, Default)]
struct Positions {
    /// Sequences by organization.
    of_org: HashMap<OrgId, u64>,
    /// What everybody waits for.
    of_all: u64,
}

impl Acknowledged {
    /// Keeps the position of an answer for the organization's later reads, or for everybody's, if the organization is not
    /// known. `reached` is how far the view has come: what it has is forgotten.
    pub(super) fn note(&self, org: Option<OrgId>, position: Position, reached: u64) {
        let sequence = position.sequence();
        let mut positions = self.lock();
        positions.of_org.retain(|_, wanted| *wanted > reached);
        if sequence <= reached {
            return;
        }
        match org.filter(|org| positions.of_org.len() < KEPT_MAX || positions.of_org.contains_key(org)) {
            Some(org) => {
                let wanted = positions.of_org.entry(org).or_default();
                *wanted = sequence.max(*wanted);
            }
            None => positions.of_all = sequence.max(positions.of_all),
        }
        self.highest.fetch_max(sequence, Ordering::Release);
    }

    /// What a read of the organization waits for, if the view has come as far as `reached`.
    pub(super) fn of(&self, org: OrgId, reached: u64) -> Position {
        if self.highest.load(Ordering::Acquire) <= reached {
            return Position::START;
        }
        let positions = self.lock();
        let sequence = positions.of_org.get(&org).copied().unwrap_or_default().max(positions.of_all);
        if sequence <= reached { Position::START } else { Position::of(sequence, 0) }
    }

    fn lock(&self) -> MutexGuard<'_, Positions> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: OrgId = OrgId::from_u128(1);
    const B: OrgId = OrgId::from_u128(2);

    #[test]
    fn an_organization_waits_for_its_own_positions() {
        let acknowledged = Acknowledged::default();
        acknowledged.note(Some(A), Position::of(7, 3), 4);
        acknowledged.note(Some(A), Position::of(6, 0), 4);
        assert_eq!(acknowledged.of(A, 4), Position::of(7, 0));
        assert_eq!(acknowledged.of(B, 4), Position::START);
        assert_eq!(acknowledged.of(A, 7), Position::START);
    }

    #[test]
    fn everybody_waits_for_the_position_of_an_unknown_organization() {
        let acknowledged = Acknowledged::default();
        acknowledged.note(None, Position::of(9, 0), 4);
        acknowledged.note(Some(A), Position::of(7, 0), 4);
        for org in [A, B] {
            assert_eq!(acknowledged.of(org, 8), Position::of(9, 0));
            assert_eq!(acknowledged.of(org, 9), Position::START);
        }
    }

    #[test]
    fn what_the_view_has_is_forgotten_and_what_is_kept_is_bounded() {
        let acknowledged = Acknowledged::default();
        acknowledged.note(Some(A), Position::of(7, 0), 7);
        assert!(acknowledged.lock().of_org.is_empty(), "the view has it");
        for number in 0..KEPT_MAX as u128 + 5 {
            acknowledged.note(Some(OrgId::from_u128(number)), Position::of(100, 0), 7);
        }
        assert_eq!(acknowledged.lock().of_org.len(), KEPT_MAX);
        assert_eq!(acknowledged.of(OrgId::from_u128(u128::MAX), 99), Position::of(100, 0), "then all wait");
        acknowledged.note(Some(A), Position::of(101, 0), 100);
        assert_eq!(acknowledged.lock().of_org.len(), 1);
    }
}
