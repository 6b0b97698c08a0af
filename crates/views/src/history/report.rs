//! Who had what, by which grant, on which way: every principal in turn, and the figures that say of how many.
//!
//! A line is one principal and one allow grant that gives it something, with exactly what that grant gives it, denies taken
//! off. So the lines of a principal together are its effective access: no more, no less.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use grantbook_domain::{
    access::effective::{AccessRow, ApplicableGrant, ProjectSet},
    catalog::{Lineage, ObjectType},
    id::{GrantId, GroupId, OrgId, ProjectId},
    model::Effect,
    position::Position,
    principal::{Grantee, Principal},
    scope::Scope,
    state::Block,
    time::Timestamp,
};

use crate::{
    access::{
        checker::{Checker, Stop},
        explain::Step,
        locate::place_of,
    },
    store::{
        entities::membership,
        error::ViewError,
        row::{GrantRow, MembershipRow, ProjectRow},
        row_key::{self, Kind},
        snapshot::Snapshot,
        table::Table,
    },
};

/// Beyond so many remembered ids the gifts of grants are worked out anew.
const REMEMBERED_IDS: usize = 1_000_000;
/// Beyond so many remembered groups their rows are read anew.
const REMEMBERED_GROUPS: usize = 20_000;

/// Which lines; a line must meet every condition that is present.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportFilter {
    /// Through a membership in this group, its own or of a group in it.
    pub group: Option<GroupId>,
    /// On this project or something in it: of a grant, only the parts that are.
    pub project: Option<ProjectId>,
    /// With this permission: of a grant, only the parts that have it.
    pub permission: Option<String>,
}

/// One principal and one grant that gives it something.
#[derive(Debug, Clone)]
pub struct ReportLine {
    /// The grant.
    pub grant: GrantId,
    /// Whom it was given to: the principal, or the last group of `via`.
    pub to: Grantee,
    /// The record that gave it.
    pub given: Position,
    /// A shortest way from the principal to the grantee; empty for a grant to the principal itself.
    pub via: Vec<Step>,
    /// The earliest end of the principal, the grant and the memberships of `via`; none if none of them ends by itself.
    pub until: Option<Timestamp>,
    /// What it gives.
    pub gift: Rc<Gift>,
}

/// What one grant gives whoever is reached by it and by the same denies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gift {
    /// Permission by permission, as [`EffectiveAccess`](crate::EffectiveAccess) has it.
    pub rows: Vec<AccessRow>,
    /// The deny grants that take something of it away, by id.
    pub denied_by: Vec<GrantId>,
}

/// How many there are of what a report is about, where the snapshot stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Population {
    /// Users that are active.
    pub users: u64,
    /// Users that were deactivated.
    pub users_ended: u64,
    /// Service tokens that are active.
    pub tokens: u64,
    /// Service tokens that were deleted, or whose time has passed.
    pub tokens_ended: u64,
    /// Groups that were not deleted.
    pub groups: u64,
    /// Projects that were not deleted.
    pub projects: u64,
    /// Grants, allow and deny, neither revoked nor past their time; those of ended grantees and objects are among them.
    pub grants: u64,
    /// Grants that were revoked, or whose time has passed.
    pub grants_ended: u64,
    /// Records of the organization.
    pub records: u64,
}

/// A report under way: asked for one principal after another.
#[derive(Debug)]
pub struct Report<'s> {
    checker: Checker<'s>,
    filter: ReportFilter,
    gifts: HashMap<(GrantId, Vec<GrantId>), Rc<Gift>>,
    /// How many ids `gifts` holds.
    remembered: usize,
}

/// Somebody who is reached, and from whom.
struct Reached {
    who: Grantee,
    /// The place of the member below among those reached, and its membership.
    below: Option<(usize, MembershipRow)>,
}

impl Snapshot {
    /// Begins a report of what is held at `now`.
    pub fn report(&self, org: OrgId, now: Timestamp, filter: ReportFilter) -> Result<Report<'_>, ViewError> {
        Ok(Report { checker: self.checker(org, now)?, filter, gifts: HashMap::new(), remembered: 0 })
    }

    /// How many there are of everything.
    pub fn population(&self, org: OrgId, now: Timestamp) -> Result<Population, ViewError> {
        let mut found = Population::default();
        (found.users, found.users_ended) = self.count(org, Kind::User, now)?;
        (found.tokens, found.tokens_ended) = self.count(org, Kind::Token, now)?;
        (found.groups, _) = self.count(org, Kind::Group, now)?;
        (found.projects, _) = self.count(org, Kind::Project, now)?;
        (found.grants, found.grants_ended) = self.count(org, Kind::Grant, now)?;
        let last = self.record(org, self.position(org)?)?;
        found.records = last.map_or(0, |record| record.ordinal);
        Ok(found)
    }

    /// How many things of a kind live, and how many have ended by an event or by their time.
    fn count(&self, org: OrgId, kind: Kind, now: Timestamp) -> Result<(u64, u64), ViewError> {
        let (mut living, mut ended) = (0, 0);
        for row in self.prefix(Table::Things, &row_key::thing_kind(org, kind))? {
            let (key, value) = row?;
            let over = self.version_of_row(key.value(), value.value(), |version| {
                Ok(version.ended || now >= version.until)
            })?;
            match over {
                Some(false) => living += 1,
                Some(true) => ended += 1,
                None => {}
            }
        }
        Ok((living, ended))
    }
}

