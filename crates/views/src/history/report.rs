//! Who had what, by which grant, on which way: every principal in turn, and the figures that say of how many.
//!
//! A line is one principal and one allow grant that gives it something, with exactly what that grant gives it, denies taken
//! off. So the lines of a principal together are its effective access: no more, no less.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use grantbook_domain::{
    access::{
        effective::{AccessRow, ApplicableGrant},
        pieces::row_ids,
    },
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
        grantee_rows::Node,
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
/// Beyond so many remembered lines and steps of their ways, what is held through groups is worked out anew.
const REMEMBERED_STEPS: usize = 500_000;
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
    /// The membership with which a shortest way to the grantee begins; none for a grant to the principal itself.
    pub own: Option<Step>,
    /// The rest of that way, shared by all who are directly in the same groups.
    pub beyond: Rc<[Step]>,
    /// The earliest end of the principal, the grant and the memberships of `via`; none if none of them ends by itself.
    pub until: Option<Timestamp>,
    /// What it gives.
    pub gift: Rc<Gift>,
}

impl ReportLine {
    /// A shortest way from the principal to the grantee; empty for a grant to the principal itself.
    pub fn via(&self) -> impl Iterator<Item = &Step> {
        self.own.iter().chain(self.beyond.iter())
    }
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
    gifts: HashMap<(GrantId, Rc<[GrantId]>), Rc<Gift>>,
    /// How many ids `gifts` holds.
    remembered: usize,
    /// What is held by those who are directly in these groups, and reached by no deny of their own.
    classes: HashMap<Vec<GroupId>, Rc<Above>>,
    /// How many lines and steps `classes` holds.
    remembered_steps: usize,
    /// For how many principals, or classes of them, lines were worked out.
    worked_out: u64,
}

/// What is held through groups.
#[derive(Debug)]
struct Above {
    /// The denies above.
    denies: Vec<GrantRow>,
    lines: Vec<LineAbove>,
    /// How many lines and steps it has.
    size: usize,
}

/// A grant to a group that is reached.
#[derive(Debug)]
struct LineAbove {
    /// The group in which the way begins.
    first: GroupId,
    grant: GrantId,
    to: Grantee,
    given: Position,
    beyond: Rc<[Step]>,
    /// The earliest end of the grant and of the memberships beyond the first.
    until: Timestamp,
    gift: Rc<Gift>,
}

/// A group that is reached, and from whom.
struct Reached {
    group: GroupId,
    /// The place of the member below among those reached, and its membership; none for those in which somebody is directly.
    below: Option<(usize, MembershipRow)>,
}

impl Snapshot {
    /// Begins a report of what is held at `now`.
    pub fn report(&self, org: OrgId, now: Timestamp, filter: ReportFilter) -> Result<Report<'_>, ViewError> {
        let (gifts, classes) = (HashMap::new(), HashMap::new());
        let checker = self.checker(org, now)?;
        Ok(Report { checker, filter, gifts, remembered: 0, classes, remembered_steps: 0, worked_out: 0 })
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
        let own = match self.checker.active(principal) {
            Ok(own) => own,
            Err(Stop::Because(_)) => return Ok(Vec::new()),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let ends = own.head.map_or(Timestamp::FOREVER, |head| head.until);
        let above = self.above(&own)?;
        let mut lines = Vec::with_capacity(above.lines.len());
        if self.filter.group.is_none() {
            let mut denies = above.denies.clone();
            denies.extend(self.in_force(&own, Effect::Deny)?);
            let denies = by_id(denies);
            for row in self.in_force(&own, Effect::Allow)? {
                let gift = self.gift(own.of, &row, &denies)?;
                let until = row.until.min(ends);
                let line = LineAbove {
                    first: GroupId::from_u128(0),
                    grant: row.id,
                    to: own.of,
                    given: row.from,
                    beyond: Rc::new([]),
                    until,
                    gift,
                };
                lines.extend((!line.gift.rows.is_empty()).then(|| line.of(None, until)));
            }
        }
        for line in &above.lines {
            let found = own.memberships.iter().find(|(group, _)| *group == line.first);
            let Some((group, row)) = found else { continue };
            let step = Step { membership: membership(own.of, *group, row), position: row.from };
            lines.push(line.of(Some(step), line.until.min(row.until).min(ends)));
        }
        self.checker.forget(principal);
        if self.checker.nodes.len() > REMEMBERED_GROUPS {
            self.checker.nodes.clear();
        }
        Ok(lines)
    }

