//! How access to one project changed, step by step: whose, and by which records.
//!
//! Every record is looked at that is about the project, memberships, grants, roles or the end of somebody, and only those are
//! compared whom it could concern: the members below the grantee that it is about, or everybody if the project or a role
//! itself has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
};

use grantbook_domain::{
    access::check::Target,
    event::{
        Event,
        kind::{Entity, EventKind},
    },
    id::{GroupId, OrgId, ProjectId},
    position::Position,
    principal::{Grantee, Principal, principals_below},
    record::Recorded,
    scope::{ObjectRef, Scope},
    time::Timestamp,
};

use crate::{
    access::checker::{Checker, Stop},
    history::facet::Facet,
    store::{error::ViewError, list::Listing, snapshot::Snapshot},
    time::{
        affected::Affected,
        as_of::Moment,
        diff::Comparison,
        record_changes::Deadline,
        timeline::{AccessStep, Timeline, TimelinePart, TimelinePlace},
    },
};

/// Units of work of going from one moment to the next.
const TURN_WORK: u64 = 10_000;

type Deadlines = BTreeMap<Timestamp, Vec<Deadline>>;

/// Whether access to a project may differ after such an event, although it is not found under that project. An account that
/// was just created has none.
const fn is_around_projects(kind: EventKind) -> bool {
    kind.changes_access()
        && !matches!(kind, EventKind::UserCreated | EventKind::TokenCreated)
        && !matches!(kind.entity(), Entity::Project | Entity::Object)
}

/// Who could be concerned.
#[derive(Debug, Default)]
struct Concerned {
    everybody: bool,
    below: BTreeSet<Grantee>,
}

impl Snapshot {
    /// How access to a project, and to what lies in it, changed after one moment, up to another.
    pub fn project_timeline(
        &self,
        org: OrgId,
        project: ProjectId,
        part: &TimelinePart,
    ) -> Result<Timeline, ViewError> {
        let TimelinePart { from, to, mut after, .. } = *part;
        let mut deadlines = Deadlines::new();
        for deadline in self.deadlines(org, (from.at, to.at))? {
            deadlines.entry(deadline.at).or_default().push(deadline);
        }
        let around = EventKind::ALL.into_iter().filter(|kind| is_around_projects(*kind)).map(Facet::Event);
        let facets: Vec<_> = around.chain([Facet::Project(project)]).collect();
        let mut steps: Vec<AccessStep> = Vec::new();
        let mut room = Room { bytes: part.bytes, work: part.work };
        let mut here = from;
        loop {
            let record = self.next_under(org, &facets, (here.position, to.position))?;
            let due = record.as_ref().map_or(to.at, |next| next.record.at.min(to.at));
            let mut passing = deadlines.range(here.at.plus_millis(1)..).take_while(|(at, _)| **at <= due);
            let (next, passed) = match (passing.next(), &record) {
                (Some((at, passed)), _) => {
                    let moment = self.moment_before(org, *at, (here, to))?;
                    let step =
                        AccessStep { by_time: true, causes: Vec::new(), ..AccessStep::by_record(moment) };
                    (step, passed.as_slice())
                }
                (None, Some(next)) => {
                    let moment = Moment { position: next.position, at: next.record.at };
                    (AccessStep::by_record(moment), [].as_slice())
                }
                (None, None) => return Ok(Timeline { steps, next: None }),
            };
            let turn = Turn { whole: self, org, project, here, next };
            let (step, cut) = turn.step(record.as_ref(), (passed, after.take()), &mut room)?;
            let moment = step.moment;
            if !step.changes.is_empty() {
                if steps.len() == part.steps {
                    let last = steps.last().map_or(from, |last| last.moment);
                    return Ok(Timeline::until(steps, last));
                }
                steps.push(step);
            }
            if cut.is_some() {
                return Ok(Timeline { steps, next: Some(TimelinePlace { moment: here, after: cut }) });
            }
            if room.is_full() {
                return Ok(Timeline::until(steps, moment));
            }
            here = moment;
        }
    }

    /// The members of a group, by memberships that were not removed.
    fn each_member(
        &self,
        org: OrgId,
        group: GroupId,
        found: &mut dyn FnMut(Grantee),
    ) -> Result<(), ViewError> {
        let listing =
            Listing { at: Position::from_u64(u64::MAX), after: None, name: None, limit: usize::MAX };
        let members = self.members_of(org, group, &listing)?;
        members.items.iter().for_each(|listed| found(listed.thing.member));
        Ok(())
    }
}

/// From one moment to the next.
struct Turn<'s> {
    whole: &'s Snapshot,
    org: OrgId,
    project: ProjectId,
    here: Moment,
    /// As far as it is known.
    next: AccessStep,
}

