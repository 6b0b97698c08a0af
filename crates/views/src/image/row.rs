//! The rows of an image: principals, groups, keys and projects, ready to answer.

use std::sync::Arc;

use grantbook_domain::{
    catalog::{ObjectType, Permission},
    id::{KeyId, OrgId},
    principal::Principal,
    state::Block,
    time::Timestamp,
};

use crate::{
    image::rights_sets::RightsSet,
    store::row::{GrantRow, KeyRow, NarrowRow, ProjectRow},
};

/// The number of a group's row.
pub(super) type GroupNumber = u32;

/// No group.
const NOBODY: GroupNumber = GroupNumber::MAX;
/// As many groups stand in the row itself.
const NEAR: usize = 4;

/// What is known of a user's or token's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Lifecycle {
    /// There is no such.
    #[default]
    Unknown,
    /// It lives until its time has passed.
    Living,
    /// It ended.
    Ended,
}

/// A user or token: its life and the groups that it is directly in. Small, as there are many.
#[derive(Debug, Clone)]
pub(super) struct PrincipalRow {
    pub(super) until: Timestamp,
    /// The first groups that it is in for ever.
    near: [GroupNumber; NEAR],
    /// What few have.
    pub(super) more: Option<Arc<More>>,
    pub(super) life: Lifecycle,
}

/// Further groups, memberships with an expiry, and grants of one's own.
#[derive(Debug, Clone, Default)]
pub(super) struct More {
    pub(super) groups: Vec<GroupNumber>,
    pub(super) own: Rights,
}

impl Default for PrincipalRow {
    fn default() -> Self {
        Self { until: Timestamp::FOREVER, near: [NOBODY; NEAR], more: None, life: Lifecycle::Unknown }
    }
}

impl PrincipalRow {
    /// The groups that it is in for ever.
    pub(super) fn groups(&self) -> impl Iterator<Item = GroupNumber> {
        let further = self.more.iter().flat_map(|more| &more.groups);
        self.near.iter().chain(further).copied().filter(|group| *group != NOBODY)
    }

    pub(super) fn join(&mut self, group: GroupNumber, until: Timestamp) {
        self.leave(group);
        if until != Timestamp::FOREVER {
            self.more().own.timed.push((until, group));
        } else if let Some(place) = self.near.iter_mut().find(|place| **place == NOBODY) {
            *place = group;
        } else {
            self.more().groups.push(group);
        }
    }

    pub(super) fn leave(&mut self, group: GroupNumber) {
        for place in &mut self.near {
            if *place == group {
                *place = NOBODY;
            }
        }
        if let Some(more) = &mut self.more {
            let more = Arc::make_mut(more);
            more.groups.retain(|known| *known != group);
            more.own.timed.retain(|(_, known)| *known != group);
        }
        self.shrink();
    }

    /// Puts other grants of its own in place.
    pub(super) fn own(&mut self, rights: Rights) {
        let own = &mut self.more().own;
        let timed = std::mem::take(&mut own.timed);
        *own = Rights { timed, ..rights };
        self.shrink();
    }

    fn more(&mut self) -> &mut More {
        Arc::make_mut(self.more.get_or_insert_default())
    }

    fn shrink(&mut self) {
        if self.more.as_ref().is_some_and(|more| more.groups.is_empty() && more.own.is_empty()) {
            self.more = None;
        }
    }
}

/// What grants give: those of a group and of every group above it, or a principal's own.
#[derive(Debug, Clone, Default)]
pub(super) struct Rights {
    /// Whether the group lives; of a dead one there is nothing else.
    pub(super) lives: bool,
    /// What unexpiring allows give on the organization, on selected projects, or on one project.
    pub(super) allow: Option<RightsSet>,
    /// What such denies take.
    pub(super) deny: Option<Box<RightsSet>>,
    /// Every other grant, weighed one by one.
    pub(super) special: Vec<Arc<CompiledGrant>>,
    /// Memberships with an expiry, of the group or one above it, and where they lead.
    pub(super) timed: Vec<(Timestamp, GroupNumber)>,
}

impl Rights {
    fn is_empty(&self) -> bool {
        self.allow.is_none() && self.deny.is_none() && self.special.is_empty() && self.timed.is_empty()
    }
}

/// A grant with what it gives, its role resolved.
#[derive(Debug, Clone)]
pub(super) struct CompiledGrant {
    pub(super) row: GrantRow,
    /// Cut by the grant's types.
    pub(super) blocks: Vec<Block>,
}

impl CompiledGrant {
    pub(super) fn gives(&self, permission: Permission, object_type: ObjectType) -> bool {
        self.blocks.iter().any(|block| block.permissions.has(permission) && block.types.has(object_type))
    }
}

/// A key.
#[derive(Debug, Clone)]
pub(super) struct KeyEntry {
    pub(super) until: Timestamp,
    pub(super) hash: [u8; 32],
    pub(super) org: OrgId,
    pub(super) principal: Principal,
    pub(super) ended: bool,
    /// What few have.
    pub(super) special: Option<Arc<SpecialKey>>,
}

/// What a key is narrowed to, and the key that a session was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpecialKey {
    pub(super) narrow: Option<NarrowRow>,
    pub(super) parent: Option<KeyId>,
}

impl From<KeyRow> for KeyEntry {
    fn from(row: KeyRow) -> Self {
        let KeyRow { org, principal, hash, until, ended, narrow, parent, issuer: _ } = row;
        let is_special = narrow.is_some() || parent.is_some();
        let special = is_special.then(|| Arc::new(SpecialKey { narrow, parent }));
        Self { until, hash, org, principal, ended, special }
    }
}

/// A project: its number in sets, and itself while it lives.
#[derive(Debug, Clone, Default)]
pub(super) struct ProjectSlot {
    pub(super) number: u32,
    pub(super) living: Option<Arc<ProjectRow>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_leaves_is_gone_from_wherever_he_was() {
        let mut row = PrincipalRow::default();
        let later = Timestamp::from_millis(5);
        (0..6).for_each(|group| row.join(group, Timestamp::FOREVER));
        row.join(6, later);
        row.join(1, later);
        row.join(6, Timestamp::FOREVER);
        let mut groups: Vec<_> = row.groups().collect();
        groups.sort_unstable();
        assert_eq!(groups, [0, 2, 3, 4, 5, 6]);
        assert_eq!(row.more.as_ref().unwrap().own.timed, [(later, 1)]);
        (0..7).for_each(|group| row.leave(group));
        assert_eq!(row.groups().count(), 0);
        assert!(row.more.is_none());
    }

    #[test]
    fn a_principal_takes_few_bytes() {
        assert_eq!(size_of::<PrincipalRow>(), 40);
        assert!(size_of::<KeyEntry>() <= 88, "{}", size_of::<KeyEntry>());
    }
}