    /// For how many principals, or classes of those who are directly in the same groups, lines were worked out so far.
    pub const fn worked_out(&self) -> u64 {
        self.worked_out
    }

    /// What is held through groups: once for all who are directly in the same ones, unless a deny of its own reaches somebody.
    fn above(&mut self, own: &Node) -> Result<Rc<Above>, ViewError> {
        let denies = self.in_force(own, Effect::Deny)?;
        let direct = own.memberships.iter().filter(|(_, row)| self.checker.now < row.until);
        let direct: Vec<GroupId> = direct.map(|(group, _)| *group).collect();
        if let Some(known) = self.classes.get(&direct).filter(|_| denies.is_empty()) {
            return Ok(Rc::clone(known));
        }
        self.worked_out += 1;
        let is_shared = denies.is_empty();
        let above = Rc::new(self.above_of(&direct, &denies)?);
        if is_shared {
            if self.remembered_steps > REMEMBERED_STEPS {
                self.classes.clear();
                self.remembered_steps = 0;
            }
            self.remembered_steps += above.size;
            self.classes.insert(direct, Rc::clone(&above));
        }
        Ok(above)
    }

    fn above_of(&mut self, direct: &[GroupId], own_denies: &[GrantRow]) -> Result<Above, ViewError> {
        let mut reached = Vec::new();
        let mut seen = HashSet::new();
        for group in direct {
            let lives = self.checker.node(Grantee::Group(*group))?.lives();
            if lives && seen.insert(*group) {
                reached.push(Reached { group: *group, below: None });
            }
        }
        let reached = self.climb(reached, 0)?;
        let mut denies = Vec::new();
        for one in &reached {
            let node = self.checker.node(Grantee::Group(one.group))?;
            denies.extend(self.in_force(&node, Effect::Deny)?);
        }
        let all = by_id(denies.iter().chain(own_denies).cloned().collect());
        let (reached, first) = self.through(reached)?;
        let mut above = Above { denies, lines: Vec::new(), size: 1 };
        for (at, one) in reached.iter().enumerate().skip(first) {
            let node = self.checker.node(Grantee::Group(one.group))?;
            let mut way: Option<(GroupId, Rc<[Step]>)> = None;
            for row in self.in_force(&node, Effect::Allow)? {
                let gift = self.gift(node.of, &row, &all)?;
                if gift.rows.is_empty() {
                    continue;
                }
                let (first, beyond) = way.get_or_insert_with(|| self::way(&reached, at));
                let ends = beyond.iter().filter_map(|step| step.membership.expires_at);
                let until = ends.chain([row.until]).min().unwrap_or(row.until);
                let (first, beyond) = (*first, Rc::clone(beyond));
                let (grant, to, given) = (row.id, node.of, row.from);
                above.lines.push(LineAbove { first, grant, to, given, beyond, until, gift });
                above.size += 1;
            }
            above.size += way.map_or(0, |(_, beyond)| beyond.len());
        }
        Ok(above)
    }

    /// The grants of an effect to exactly this one that are in force.
    fn in_force(&mut self, node: &Node, effect: Effect) -> Result<Vec<GrantRow>, ViewError> {
        let mut found = Vec::new();
        for row in node.grants.iter().filter(|row| row.effect == effect) {
            if self.checker.now < row.until && self.checker.grant_stands(row)? {
                found.push(row.clone());
            }
        }
        Ok(found)
    }

    /// Some groups, and every group above them from one place on.
    fn climb(&mut self, mut reached: Vec<Reached>, mut at: usize) -> Result<Vec<Reached>, ViewError> {
        let mut seen: HashSet<GroupId> = reached.iter().map(|one| one.group).collect();
        while let Some(member) = reached.get(at).map(|one| one.group) {
            for (group, row) in &self.checker.node(Grantee::Group(member))?.memberships {
                let counts =
                    self.checker.now < row.until && self.checker.node(Grantee::Group(*group))?.lives();
                if counts && seen.insert(*group) {
                    reached.push(Reached { group: *group, below: Some((at, *row)) });
                }
            }
            at += 1;
        }
        Ok(reached)
    }

