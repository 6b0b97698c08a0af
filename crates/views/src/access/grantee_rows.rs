//! Who reaches a principal, which grants they have, and what those give.

use std::rc::Rc;

use grantbook_domain::{
    access::check::Reason,
    catalog::TypeSet,
    id::{GroupId, RoleId},
    principal::{Grantee, Principal},
    state::Block,
};

use crate::{
    access::checker::{Checker, Stop},
    store::{
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
        let node = Rc::new(node);
        self.nodes.insert(grantee, Rc::clone(&node));
        Ok(node)
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

    /// The principal and every group that it is in now; nobody if it is not active.
    pub(crate) fn reached(&mut self, principal: Principal) -> Result<Rc<[Rc<Node>]>, Stop> {
        if let Some(known) = self.reached.get(&principal) {
            return Ok(Rc::clone(known));
        }
        let mut seen: Vec<Grantee> = vec![principal.into()];
        let mut found = vec![self.active(principal)?];
        let mut next = 0;
        while let Some(member) = found.get(next).map(Rc::clone) {
            for (group, row) in &member.memberships {
                let group = Grantee::Group(*group);
                if self.now < row.until && !seen.contains(&group) {
                    seen.push(group);
                    let above = self.node(group)?;
                    if above.lives() {
                        found.push(above);
                    }
                }
            }
            next += 1;
        }
        let found: Rc<[Rc<Node>]> = found.into();
        self.reached.insert(principal, Rc::clone(&found));
        Ok(found)
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
        let mut seen = vec![id];
        let mut next = 0;
        while let Some(role) = seen.get(next).copied().map(|id| self.role(id)).transpose()?.flatten() {
            blocks.extend(role.blocks);
            for included in role.includes {
                if !seen.contains(&included) {
                    seen.push(included);
                }
            }
            next = next.saturating_add(1);
        }
        let blocks: Rc<[Block]> = blocks.into();
        self.roles.insert(id, Rc::clone(&blocks));
        Ok(blocks)
    }

    pub(crate) fn role(&self, id: RoleId) -> Result<Option<RoleRow>, ViewError> {
        self.snapshot.version(self.org, Kind::Role, &id.bytes(), RoleRow::decode)
    }
}
