//! Who reaches a principal, which grants they have, and what those give.

use std::{
    collections::{BTreeSet, HashSet},
    iter,
    rc::Rc,
};

use grantbook_domain::{
    access::check::Reason,
    catalog::TypeSet,
    id::{GroupId, RoleId},
    model::Membership,
    principal::{Grantee, Principal},
    state::Block,
};

use crate::{
    access::checker::{Checker, Stop},
    store::{
        entities,
        error::ViewError,
        row::{Given, GrantRow, HeadRow, MembershipRow, RoleRow},
        row_key::{Kind, tag},
    },
};

/// All that one range of `access` says of a user, token or group.
#[derive(Debug, PartialEq)]
pub(crate) struct Node {
    /// Of whom.
    pub(crate) of: Grantee,
    /// None if there is no such.
    pub(crate) head: Option<HeadRow>,
    /// The groups it is directly in, by memberships that were not removed.
    pub(crate) memberships: Vec<(GroupId, MembershipRow)>,
    /// The unrevoked grants to exactly it.
    pub(crate) grants: Vec<GrantRow>,
}

impl Node {
    pub(crate) fn lives(&self) -> bool {
        self.head.is_some_and(|head| !head.ended)
    }
}

impl Checker<'_> {
    pub(crate) fn node(&mut self, grantee: Grantee) -> Result<Rc<Node>, ViewError> {
        if let Some(known) = self.nodes.get(&grantee) {
            return Ok(Rc::clone(known));
        }
        let mut node = Node { of: grantee, head: None, memberships: Vec::new(), grants: Vec::new() };
        self.snapshot.access_rows(self.org, grantee, |mut key, value| {
            match key.u8()? {
                tag::HEAD => node.head = Some(HeadRow::decode(value)?),
                tag::MEMBERSHIP => node.memberships.push((key.id()?, MembershipRow::decode(value)?)),
                tag::GRANT => node.grants.push(GrantRow::decode(key.id()?, value)?),
                other => return Err(key.bad(format!("tag {other}"))),
            }
            Ok(())
        })?;
        // Rows as of an earlier moment come in the order of their versions; paths and their cursors need one that stays.
        node.memberships.sort_by_key(|(group, _)| *group);
        node.grants.sort_by_key(|grant| grant.id);
        let node = Rc::new(node);
        self.nodes.insert(grantee, Rc::clone(&node));
        Ok(node)
    }

    /// The memberships in living groups that somebody has, not removed, by the id of the group; their time may have passed.
    pub fn memberships_of(&mut self, member: Grantee) -> Result<Vec<Membership>, ViewError> {
        let node = self.node(member)?;
        let mut living = Vec::new();
        for (group, row) in &node.memberships {
            if self.node(Grantee::Group(*group))?.lives() {
                living.push(entities::membership(member, *group, row));
            }
        }
        Ok(living)
    }

    /// The principal's node, if it is active now.
    pub(crate) fn active(&mut self, principal: Principal) -> Result<Rc<Node>, Stop> {
        let node = self.node(principal.into())?;
        match node.head {
            None => Err(Reason::UnknownPrincipal.into()),
            Some(head) if head.ended || self.now >= head.until => Err(Reason::InactivePrincipal.into()),
            Some(_) => Ok(node),
        }
    }

    /// The principal and every group that it is in now, nearest first; nobody if it is not active.
    pub(crate) fn reached(&mut self, principal: Principal) -> Result<Rc<[Rc<Node>]>, Stop> {
        if let Some(known) = self.reached.get(&principal) {
            return Ok(Rc::clone(known));
        }
        let own = self.active(principal)?;
        let above = self.above(&own)?;
        let found: Rc<[Rc<Node>]> = iter::once(own).chain(above.iter().map(Rc::clone)).collect();
        self.reached.insert(principal, Rc::clone(&found));
        Ok(found)
    }

    /// Every group that somebody is in now, nearest first: looked for once for all who are directly in the same groups.
    pub(crate) fn above(&mut self, own: &Node) -> Result<Rc<[Rc<Node>]>, ViewError> {
        let in_force = |member: &Node, now| -> Vec<GroupId> {
            let memberships = member.memberships.iter().filter(|(_, row)| now < row.until);
            memberships.map(|(group, _)| *group).collect()
        };
        let direct = in_force(own, self.now);
        if let Some(known) = self.above.get(&direct) {
            return Ok(Rc::clone(known));
        }
        let mut seen: HashSet<GroupId> = HashSet::new();
        let mut found: Vec<Rc<Node>> = Vec::new();
        let (mut open, mut next) = (direct.clone(), 0);
        loop {
            for group in open {
                if seen.insert(group) {
                    let above = self.node(Grantee::Group(group))?;
                    if above.lives() {
                        found.push(above);
                    }
                }
            }
            let Some(member) = found.get(next) else { break };
            open = in_force(member, self.now);
            next += 1;
        }
        let found: Rc<[Rc<Node>]> = found.into();
        self.above.insert(direct, Rc::clone(&found));
        Ok(found)
    }

    /// Forgets what is known of a principal: nobody asks about it again, and there are many.
    pub(crate) fn forget(&mut self, principal: Principal) {
        self.reached.remove(&principal);
        self.nodes.remove(&Grantee::from(principal));
    }

    /// What a grant gives or takes on the types it is restricted to; the caller still cuts by [`GrantRow::types`].
    pub(crate) fn blocks(&mut self, grant: &GrantRow) -> Result<Rc<[Block]>, ViewError> {
        match grant.given {
            Given::Permissions(permissions) => Ok(Rc::new([Block { permissions, types: TypeSet::ALL }])),
            Given::Role(id) => self.role_blocks(id),
        }
    }

    /// The permissions a role gives, its includes followed.
    pub(crate) fn role_blocks(&mut self, id: RoleId) -> Result<Rc<[Block]>, ViewError> {
        if let Some(known) = self.roles.get(&id) {
            return Ok(Rc::clone(known));
        }
        let mut blocks = Vec::new();
        let (mut seen, mut open) = (BTreeSet::from([id]), vec![id]);
        while let Some(id) = open.pop() {
            let Some(role) = self.role(id)? else { continue };
            blocks.extend_from_slice(&role.blocks);
            open.extend(role.includes.iter().copied().filter(|included| seen.insert(*included)));
        }
        let blocks: Rc<[Block]> = blocks.into();
        self.roles.insert(id, Rc::clone(&blocks));
        Ok(blocks)
    }

    pub(crate) fn role(&mut self, id: RoleId) -> Result<Option<Rc<RoleRow>>, ViewError> {
        if let Some(known) = self.role_rows.get(&id) {
            return Ok(known.clone());
        }
        let role = self.snapshot.version(self.org, Kind::Role, &id.bytes(), RoleRow::decode)?.map(Rc::new);
        self.role_rows.insert(id, role.clone());
        Ok(role)
    }
}
