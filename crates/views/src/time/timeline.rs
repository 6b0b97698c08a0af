//! How somebody's access changed, step by step, each with the records behind it.
//!
//! Only records that could matter are looked at: those about the principal, the groups above it, and the roles, objects
//! and projects that the grants reaching it name. A time that passes is a step too, caused by the record that set it.

use std::collections::BTreeSet;

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
        paths::MembershipGraph,
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

/// Most records looked at that change nothing, before a part of the answer is given.
const LOOKS_MAX: usize = 20_000;
/// Most moments compared, likewise.
pub(crate) const MOMENTS_MAX: usize = 2_000;

/// One moment at which access changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessStep {
    /// When: after which record, and at which instant.
    pub moment: Moment,
    /// Whether a time had passed; else the record at the moment's position did it.
    pub by_time: bool,
    /// That record; or those that had set the time.
    pub causes: Vec<Position>,
    /// Who gained and lost what.
    pub changes: Vec<(Principal, AccessChange)>,
}

impl AccessStep {
    pub(crate) fn by_record(moment: Moment) -> Self {
        Self { moment, by_time: false, causes: vec![moment.position], changes: Vec::new() }
    }
}

/// Part of the changes between two moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// The steps, oldest first.
    pub steps: Vec<AccessStep>,
    /// From where to go on; none if this is all.
    pub next: Option<Moment>,
}

impl Snapshot {
    /// How a principal's access changed after one moment, up to another; at most `limit` steps.
    pub fn timeline(
        &self,
        org: OrgId,
        principal: Principal,
        (from, to): (Moment, Moment),
        limit: usize,
    ) -> Result<Timeline, ViewError> {
        let mut steps: Vec<AccessStep> = Vec::new();
        let mut here = from;
        for _ in 0..MOMENTS_MAX {
            let then = self.as_of(here.position);
            let interest = Interest::of(&mut then.checker(org, here.at)?, principal)?;
            let Some(turn) = self.next_turn(org, &interest, here, to)? else {
                return Ok(Timeline { steps, next: None });
            };
            let after = self.as_of(turn.moment.position);
            let sides = ((&then, here.at), (&after, turn.moment.at));
            let change = Comparison::between(org, sides.0, sides.1, None)?.of(principal)?;
            here = turn.moment;
            if change.is_empty() {
                continue;
            }
            if steps.len() == limit {
                return Ok(Timeline { next: steps.last().map(|last| last.moment), steps });
            }
            steps.push(AccessStep { changes: vec![(principal, change)], ..turn });
        }
        Ok(Timeline { steps, next: Some(here) })
    }

    /// The next moment at which something may have changed.
    fn next_turn(
        &self,
        org: OrgId,
        interest: &Interest,
        here: Moment,
        to: Moment,
    ) -> Result<Option<AccessStep>, ViewError> {
        let record = self.next_of_interest(org, interest, here.position, to.position)?;
        let due = record.map_or(to.at, |record| record.at.min(to.at));
        if let Some((at, causes)) = interest.expiry.clone().filter(|(at, _)| *at <= due) {
            let moment = self.moment_before(org, at, (here, to))?;
            return Ok(Some(AccessStep { moment, by_time: true, causes, changes: Vec::new() }));
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

    /// The next record that could matter, or one far enough away that it is time to pause.
    fn next_of_interest(
        &self,
        org: OrgId,
        interest: &Interest,
        after: Position,
        last: Position,
    ) -> Result<Option<Moment>, ViewError> {
        let facets = interest.facets();
        let mut after = after;
        for looked in 1.. {
            let Some(Recorded { position, record, .. }) = self.next_under(org, &facets, (after, last))?
            else {
                break;
            };
            if looked == LOOKS_MAX || record.events.iter().any(|event| interest.matters(event)) {
                return Ok(Some(Moment { position, at: record.at }));
            }
            after = position;
        }
        Ok(None)
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
        let graph: BTreeSet<_> = MembershipGraph::above(checker, principal.into())?.nodes().collect();
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
                    open.extend(checker.role(id)?.into_iter().flat_map(|role| role.includes));
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