    /// Those whose grants count, with the place of the first of them: all, or those reached through the group asked about.
    fn through(&mut self, reached: Vec<Reached>) -> Result<(Vec<Reached>, usize), ViewError> {
        let Some(group) = self.filter.group else { return Ok((reached, 0)) };
        let Some(at) = reached.iter().position(|one| one.group == group) else { return Ok((Vec::new(), 0)) };
        let mut way: Vec<Reached> = Vec::new();
        for place in places(&reached, at) {
            let below = way.len().checked_sub(1);
            let Some(Reached { group, below: membership }) = reached.get(place) else { continue };
            let below = below.zip(membership.map(|(_, row)| row));
            way.push(Reached { group: *group, below });
        }
        let first = way.len().saturating_sub(1);
        Ok((self.climb(way, first)?, first))
    }

    fn gift(&mut self, to: Grantee, row: &GrantRow, denies: &[GrantRow]) -> Result<Rc<Gift>, ViewError> {
        let denies = self.meeting(row, denies)?;
        let key = (row.id, denies.iter().map(|deny| deny.id).collect());
        if let Some(known) = self.gifts.get(&key) {
            return Ok(Rc::clone(known));
        }
        let given = self.given(row, &[])?;
        let mut denied_by = Vec::new();
        for deny in &denies {
            if self.given(row, std::slice::from_ref(deny))? != given {
                denied_by.push(deny.id);
            }
        }
        let rows = if denied_by.is_empty() { given } else { self.given(row, &denies)? };
        let rows = self.wanted(rows)?;
        let gift = Rc::new(Gift { rows, denied_by });
        if to.principal().is_none() {
            let ids: usize = gift.rows.iter().map(row_ids).sum();
            if self.remembered > REMEMBERED_IDS {
                self.gifts.clear();
                self.remembered = 0;
            }
            self.remembered = self.remembered.saturating_add(ids).saturating_add(key.1.len());
            self.gifts.insert(key, Rc::clone(&gift));
        }
        Ok(gift)
    }

    /// Of some denies those that have a permission and a type in common with a grant: no other takes anything of it away.
    fn meeting(&mut self, row: &GrantRow, denies: &[GrantRow]) -> Result<Vec<GrantRow>, ViewError> {
        let given = self.checker.blocks(row)?;
        let mut found = Vec::new();
        for deny in denies {
            let taken = self.checker.blocks(deny)?;
            let meets = |one: &Block, other: &Block| {
                let types = one.types.intersect(row.types).intersect(other.types).intersect(deny.types);
                !one.permissions.intersect(other.permissions).is_empty() && !types.is_empty()
            };
            if given.iter().any(|one| taken.iter().any(|other| meets(one, other))) {
                found.push(deny.clone());
            }
        }
        Ok(found)
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

impl LineAbove {
    fn of(&self, own: Option<Step>, until: Timestamp) -> ReportLine {
        let Self { grant, to, given, beyond, gift, .. } = self;
        let until = Some(until).filter(|until| *until != Timestamp::FOREVER);
        let (beyond, gift) = (Rc::clone(beyond), Rc::clone(gift));
        ReportLine { grant: *grant, to: *to, given: *given, own, beyond, until, gift }
    }
}

fn by_id(mut grants: Vec<GrantRow>) -> Vec<GrantRow> {
    grants.sort_by_key(|row| row.id);
    grants
}

/// The places on the way to a group that is reached, from the first on.
fn places(reached: &[Reached], at: usize) -> Vec<usize> {
    let below = |at: &usize| reached.get(*at)?.below.map(|(below, _)| below);
    let mut places: Vec<usize> = std::iter::successors(Some(at), below).collect();
    places.reverse();
    places
}

/// The group in which the way to a group that is reached begins, and the memberships beyond.
fn way(reached: &[Reached], at: usize) -> (GroupId, Rc<[Step]>) {
    let places = places(reached, at);
    let first = places.first().and_then(|first| reached.get(*first));
    let step = |at: usize| {
        let Reached { group, below } = reached.get(at)?;
        let (below, row) = below.as_ref()?;
        let member = Grantee::Group(reached.get(*below)?.group);
        Some(Step { membership: membership(member, *group, row), position: row.from })
    };
    let first = first.map_or(GroupId::from_u128(0), |first| first.group);
    (first, places.into_iter().filter_map(step).collect())
}