impl Report<'_> {
    /// What the principal holds by which grants: by grantee as they are reached, nearest first, then by the grant's id.
    /// Nothing if it is not active, or not known yet.
    pub fn of(&mut self, principal: Principal) -> Result<Vec<ReportLine>, ViewError> {
        let reached = self.reached(principal)?;
        let denies = self.denies(&reached)?;
        let (reached, first) = self.through(reached)?;
        let own = self.checker.node(principal.into())?.head.map_or(Timestamp::FOREVER, |head| head.until);
        let mut lines = Vec::new();
        for (at, to) in reached.iter().map(|one| one.who).enumerate().skip(first) {
            let node = self.checker.node(to)?;
            for row in node.grants.iter().filter(|row| row.effect == Effect::Allow) {
                if !self.in_force(row)? {
                    continue;
                }
                let gift = self.gift(to, row, &denies)?;
                if gift.rows.is_empty() {
                    continue;
                }
                let via = way(&reached, at);
                let ends = via.iter().filter_map(|step| step.membership.expires_at);
                let until = ends.chain([row.until, own]).min().filter(|until| *until != Timestamp::FOREVER);
                lines.push(ReportLine { grant: row.id, to, given: row.from, via, until, gift });
            }
        }
        // Nobody asks about the same principal again, and there are many.
        self.checker.nodes.remove(&Grantee::from(principal));
        if self.checker.nodes.len() > REMEMBERED_GROUPS {
            self.checker.nodes.clear();
        }
        Ok(lines)
    }

    fn in_force(&mut self, row: &GrantRow) -> Result<bool, ViewError> {
        Ok(self.checker.now < row.until && self.checker.grant_stands(row)?)
    }

    /// The principal and everybody above it, nearest first; nobody if it is not active.
    fn reached(&mut self, principal: Principal) -> Result<Vec<Reached>, ViewError> {
        match self.checker.active(principal) {
            Ok(_) => self.climb(vec![Reached { who: principal.into(), below: None }]),
            Err(Stop::Because(_)) => Ok(Vec::new()),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// A way up, and everybody above its last.
    fn climb(&mut self, mut way: Vec<Reached>) -> Result<Vec<Reached>, ViewError> {
        let mut seen: HashSet<Grantee> = way.iter().map(|one| one.who).collect();
        let mut at = way.len().saturating_sub(1);
        while let Some(member) = way.get(at).map(|one| one.who) {
            for (group, row) in &self.checker.node(member)?.memberships {
                let who = Grantee::Group(*group);
                let counts = self.checker.now < row.until && self.checker.node(who)?.lives();
                if counts && seen.insert(who) {
                    way.push(Reached { who, below: Some((at, *row)) });
                }
            }
            at += 1;
        }
        Ok(way)
    }

    /// Those whose grants count, with the place of the first of them: all, or those reached through the group asked about.
    fn through(&mut self, reached: Vec<Reached>) -> Result<(Vec<Reached>, usize), ViewError> {
        let Some(group) = self.filter.group.map(Grantee::Group) else { return Ok((reached, 0)) };
        let Some(at) = reached.iter().position(|one| one.who == group) else { return Ok((Vec::new(), 0)) };
        let mut way: Vec<Reached> = Vec::new();
        for place in places(&reached, at) {
            let below = way.len().checked_sub(1);
            let Some(Reached { who, below: membership }) = reached.get(place) else { continue };
            let below = below.zip(membership.map(|(_, row)| row));
            way.push(Reached { who: *who, below });
        }
        let first = way.len().saturating_sub(1);
        Ok((self.climb(way)?, first))
    }

    /// The denies in force that reach somebody, by id.
    fn denies(&mut self, reached: &[Reached]) -> Result<Vec<GrantRow>, ViewError> {
        let mut denies = Vec::new();
        for one in reached {
            for row in self.checker.node(one.who)?.grants.iter().filter(|row| row.effect == Effect::Deny) {
                if self.in_force(row)? {
                    denies.push(row.clone());
                }
            }
        }
        denies.sort_by_key(|row| row.id);
        Ok(denies)
    }

    fn gift(&mut self, to: Grantee, row: &GrantRow, denies: &[GrantRow]) -> Result<Rc<Gift>, ViewError> {
        let key = (row.id, denies.iter().map(|deny| deny.id).collect());
        if let Some(known) = self.gifts.get(&key) {
            return Ok(Rc::clone(known));
        }
        let given = self.given(row, &[])?;
        let mut denied_by = Vec::new();
        for deny in denies {
            if self.given(row, std::slice::from_ref(deny))? != given {
                denied_by.push(deny.id);
            }
        }
        let rows = if denied_by.is_empty() { given } else { self.given(row, denies)? };
        let rows = self.wanted(rows)?;
        let gift = Rc::new(Gift { rows, denied_by });
        if to.principal().is_none() {
            let ids: usize = gift.rows.iter().map(size).sum();
            if self.remembered > REMEMBERED_IDS {
                self.gifts.clear();
                self.remembered = 0;
            }
            self.remembered = self.remembered.saturating_add(ids).saturating_add(key.1.len());
            self.gifts.insert(key, Rc::clone(&gift));
        }
        Ok(gift)
    }

    /// What a grant gives whom these denies reach too.
    fn given(&mut self, row: &GrantRow, denies: &[GrantRow]) -> Result<Vec<AccessRow>, ViewError> {
        let mut reaching: Vec<ApplicableGrant<Rc<[Block]>>> = Vec::new();
        for row in [row].into_iter().chain(denies) {
            let (scope, blocks) = (row.scope.clone(), self.checker.blocks(row)?);
            reaching.push(ApplicableGrant { scope, effect: row.effect, types: row.types, blocks });
        }
        let all = self.checker.every_project()?;
        self.checker.every_project = Some(self.touched(&row.scope)?.unwrap_or_else(|| Rc::clone(&all)));
        let surveyed = self.checker.survey(&reaching);
        self.checker.every_project = Some(all);
        surveyed
    }

    /// The projects that a scope can be about, if it is one object's: most grants are, and to look at every project for
    /// each of them would take long.
    fn touched(&mut self, scope: &Scope) -> Result<Option<Rc<[Rc<ProjectRow>]>>, ViewError> {
        let Scope::Object(object) = scope else { return Ok(None) };
        match self.checker.catalog.object_type(&object.object_type) {
            None | Some(ObjectType::ORGANIZATION | ObjectType::ORG_PROJECT) => Ok(None),
            Some(ObjectType::PROJECT) => {
                let id = object.id.parse().ok();
                let found = id.map(|id| self.checker.living_project(id)).transpose()?.flatten();
                Ok(Some(found.into_iter().collect()))
            }
            Some(_) => Ok(Some(Rc::new([]))),
        }
    }

    /// The parts that the filter asks for.
    fn wanted(&mut self, rows: Vec<AccessRow>) -> Result<Vec<AccessRow>, ViewError> {
        let mut wanted = Vec::new();
        for row in rows {
            let named = self.filter.permission.as_ref().is_none_or(|name| *name == row.permission);
            if named && self.is_on_project(&row)? {
                wanted.push(row);
            }
        }
        Ok(wanted)
    }

    fn is_on_project(&mut self, row: &AccessRow) -> Result<bool, ViewError> {
        let Some(project) = self.filter.project else { return Ok(true) };
        let catalog = &self.checker.catalog;
        let in_projects = |kind| matches!(catalog.lineage(kind), Lineage::Project | Lineage::InProject);
        let mut types = row.types.iter().filter_map(|name| catalog.object_type(name));
        if row.projects.has(project) && types.any(in_projects) {
            return Ok(true);
        }
        for object in &row.objects {
            let place = place_of(&mut self.checker, object)?;
            if place.is_some_and(|place| place.located.project == Some(project)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The places on the way to one who is reached, from the first on.
fn places(reached: &[Reached], at: usize) -> Vec<usize> {
    let below = |at: &usize| reached.get(*at)?.below.map(|(below, _)| below);
    let mut places: Vec<usize> = std::iter::successors(Some(at), below).collect();
    places.reverse();
    places
}

/// The memberships on the way to one who is reached, the principal's own first.
fn way(reached: &[Reached], at: usize) -> Vec<Step> {
    let step = |at: usize| {
        let Reached { who, below } = reached.get(at)?;
        let (below, row) = below.as_ref()?;
        let Grantee::Group(group) = *who else { return None };
        let member = reached.get(*below)?.who;
        Some(Step { membership: membership(member, group, row), position: row.from })
    };
    places(reached, at).into_iter().filter_map(step).collect()
}

fn size(row: &AccessRow) -> usize {
    let (ProjectSet::Only(ids) | ProjectSet::AllBut(ids)) = &row.projects;
    ids.len().saturating_add(row.objects.len()).saturating_add(row.except.len()).saturating_add(1)
}
