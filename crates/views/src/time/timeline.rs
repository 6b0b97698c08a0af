//! How somebody's access changed, step by step, each with the records behind it.
//!
//! Only records that could matter are looked at: those about the principal, the groups above it, and the roles, objects
//! and projects that the grants reaching it name. A time that passes is a step too, caused by the record that set it.

use std::{collections::BTreeSet, rc::Rc};

use grantbook_domain::{
    event::{Event, kind::EventKind},
    id::{OrgId, ProjectId, RoleId},
    position::Position,
    principal::{Grantee, Principal},
    record::{Record, Recorded},
    scope::{ObjectRef, Scope},
    time::Timestamp,
};

use crate::{
    access::{
        checker::{Checker, Stop},
        graph::MembershipGraph,
    },
    history::{
        audit::{Order, Span},
        facet::Facet,
    },
    store::{
        error::ViewError,
        row::{Given, GrantRow},
        snapshot::Snapshot,
    },
    time::{
        affected::Affected,
        as_of::Moment,
        diff::{AccessChange, Comparison},
    },
};

/// Units of work of looking for the next record under one facet.
const FACET_WORK: u64 = 100;
/// After so much work on records that change nothing it is time to pause.
const PAUSE_WORK: u64 = 1_000_000;
/// Units of work of reading a record, or what is said of a user, token or group.
const READ_WORK: u64 = 400;

/// One moment at which access changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessStep {
    /// When: after which record, and at which instant.
    pub moment: Moment,
    /// Whether a time had passed; else the record at the moment's position did it.
    pub by_time: bool,
    /// That record; or those that had set the time.
    pub causes: Vec<Position>,
    /// How many object types the catalog had before and after.
    pub types: [usize; 2],
    /// Who gained and lost what.
    pub changes: Vec<(Principal, Rc<AccessChange>)>,
}

impl AccessStep {
    pub(crate) fn by_record(moment: Moment) -> Self {
        Self { moment, by_time: false, causes: vec![moment.position], types: [0; 2], changes: Vec::new() }
    }
}

/// Which part of the changes between two moments.
#[derive(Debug, Clone, Copy)]
pub struct TimelinePart {
    /// After this moment.
    pub from: Moment,
    /// Up to this one.
    pub to: Moment,
    /// Beyond this principal in the first step; the whole of it if absent.
    pub after: Option<Principal>,
    /// At most so many steps.
    pub steps: usize,
    /// It ends with the change that makes it this long, in about so many bytes of JSON.
    pub bytes: usize,
    /// It ends with the moment, or the principal, that makes it cost so many units of work.
    pub work: u64,
}

impl TimelinePart {
    /// Everything between two moments.
    pub const fn whole(from: Moment, to: Moment) -> Self {
        Self { from, to, after: None, steps: usize::MAX, bytes: usize::MAX, work: u64::MAX }
    }
}

/// Where a timeline goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelinePlace {
    /// After this moment.
    pub moment: Moment,
    /// Beyond this principal in the step that comes next.
    pub after: Option<Principal>,
}

/// Part of the changes between two moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// The steps, oldest first. The first may be the rest of a step, the last the beginning of one.
    pub steps: Vec<AccessStep>,
    /// From where to go on; none if this is all.
    pub next: Option<TimelinePlace>,
}

impl Timeline {
    pub(crate) fn until(steps: Vec<AccessStep>, moment: Moment) -> Self {
        Self { steps, next: Some(TimelinePlace { moment, after: None }) }
    }
}

impl Snapshot {
    /// How a principal's access changed after one moment, up to another.
    pub fn timeline(
        &self,
        org: OrgId,
        principal: Principal,
        part: &TimelinePart,
    ) -> Result<Timeline, ViewError> {
        let mut steps: Vec<AccessStep> = Vec::new();
        let (mut here, mut bytes, mut work) = (part.from, 0_usize, 0_u64);
        loop {
            let then = self.as_of(here.position);
            let interest = Interest::of(&mut then.checker(org, here.at)?, principal)?;
            work = work.saturating_add(READ_WORK * interest.graph.len() as u64);
            let Some(turn) = self.next_turn(org, &interest, (here, part.to), &mut work)? else {
                return Ok(Timeline { steps, next: None });
            };
            let after = self.as_of(turn.moment.position);
            let mut comparison = Comparison::between(org, (&then, here.at), (&after, turn.moment.at), None)?;
            let change = comparison.of(principal)?;
            work = work.saturating_add(comparison.tally().work);
            here = turn.moment;
            if !change.is_empty() {
                if steps.len() == part.steps {
                    let last = steps.last().map_or(part.from, |last| last.moment);
                    return Ok(Timeline::until(steps, last));
                }
                bytes = bytes.saturating_add(change.bytes());
                steps.push(AccessStep {
                    types: comparison.types(),
                    changes: vec![(principal, change)],
                    ..turn
                });
            }
            if work >= part.work || bytes >= part.bytes {
                return Ok(Timeline::until(steps, here));
            }
        }
    }

