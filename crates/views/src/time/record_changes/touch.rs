//! Whom a record, or a time that passes, can touch: never too few.

use std::collections::{BTreeMap, BTreeSet};

use grantbook_domain::{
    event::{Event, kind::EventKind},
    id::{OrgId, ProjectId, RoleId},
    model::{Grant, Project},
    position::Position,
    principal::Grantee,
    record::{Record, Recorded},
    scope::{ObjectRef, Scope},
    state::project_view,
    time::Timestamp,
};

use crate::{
    history::{
        audit::{Order, Span},
        facet::Facet,
    },
    store::{
        encode::Take,
        error::ViewError,
        list::Entry,
        row::RoleRow,
        row_key::{self, Kind, List},
        snapshot::Snapshot,
        table::Table,
    },
    time::{affected::Affected, as_of::Moment, record_changes::Cause},
};

/// Grantees whose access, or that of their members, may differ.
#[derive(Debug)]
pub(super) struct Touch {
    /// Who, and by what.
    pub(super) grantees: BTreeMap<Grantee, BTreeSet<Cause>>,
    /// Whose own rows of `access` are others afterwards.
    pub(super) rewritten: BTreeSet<Grantee>,
    /// The projects that are others afterwards, or in which objects are; none if roles, the catalog or anything else is.
    pub(super) ground: Option<BTreeSet<ProjectId>>,
}

impl Touch {
    fn nobody() -> Self {
        let (grantees, rewritten) = (BTreeMap::new(), BTreeSet::new());
        Self { grantees, rewritten, ground: Some(BTreeSet::new()) }
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.grantees.is_empty()
    }

    /// By times that passed after one moment, up to an instant: those that rows in force at the moment set.
    pub(super) fn by_time(
        then: &Snapshot,
        org: OrgId,
        (from, to): (Moment, Timestamp),
    ) -> Result<Self, ViewError> {
        let mut touch = Self::nobody();
        for deadline in then.deadlines(org, (from.at, to))? {
            let set_before = deadline.set_by <= from.position;
            if set_before && deadline.is_set(&mut then.checker(org, from.at)?)? {
                let cause = Cause { expiry: true, position: deadline.set_by };
                touch.grantees.entry(deadline.grantee).or_default().insert(cause);
            }
        }
        Ok(touch)
    }

    /// By a record, from the view before it and the one after.
    pub(super) fn by_record(
        (then, after): (&Snapshot, &Snapshot),
        recorded: &Recorded,
    ) -> Result<Self, ViewError> {
        let cause = Cause { expiry: false, position: recorded.position };
        let (org, position) = (recorded.org, recorded.position);
        let (roles, last, touch) = (BTreeSet::new(), None, Self::nobody());
        let mut finder = Finder { org, then, after, position, roles, last, touch };
        let mut found = BTreeSet::new();
        for event in &recorded.record.events {
            finder.look(event, &mut found)?;
        }
        finder.holders(&mut found)?;
        let mut touch = finder.touch;
        touch.grantees = found.into_iter().map(|grantee| (grantee, BTreeSet::from([cause]))).collect();
        Ok(touch)
    }
}

type Grantees = BTreeSet<Grantee>;

fn named(object_type: &str, id: &impl ToString) -> ObjectRef {
    ObjectRef::new(object_type, id.to_string())
}

/// Whether a reference in a record that is found under an object names it.
pub(crate) fn names(on: &ObjectRef, object: &ObjectRef) -> bool {
    on.is_like(object) && (on.project.is_none() || on.project == object.project)
}

struct Finder<'s> {
    org: OrgId,
    then: &'s Snapshot,
    after: &'s Snapshot,
    position: Position,
    /// Roles that changed.
    roles: BTreeSet<RoleId>,
    /// The record that was looked at last: a record of many events is found under many things.
    last: Option<(Position, Record)>,
    touch: Touch,
}

