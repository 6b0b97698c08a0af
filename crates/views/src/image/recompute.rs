//! Putting together again what a batch has changed: own grants first, then the rows of the groups below.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use grantbook_domain::{id::RoleId, time::Timestamp};

use crate::image::{
    row::{GroupNumber, Rights},
    sources::{Changed, Group, Owner, Part, Sources},
};

impl Part<'_> {
    /// Resolves the grants of changed roles, and of roles that include them. Looks at every grant of the organization:
    /// roles change rarely.
    pub(super) fn settle_roles(&mut self) {
        let changed = std::mem::take(&mut self.sources.changed.roles);
        if changed.is_empty() {
            return;
        }
        let changed = self.sources.with_including(changed);
        let Sources { groups, holders, roles, changed: Changed { owners, .. }, .. } = &mut *self.sources;
        for (number, group) in (0..).zip(groups.iter_mut()) {
            if group.gifts.resolve(&changed, roles) {
                owners.insert(Owner::Group(number));
            }
        }
        for (principal, gifts) in holders.iter_mut() {
            if gifts.resolve(&changed, roles) {
                owners.insert(Owner::Principal(*principal));
            }
        }
    }

    /// Rewrites the rows of whoever has other rights than before.
    pub(super) fn settle(&mut self) {
        let Changed { owners, groups: mut moved, .. } = std::mem::take(&mut self.sources.changed);
        for owner in owners {
            match owner {
                Owner::Group(number) => {
                    let group = crate::image::sources::group_in(&mut self.sources.groups, number);
                    group.sum = group.gifts.sum();
                    moved.insert(number);
                }
                Owner::Principal(principal) => {
                    let gifts = self.sources.holders.get(&principal);
                    let rights = gifts.map(|gifts| gifts.sum().rights()).unwrap_or_default();
                    self.principal(principal).own(rights);
                    if self
                        .sources
                        .holders
                        .get(&principal)
                        .is_some_and(crate::image::compiled_grants::CompiledGrants::is_empty)
                    {
                        self.sources.holders.remove(&principal);
                    }
                }
            }
        }
        for number in self.sources.with_below(moved) {
            let rights = self.sources.rights(number);
            self.image.groups.set(number, Arc::new(rights));
        }
    }
}

impl Sources {
    /// These roles and all that include them.
    fn with_including(&self, changed: BTreeSet<RoleId>) -> BTreeSet<RoleId> {
        let mut including = HashMap::<RoleId, Vec<RoleId>>::new();
        for (id, role) in &self.roles {
            for included in &role.includes {
                including.entry(*included).or_default().push(*id);
            }
        }
        let mut open: Vec<_> = changed.iter().copied().collect();
        let mut found = changed;
        while let Some(included) = open.pop() {
            let by = including.get(&included).map(Vec::as_slice).unwrap_or_default();
            open.extend(by.iter().filter(|id| found.insert(**id)));
        }
        found
    }

    /// These groups and all below them.
    fn with_below(&self, groups: BTreeSet<GroupNumber>) -> BTreeSet<GroupNumber> {
        let mut open: Vec<_> = groups.iter().copied().collect();
        let mut found = groups;
        while let Some(group) = open.pop().and_then(|number| self.group(number)) {
            open.extend(group.below.iter().filter(|below| found.insert(**below)));
        }
        found
    }

    /// What a group and all groups above it give together.
    fn rights(&self, number: GroupNumber) -> Rights {
        let Some(group) = self.group(number).filter(|group| group.lives) else { return Rights::default() };
        let mut sum = group.sum.clone();
        let (mut seen, mut open, mut timed) = (BTreeSet::from([number]), vec![number], Vec::new());
        while let Some(group) = open.pop().and_then(|number| self.group(number)) {
            for (above, until) in &group.above {
                if *until != Timestamp::FOREVER {
                    timed.push((*until, *above));
                } else if let Some(living) = self.group(*above).filter(|above| above.lives)
                    && seen.insert(*above)
                {
                    sum.add(&living.sum);
                    open.push(*above);
                }
            }
        }
        timed.retain(|(_, above)| !seen.contains(above));
        Rights { timed, ..sum.rights() }
    }

    fn group(&self, number: GroupNumber) -> Option<&Group> {
        usize::try_from(number).ok().and_then(|at| self.groups.get(at))
    }
}