    /// The next moment at which something may have changed.
    fn next_turn(
        &self,
        org: OrgId,
        interest: &Interest,
        (here, to): (Moment, Moment),
        work: &mut u64,
    ) -> Result<Option<AccessStep>, ViewError> {
        let record = self.next_of_interest(org, interest, (here.position, to.position), work)?;
        let due = record.map_or(to.at, |record| record.at.min(to.at));
        if let Some((at, causes)) = interest.expiry.clone().filter(|(at, _)| *at <= due) {
            let moment = self.moment_before(org, at, (here, to))?;
            return Ok(Some(AccessStep { by_time: true, causes, ..AccessStep::by_record(moment) }));
        }
        Ok(record.map(AccessStep::by_record))
    }

    /// The moment at which a time has just passed. Records between `here` and it change nothing; one at this very instant
    /// comes after.
    pub(crate) fn moment_before(
        &self,
        org: OrgId,
        at: Timestamp,
        (here, to): (Moment, Moment),
    ) -> Result<Moment, ViewError> {
        let before = self.moment_at(org, at.plus_millis(-1))?.position;
        Ok(Moment { position: before.min(to.position).max(here.position), at })
    }

    /// The next record that could matter, or one so far away that it is time to pause.
    fn next_of_interest(
        &self,
        org: OrgId,
        interest: &Interest,
        (after, last): (Position, Position),
        work: &mut u64,
    ) -> Result<Option<Moment>, ViewError> {
        let facets = interest.facets();
        let (mut after, each) = (after, READ_WORK + FACET_WORK * facets.len() as u64);
        let pause = work.saturating_add(PAUSE_WORK);
        loop {
            *work = work.saturating_add(each);
            let Some(Recorded { position, record, .. }) = self.next_under(org, &facets, (after, last))?
            else {
                return Ok(None);
            };
            if *work >= pause || record.events.iter().any(|event| interest.matters(event)) {
                return Ok(Some(Moment { position, at: record.at }));
            }
            after = position;
        }
    }

    /// The next record under any of the facets, beyond one position and up to another.
    pub(crate) fn next_under(
        &self,
        org: OrgId,
        facets: &[Facet],
        (after, last): (Position, Position),
    ) -> Result<Option<Recorded>, ViewError> {
        let first = Position::from_u64(after.get().saturating_add(1));
        let mut nearest: Option<Position> = None;
        for facet in facets {
            let span = Span { first, last: nearest.unwrap_or(last) };
            if span.first <= span.last {
                let found = self.next_in(&facet.key(org), Order::Ascending, span)?;
                nearest = found.or(nearest);
            }
        }
        let Some(position) = nearest else { return Ok(None) };
        let record: Option<Record> = self.record(org, position)?;
        let record = record.ok_or_else(|| ViewError::bad_row("audit", "points to no record"))?;
        Ok(Some(Recorded { position, org, record }))
    }
}

/// What a principal's access rests on.
#[derive(Debug)]
struct Interest {
    principal: Principal,
    /// Itself and every living group above it, through memberships expired or not.
    graph: BTreeSet<Grantee>,
    roles: BTreeSet<RoleId>,
    objects: BTreeSet<ObjectRef>,
    projects: BTreeSet<ProjectId>,
    /// Whether a grant is on projects that it does not name.
    wide: bool,
    /// The next instant at which a time passes, and the records that set it.
    expiry: Option<(Timestamp, Vec<Position>)>,
}

