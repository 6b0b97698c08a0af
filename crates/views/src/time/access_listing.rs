//! Effective access as text, line by line: the same whatever the format of the view that wrote it, so that two can be compared.
//!
//! A group's access is listed once, on the group's line. The line of each direct or indirect member refers to the
//! group. So the listing grows as the organization does, and [`AccessParts::expand`] gives what a check would say.

mod parts;

use std::collections::HashMap;

use grantbook_domain::{
    access::effective::{ApplicableGrant, CoverRow, covered},
    id::{GroupId, OrgId},
    model::Effect,
    position::{Position, RECORDS_PER_FRAME},
    principal::{Grantee, Principal},
};

pub use self::parts::{Access, AccessParts, CoverPart, Groups, Holder, ListingError, access_lines};
use crate::{
    access::{
        checker::{Checker, Stop},
        grantee_rows::Node,
    },
    store::{
        encode::Take,
        error::ViewError,
        row_key::{self, Kind},
        snapshot::{Cell, Snapshot},
        table::Table,
    },
    time::as_of::Moment,
};

/// The form of the listing: a reader of another form does not understand it.
pub const LISTING_FORM: u32 = 3;
/// The forms that [`AccessParts::parse`] reads.
pub const LISTING_FORMS_READ: [u32; 2] = [2, 3];

/// Principals looked up before what is known of them is forgotten.
const PAGE: usize = 1000;

impl Snapshot {
    /// Who may do what as of the frame at `sequence`, expiry judged at the time of each organization's last record up to
    /// there. Gives each holder of access to `sink`: by organization, groups, then users, then service tokens, each by id.
    ///
    /// Whoever has nothing and is in nothing that has something is left out.
    pub fn access_listing<E: From<ViewError>>(
        &self,
        sequence: u64,
        mut sink: impl FnMut(&AccessParts) -> Result<(), E>,
    ) -> Result<(), E> {
        for org in self.orgs()? {
            let last = Position::of(sequence, RECORDS_PER_FRAME - 1);
            let Moment { position, at } = self.moment_after(org, last)?;
            if position == Position::START {
                continue;
            }
            // The present is found faster than the same position in the past.
            let then = if self.position(org)? == position { self.clone() } else { self.as_of(position) };
            list(&then, &mut then.checker(org, at)?, &mut sink)?;
        }
        Ok(())
    }

    fn groups_ever(&self, org: OrgId) -> Result<Vec<GroupId>, ViewError> {
        let prefix = row_key::thing_kind(org, Kind::Group);
        let rows = self.prefix(Table::Things, &prefix)?;
        let id = |row: Result<(Cell, Cell), ViewError>| {
            let (key, _) = row?;
            let mut key = Take::new(Table::Things, key.value());
            key.raw(prefix.len())?;
            key.id()
        };
        rows.map(id).collect()
    }
}

fn list<E: From<ViewError>>(
    then: &Snapshot,
    checker: &mut Checker<'_>,
    sink: &mut impl FnMut(&AccessParts) -> Result<(), E>,
) -> Result<(), E> {
    let org = checker.org;
    let mut holding: HashMap<GroupId, bool> = HashMap::new();
    for id in then.groups_ever(org)? {
        let node = checker.node(Grantee::Group(id))?;
        if node.lives() {
            let parts = checker.parts(&node, Vec::new())?;
            holding.insert(id, !parts.is_empty());
            if !parts.is_empty() {
                sink(&parts)?;
            }
        }
    }
    let mut after = None;
    loop {
        let page = then.principals(org, after, PAGE)?;
        for principal in &page {
            let parts = checker.parts_of(*principal, &holding)?;
            if let Some(parts) = parts.filter(|parts| !parts.is_empty()) {
                sink(&parts)?;
            }
        }
        checker.forget_principals();
        after = page.last().copied();
        if page.len() < PAGE {
            return Ok(());
        }
    }
}

impl Checker<'_> {
    /// What a principal has, if it is active: the groups that it is in and that have something, and its own grants.
    fn parts_of(
        &mut self,
        principal: Principal,
        holding: &HashMap<GroupId, bool>,
    ) -> Result<Option<AccessParts>, ViewError> {
        let reached = match self.reached(principal) {
            Ok(reached) => reached,
            Err(Stop::Because(_)) => return Ok(None),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let Some((own, above)) = reached.split_first() else { return Ok(None) };
        let mut groups = Vec::with_capacity(above.len());
        for node in above {
            if let Grantee::Group(id) = node.of
                && holding.get(&id) == Some(&true)
            {
                groups.push(id);
            }
        }
        groups.sort_unstable();
        self.parts(own, groups).map(Some)
    }

    /// What the grants to exactly this one allow and deny.
    fn parts(&mut self, node: &Node, groups: Vec<GroupId>) -> Result<AccessParts, ViewError> {
        let mut parts = AccessParts {
            org: self.org,
            holder: Holder::from(node.of),
            groups,
            allow: Vec::new(),
            deny: Vec::new(),
        };
        if !node.grants.is_empty() {
            let grants = self.in_force(node)?;
            parts.allow = self.covered(&grants, Effect::Allow)?.into_iter().map(CoverPart::from).collect();
            parts.deny = self.covered(&grants, Effect::Deny)?.into_iter().map(CoverPart::from).collect();
        }
        Ok(parts)
    }

    fn covered<B: AsRef<[grantbook_domain::state::Block]>>(
        &mut self,
        grants: &[ApplicableGrant<B>],
        effect: Effect,
    ) -> Result<Vec<CoverRow>, ViewError> {
        if grants.iter().all(|grant| grant.effect != effect) {
            return Ok(Vec::new());
        }
        self.with_surroundings(|around, look| covered(around, (grants, effect), look))
    }

    /// Keeps what is known of groups only: of principals there may be very many.
    fn forget_principals(&mut self) {
        self.reached.clear();
        self.nodes.retain(|grantee, _| matches!(grantee, Grantee::Group(_)));
    }
}