impl Finder<'_> {
    fn look(&mut self, event: &Event, found: &mut Grantees) -> Result<(), ViewError> {
        match Affected::by(event) {
            Affected::Nobody => {}
            Affected::Grantee(grantee) => self.own(grantee, found),
            Affected::Grant(grant) => self.own(grant.to, found),
            Affected::Everybody => {
                let everybody = self.after.principals(self.org, None, usize::MAX)?;
                found.extend(everybody.into_iter().map(Grantee::from));
                self.touch.ground = None;
            }
            Affected::Group(id) => {
                self.own(Grantee::Group(id), found);
                self.grants_on(&named("group", &id), found)?;
                self.touch.ground = None;
            }
            Affected::Role(id) => {
                self.roles.insert(id);
                self.grants_on(&named("role", &id), found)?;
                self.touch.ground = None;
            }
            Affected::Project(project) => {
                self.project(project, found)?;
                self.ground_at(Some(project.id));
            }
            Affected::Object(object) => {
                self.grants_on(&object.object, found)?;
                self.ground_at(object.object.project);
            }
        }
        Ok(())
    }

    fn ground_at(&mut self, project: Option<ProjectId>) {
        match (&mut self.touch.ground, project) {
            (Some(places), Some(project)) => drop(places.insert(project)),
            (ground, _) => *ground = None,
        }
    }

    fn own(&mut self, grantee: Grantee, found: &mut Grantees) {
        found.insert(grantee);
        self.touch.rewritten.insert(grantee);
    }

    /// Everybody who has one of the changed roles, or a role that includes one.
    fn holders(&mut self, found: &mut Grantees) -> Result<(), ViewError> {
        if self.roles.is_empty() {
            return Ok(());
        }
        let mut includers: BTreeMap<RoleId, Vec<RoleId>> = BTreeMap::new();
        self.each(List::All(Kind::Role), |side, entry| {
            let id: RoleId = Take::new(Table::Lists, entry.id).id()?;
            let row = side.version(self.org, Kind::Role, &id.bytes(), RoleRow::decode)?;
            for included in row.into_iter().flat_map(|row| row.includes) {
                includers.entry(included).or_default().push(id);
            }
            Ok(())
        })?;
        let (mut open, mut seen) = (Vec::from_iter(std::mem::take(&mut self.roles)), BTreeSet::new());
        while let Some(role) = open.pop() {
            if !seen.insert(role) {
                continue;
            }
            self.each(List::GrantsOfRole(role), |side, entry| {
                found.insert(self.grant(side, entry)?.to);
                Ok(())
            })?;
            open.extend(includers.get(&role).into_iter().flatten());
        }
        Ok(())
    }

    /// Whoever has a grant that covers the project before or after, or something in it if it ends.
    fn project(&mut self, project: &Project, found: &mut Grantees) -> Result<(), ViewError> {
        let old: Option<Project> = self.then.document(self.org, Kind::Project, &project.id.bytes())?;
        let takes = |scope: &Scope| match scope {
            Scope::Organization | Scope::Object(_) => true,
            Scope::Projects(selector) => [Some(project), old.as_ref()]
                .into_iter()
                .flatten()
                .any(|project| selector.covers(project_view(project))),
        };
        for list in [List::GrantsAcross, List::GrantsOnProject(project.id)] {
            self.each(list, |side, entry| {
                let grant = self.grant(side, entry)?;
                if takes(&grant.on) {
                    found.insert(grant.to);
                }
                Ok(())
            })?;
        }
        if project.ended_at.is_some() {
            for object in self.objects_in(project.id)? {
                self.grants_on(&object, found)?;
            }
        }
        Ok(())
    }

    /// Everything that was ever registered in a project.
    fn objects_in(&mut self, project: ProjectId) -> Result<BTreeSet<ObjectRef>, ViewError> {
        let mut objects = BTreeSet::new();
        self.each_record((&Facet::Project(project), EventKind::ObjectRegistered), |event| {
            if let Event::ObjectRegistered { object } = event
                && object.object.project == Some(project)
            {
                objects.insert(object.object.clone());
            }
        })?;
        Ok(objects)
    }

    /// Everybody who was ever given something on exactly this object: what schema 1 left open is settled where records are found.
    fn grants_on(&mut self, object: &ObjectRef, found: &mut Grantees) -> Result<(), ViewError> {
        self.each_record((&Facet::of_object(object.clone()), EventKind::GrantCreated), |event| {
            if let Event::GrantCreated { grant } = event
                && matches!(&grant.on, Scope::Object(on) if names(on, object))
            {
                found.insert(grant.to);
            }
        })
    }

    /// Looks at the events of all records under a facet that have an event of a kind, up to the record in question.
    fn each_record(
        &mut self,
        (facet, kind): (&Facet, EventKind),
        mut look: impl FnMut(&Event),
    ) -> Result<(), ViewError> {
        let lists = [facet.key(self.org), Facet::Event(kind).key(self.org)];
        let mut first = Position::START;
        while let Some(position) = self.in_both(&lists, first)? {
            if self.last.as_ref().is_none_or(|(known, _)| *known != position) {
                self.last = self.after.record(self.org, position)?.map(|record| (position, record));
            }
            self.last.iter().flat_map(|(_, record)| &record.events).for_each(&mut look);
            first = Position::from_u64(position.get().saturating_add(1));
        }
        Ok(())
    }

    /// The next position that stands in both lists: each list is asked from where the other one stands, so that the shorter
    /// one decides how often.
    fn in_both(
        &self,
        [one, other]: &[Vec<u8>; 2],
        mut first: Position,
    ) -> Result<Option<Position>, ViewError> {
        while first <= self.position {
            let next = |list: &[u8], first: Position| {
                self.after.next_in(list, Order::Ascending, Span { first, last: self.position })
            };
            let Some(found) = next(one, first)? else { return Ok(None) };
            match next(other, found)? {
                Some(same) if same == found => return Ok(Some(found)),
                Some(beyond) => first = beyond,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Looks at a list before and after.
    fn each(
        &self,
        list: List<'_>,
        mut look: impl FnMut(&Snapshot, &Entry<'_>) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        for side in [self.then, self.after] {
            side.each(self.org, list, Position::from_u64(u64::MAX), |entry| look(side, entry))?;
        }
        Ok(())
    }

    fn grant(&self, side: &Snapshot, entry: &Entry<'_>) -> Result<Grant, ViewError> {
        let grant = side.document(self.org, Kind::Grant, entry.id)?;
        grant.ok_or_else(|| ViewError::bad_row("lists", "points to no grant"))
    }
}

/// A time that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline {
    pub(crate) at: Timestamp,
    /// Whose access it ends: an account's, a member's, a grantee's.
    pub(crate) grantee: Grantee,
    /// The record that set it.
    pub(crate) set_by: Position,
}

impl Snapshot {
    /// Every time after one instant, up to another, that a row of `access` sets or ever set, also in the future of
    /// [`Snapshot::as_of`]. One that was replaced changes nothing when it passes.
    pub(crate) fn deadlines(
        &self,
        org: OrgId,
        (after, to): (Timestamp, Timestamp),
    ) -> Result<Vec<Deadline>, ViewError> {
        let start = row_key::deadlines(org, after.plus_millis(1));
        let end = match to {
            Timestamp::FOREVER => row_key::beyond(&row_key::org(org)),
            _ => Some(row_key::deadlines(org, to.plus_millis(1))),
        };
        let mut found = Vec::new();
        if end.as_ref().is_some_and(|end| *end <= start) {
            return Ok(found);
        }
        for row in self.range(Table::Deadlines, &start, end.as_deref())? {
            let (key, _) = row?;
            let mut key = Take::new(Table::Deadlines, key.value());
            key.raw(row_key::org(org).len())?;
            found.push(Deadline { at: key.time()?, grantee: key.grantee()?, set_by: key.position()? });
        }
        Ok(found)
    }
}

impl Deadline {
    /// Whether a row that is in force sets it.
    pub(crate) fn is_set(
        &self,
        checker: &mut crate::access::checker::Checker<'_>,
    ) -> Result<bool, ViewError> {
        let node = checker.node(self.grantee)?;
        let own = |from: Position, until: Timestamp| from == self.set_by && until == self.at;
        Ok(node.head.is_some_and(|head| own(head.from, head.until))
            || node.memberships.iter().any(|(_, row)| own(row.from, row.until))
            || node.grants.iter().any(|row| own(row.from, row.until)))
    }
}
