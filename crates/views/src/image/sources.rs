//! What it takes to keep an organization's part of the image up, beside that part itself: grants, edges between groups,
//! roles and projects. Answers never look here.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use grantbook_domain::{
    id::{GrantId, GroupId, RoleId},
    principal::{Grantee, Principal},
    time::Timestamp,
};

use crate::{
    image::{
        OrgImage,
        compiled_grants::{CombinedGrants, CompiledGrants, Projects, Roles, is_live},
        row::{GroupNumber, Lifecycle, PrincipalRow, ProjectSlot, Rights},
    },
    store::row::{GrantRow, HeadRow, ProjectRow, RoleRow},
};

/// Whom grants are given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Group(GroupNumber),
    Principal(Principal),
}

/// A group: its own grants, and the edges to its neighbours.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) lives: bool,
    pub(super) gifts: CompiledGrants,
    pub(super) sum: CombinedGrants,
    /// The groups it is directly in, until when.
    pub(super) above: BTreeMap<GroupNumber, Timestamp>,
    /// The groups that are directly in it.
    pub(super) below: BTreeSet<GroupNumber>,
}

/// An organization's sources.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) groups: Vec<Group>,
    /// The grants to principals themselves.
    pub(super) holders: HashMap<Principal, CompiledGrants>,
    /// The grants whose scope looks at names or labels of projects.
    live: BTreeSet<(Owner, GrantId)>,
    pub(super) roles: Roles,
    projects: Projects,
    /// What must be put together again.
    pub(super) changed: Changed,
}

/// What a batch has changed so far.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Grantees whose own grants give something else.
    pub(super) owners: BTreeSet<Owner>,
    /// Groups whose life or edges upwards changed.
    pub(super) groups: BTreeSet<GroupNumber>,
    pub(super) projects: BTreeSet<u32>,
    pub(super) roles: BTreeSet<RoleId>,
}

/// One organization's part of the image and its sources, being changed together.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) image: &'a mut OrgImage,
    pub(super) sources: &'a mut Sources,
}

impl Part<'_> {
    pub(super) fn role(&mut self, id: RoleId, row: RoleRow, lives: bool) {
        *self.image.roles.entry(id.bytes()) = lives;
        let (blocks, includes) = (row.blocks.clone(), row.includes.clone());
        let known = self.sources.roles.insert(id, row);
        if known.is_none_or(|known| (known.blocks, known.includes) != (blocks, includes)) {
            self.sources.changed.roles.insert(id);
        }
    }

    pub(super) fn project(&mut self, row: ProjectRow, lives: bool) {
        let Projects { rows, numbers } = &mut self.sources.projects;
        let next = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let number = *numbers.entry(row.id).or_insert(next);
        let (id, row) = (row.id, Arc::new(row));
        let living = lives.then(|| Arc::clone(&row));
        *self.image.projects.entry(id.bytes()) = ProjectSlot { number, living };
        match usize::try_from(number).ok().and_then(|at| rows.get_mut(at)) {
            Some(known) => *known = row,
            None => rows.push(row),
        }
        self.sources.changed.projects.insert(number);
    }

    pub(super) fn head(&mut self, grantee: Grantee, head: &HeadRow) {
        match grantee {
            Grantee::User(id) => self.principal(Principal::User(id)).begin(head),
            Grantee::Token(id) => self.principal(Principal::Token(id)).begin(head),
            Grantee::Group(id) => {
                let number = self.group_number(id);
                let group = self.group(number);
                if group.lives == head.ended {
                    group.lives = !head.ended;
                    self.sources.changed.groups.insert(number);
                }
            }
        }
    }

    pub(super) fn member(&mut self, member: Grantee, group: GroupId, until: Option<Timestamp>) {
        let number = self.group_number(group);
        match member {
            Grantee::User(id) => self.principal(Principal::User(id)).member(number, until),
            Grantee::Token(id) => self.principal(Principal::Token(id)).member(number, until),
            Grantee::Group(id) => {
                let member = self.group_number(id);
                if let Some(until) = until {
                    self.group(member).above.insert(number, until);
                    self.group(number).below.insert(member);
                } else {
                    self.group(member).above.remove(&number);
                    self.group(number).below.remove(&member);
                }
                self.sources.changed.groups.insert(member);
            }
        }
    }

    pub(super) fn grant(&mut self, to: Grantee, id: GrantId, row: Option<GrantRow>) {
        let owner = match to {
            Grantee::Group(id) => Owner::Group(self.group_number(id)),
            Grantee::User(id) => Owner::Principal(Principal::User(id)),
            Grantee::Token(id) => Owner::Principal(Principal::Token(id)),
        };
        let sources = &mut *self.sources;
        let live = row.as_ref().is_some_and(|row| is_live(&row.scope));
        if live {
            sources.live.insert((owner, id))
        } else {
            sources.live.remove(&(owner, id))
        };
        let gifts = match owner {
            Owner::Group(number) => &mut group_in(&mut sources.groups, number).gifts,
            Owner::Principal(principal) => sources.holders.entry(principal).or_default(),
        };
        match row {
            Some(row) => gifts.put(row, &sources.roles, &sources.projects),
            None => gifts.remove(id),
        }
        sources.changed.owners.insert(owner);
    }

    /// Looks again at grants whose selectors may take the changed projects or no longer do.
    pub(super) fn settle_projects(&mut self) {
        let sources = &mut *self.sources;
        for number in std::mem::take(&mut sources.changed.projects) {
            let Some(row) = usize::try_from(number).ok().and_then(|at| sources.projects.rows.get(at)) else {
                continue;
            };
            for (owner, grant) in &sources.live {
                let gifts = match owner {
                    Owner::Group(number) => Some(&mut group_in(&mut sources.groups, *number).gifts),
                    Owner::Principal(principal) => sources.holders.get_mut(principal),
                };
                if gifts.is_some_and(|gifts| gifts.see(*grant, number, row)) {
                    sources.changed.owners.insert(*owner);
                }
            }
        }
    }

    pub(super) fn principal(&mut self, principal: Principal) -> &mut PrincipalRow {
        match principal {
            Principal::User(id) => self.image.users.entry(id.bytes()),
            Principal::Token(id) => self.image.tokens.entry(id.bytes()),
        }
    }

    fn group(&mut self, number: GroupNumber) -> &mut Group {
        group_in(&mut self.sources.groups, number)
    }

    /// The group's number; one that was not heard of is dead until it begins.
    fn group_number(&mut self, id: GroupId) -> GroupNumber {
        let number = self.image.group_numbers.entry(id.bytes());
        if let Some(known) = number {
            return *known;
        }
        let new = u32::try_from(self.sources.groups.len()).unwrap_or(u32::MAX);
        *number = Some(new);
        self.sources.groups.push(Group::default());
        self.image.groups.push(Arc::new(Rights::default()));
        new
    }
}

/// The group with this number, which was given out.
pub(super) fn group_in(groups: &mut Vec<Group>, number: GroupNumber) -> &mut Group {
    let at = usize::try_from(number).unwrap_or(usize::MAX);
    while groups.len() <= at {
        groups.push(Group::default());
    }
    #[expect(clippy::indexing_slicing, reason = "as many were just made")]
    &mut groups[at]
}

impl PrincipalRow {
    fn begin(&mut self, head: &HeadRow) {
        self.life = if head.ended { Lifecycle::Ended } else { Lifecycle::Living };
        self.until = head.until;
    }

    fn member(&mut self, group: GroupNumber, until: Option<Timestamp>) {
        match until {
            Some(until) => self.join(group, until),
            None => self.leave(group),
        }
    }
}