impl Interest {
    fn of(checker: &mut Checker<'_>, principal: Principal) -> Result<Self, ViewError> {
        let graph: BTreeSet<_> =
            MembershipGraph::above(checker, principal.into())?.nodes().iter().copied().collect();
        let (roles, objects, projects) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut interest = Self { principal, graph, roles, objects, projects, wide: false, expiry: None };
        for grantee in interest.graph.clone() {
            for grant in &checker.node(grantee)?.grants {
                interest.add_grant(checker, grant)?;
            }
        }
        match checker.reached(principal) {
            Ok(reached) => {
                let own = reached.first().and_then(|node| node.head);
                if let Some(head) = own {
                    interest.expires(checker.now, head.until, head.from);
                }
                for node in reached.iter() {
                    let memberships = node.memberships.iter().map(|(_, row)| (row.until, row.from));
                    let grants = node.grants.iter().map(|row| (row.until, row.from));
                    for (at, set_by) in memberships.chain(grants) {
                        interest.expires(checker.now, at, set_by);
                    }
                }
            }
            // Who is not active has nothing that could end.
            Err(Stop::Because(_)) => {}
            Err(Stop::Failed(error)) => return Err(error),
        }
        Ok(interest)
    }

    fn add_grant(&mut self, checker: &mut Checker<'_>, grant: &GrantRow) -> Result<(), ViewError> {
        if let Given::Role(id) = grant.given {
            let mut open = vec![id];
            while let Some(id) = open.pop() {
                if self.roles.insert(id) {
                    open.extend(checker.role(id)?.into_iter().flat_map(|role| role.includes.clone()));
                }
            }
        }
        match &grant.scope {
            Scope::Organization | Scope::Projects(_) => self.wide = true,
            Scope::Object(object) => match (object.object_type.as_str(), object.id.parse()) {
                ("organization" | "org_project", _) => self.wide = true,
                ("project", Ok(id)) => drop(self.projects.insert(id)),
                _ => {
                    self.projects.extend(object.project);
                    self.objects.insert(object.clone());
                }
            },
        }
        Ok(())
    }

    fn expires(&mut self, now: Timestamp, at: Timestamp, set_by: Position) {
        if at <= now || at == Timestamp::FOREVER {
            return;
        }
        match &mut self.expiry {
            Some((first, causes)) if *first == at => {
                if !causes.contains(&set_by) {
                    causes.push(set_by);
                }
            }
            Some((first, _)) if *first < at => {}
            expiry => *expiry = Some((at, vec![set_by])),
        }
    }

    fn facets(&self) -> Vec<Facet> {
        let mut facets = vec![Facet::Principal(self.principal), Facet::Event(EventKind::CatalogExtended)];
        facets.extend(self.graph.iter().filter_map(|grantee| match grantee {
            Grantee::Group(id) => Some(Facet::Group(*id)),
            Grantee::User(_) | Grantee::Token(_) => None,
        }));
        let role = |id: &RoleId| ObjectRef::new("role", id.to_string());
        facets.extend(self.roles.iter().map(|id| Facet::Object(role(id))));
        facets.extend(self.objects.iter().cloned().map(Facet::of_object));
        if self.wide {
            let projects = [EventKind::ProjectCreated, EventKind::ProjectUpdated, EventKind::ProjectDeleted];
            facets.extend(projects.map(Facet::Event));
        }
        facets.extend(self.projects.iter().copied().map(Facet::Project));
        facets
    }

    /// Whether an event could change what the principal may do.
    fn matters(&self, event: &Event) -> bool {
        match Affected::by(event) {
            Affected::Nobody => false,
            Affected::Everybody => true,
            Affected::Grantee(grantee) => self.graph.contains(&grantee),
            Affected::Grant(grant) => self.graph.contains(&grant.to),
            Affected::Group(id) => {
                self.graph.contains(&Grantee::Group(id)) || self.names("group", &id.to_string())
            }
            Affected::Role(id) => self.roles.contains(&id) || self.names("role", &id.to_string()),
            Affected::Project(project) => self.wide || self.projects.contains(&project.id),
            Affected::Object(object) => self.objects.contains(&object.object),
        }
    }

    fn names(&self, object_type: &str, id: &str) -> bool {
        self.objects.iter().any(|object| object.object_type == object_type && object.id == id)
    }
}