/// What is left for a part of the answer.
struct Room {
    bytes: usize,
    work: u64,
}

impl Room {
    fn is_full(&self) -> bool {
        self.bytes == 0 || self.work == 0
    }
}

impl Turn<'_> {
    /// With what has changed, by the record or because times passed, beyond a principal; and the last one looked at, if there
    /// is no room for the others.
    fn step(
        self,
        record: Option<&Recorded>,
        (passed, beyond): (&[Deadline], Option<Principal>),
        room: &mut Room,
    ) -> Result<(AccessStep, Option<Principal>), ViewError> {
        let Self { whole, org, project, here, next: mut turn } = self;
        let (then, after) = (whole.as_of(here.position), whole.as_of(turn.moment.position));
        let sides = ((&then, here.at), (&after, turn.moment.at));
        let mut concerned = Concerned::default();
        if turn.by_time {
            concerned.below.extend(passed.iter().map(|deadline| deadline.grantee));
        } else if let Some(recorded) = record {
            let mut checkers = [then.checker(org, here.at)?, after.checker(org, turn.moment.at)?];
            for event in &recorded.record.events {
                concerned.add(&mut checkers, project, event)?;
            }
        }
        let mut comparison = Comparison::between(org, sides.0, sides.1, Some(project))?;
        turn.types = comparison.types();
        room.work = room.work.saturating_sub(TURN_WORK);
        let (mut last, mut cut) = (None, None);
        let start = beyond.map_or(Unbounded, Excluded);
        for principal in concerned.principals(org, [&then, &after])?.range((start, Unbounded)).copied() {
            if last.is_some() && room.is_full() {
                cut = last;
                break;
            }
            let before = comparison.tally().work;
            let change = comparison.of(principal)?;
            room.work = room.work.saturating_sub(comparison.tally().work - before);
            if !change.is_empty() {
                room.bytes = room.bytes.saturating_sub(change.bytes());
                turn.changes.push((principal, change));
            }
            last = Some(principal);
        }
        if turn.by_time {
            let mut checker = then.checker(org, here.at)?;
            for deadline in passed {
                if deadline.is_set(&mut checker)? && !turn.causes.contains(&deadline.set_by) {
                    turn.causes.push(deadline.set_by);
                }
            }
        }
        Ok((turn, cut))
    }
}

impl Concerned {
    fn add(
        &mut self,
        checkers: &mut [Checker<'_>; 2],
        project: ProjectId,
        event: &Event,
    ) -> Result<(), ViewError> {
        match Affected::by(event) {
            Affected::Nobody => {}
            Affected::Everybody | Affected::Role(_) => self.everybody = true,
            Affected::Project(one) => self.everybody |= one.id == project,
            Affected::Object(object) => self.everybody |= object.object.project == Some(project),
            Affected::Grantee(grantee) => drop(self.below.insert(grantee)),
            Affected::Group(id) => drop(self.below.insert(Grantee::Group(id))),
            Affected::Grant(grant) => {
                if covers(checkers, project, &grant.on)? {
                    self.below.insert(grant.to);
                }
            }
        }
        Ok(())
    }

    fn principals(&self, org: OrgId, sides: [&Snapshot; 2]) -> Result<BTreeSet<Principal>, ViewError> {
        let mut found = BTreeSet::new();
        if self.everybody {
            let [_, after] = sides;
            found.extend(after.principals(org, None, usize::MAX)?);
            return Ok(found);
        }
        for side in sides {
            let below = self.below.iter().copied();
            found.extend(principals_below(below, |group, found| side.each_member(org, group, found))?);
        }
        Ok(found)
    }
}

/// Whether a scope covers the project, or something in it, before or after.
fn covers(checkers: &mut [Checker<'_>; 2], project: ProjectId, scope: &Scope) -> Result<bool, ViewError> {
    let id = project.to_string();
    for checker in checkers {
        match checker.locate(Target { object_type: "project", id: &id, project: None }) {
            Ok(place) if checker.covers(scope, &place) => return Ok(true),
            Ok(_) | Err(Stop::Because(_)) => {}
            Err(Stop::Failed(error)) => return Err(error),
        }
        if let Scope::Object(object) = scope
            && is_in(checker, object, project)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_in(checker: &Checker<'_>, object: &ObjectRef, project: ProjectId) -> Result<bool, ViewError> {
    match object.project {
        Some(home) => Ok(home == project),
        // Of schema 1: wherever such an object was registered.
        None => checker.snapshot.was_home(checker.org, object, project),
    }
}
