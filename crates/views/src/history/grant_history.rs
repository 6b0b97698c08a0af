//! Everything that was ever granted, and what has become of it.

use grantbook_domain::{
    event::{Event, kind::EventKind},
    id::{Id, OrgId, ProjectId},
    model::{Grant, Project},
    position::Position,
    principal::{Actor, Grantee},
    record::Recorded,
    scope::Scope,
    state::project_view,
    time::Timestamp,
};

use crate::{
    history::audit::{AuditFilter, AuditPage, Order},
    store::{
        document::Document as _,
        error::ViewError,
        row::Version,
        row_key::{self, Kind},
        snapshot::{Snapshot, parse},
        table::Table,
    },
};

/// Records looked at between two grants that count, at a time.
const FETCH: usize = 64;

/// Which grants; all conditions that are present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GrantedFilter {
    /// Given by this actor,
    pub by: Option<Actor>,
    /// to exactly this grantee,
    pub to: Option<Grantee>,
    /// and reaching into this project, or an object in it, at some moment while in force.
    pub project: Option<ProjectId>,
}

/// A place among all grants ever given: a record, and how many of its events come before.
pub type GrantedPlace = (Position, u32);

/// Which part of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantedPage {
    /// Beyond this place, in the order asked for; from the start if absent.
    pub after: Option<GrantedPlace>,
    /// In which order they were given.
    pub order: Order,
    /// At most so many.
    pub limit: usize,
}

/// A grant that was given once.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// Its place.
    pub place: GrantedPlace,
    /// The record that gave it.
    pub given: Recorded,
    /// The grant as it is by now.
    pub grant: Grant,
    /// What has become of it.
    pub state: GrantState,
    /// The record that ended it, if a record did.
    pub ended: Option<Position>,
    /// How far it reached into the project asked about, if one was.
    pub reach: Option<Reach>,
    /// Whether it is in force, and reaches into the project asked about as that is now.
    pub holds: bool,
}

/// What has become of a grant: the first of these that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantState {
    /// It was revoked.
    Revoked,
    /// Whom it was given to has ended, or its time has passed.
    GranteeEnded,
    /// What it was given on has ended.
    ObjectEnded,
    /// Its time has passed.
    Expired,
    /// It counts.
    InForce,
}

/// How far a grant reaches into a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The whole project.
    Project,
    /// An object in it.
    Below,
}

/// A stretch of a project's life without a change.
struct Spell {
    project: Project,
    from: Position,
    to: Option<Position>,
}

impl Snapshot {
    /// The grants ever given that meet the filter, each with what has become of it by `now`; and whether there are more.
    pub fn granted(
        &self,
        org: OrgId,
        filter: &GrantedFilter,
        page: &GrantedPage,
        now: Timestamp,
    ) -> Result<(Vec<Granted>, bool), ViewError> {
        let spells = filter.project.map(|id| self.spells(org, id)).transpose()?;
        let mut found = Vec::new();
        let mut after = page.after.map(|(position, _)| before(position, page.order));
        loop {
            let part = AuditPage { after: after.flatten(), order: page.order, limit: FETCH };
            let records = self.audit(org, &filter.records(), &part)?;
            for recorded in &records.items {
                for (index, grant) in given(recorded, page.order) {
                    let place = (recorded.position, index);
                    let taken = filter.to.is_none_or(|to| grant.to == to) && beyond(place, page);
                    let one = if taken {
                        self.become_of(org, (recorded, index), grant, (spells.as_deref(), now))?
                    } else {
                        None
                    };
                    let Some(one) = one else { continue };
                    if found.len() == page.limit {
                        return Ok((found, true));
                    }
                    found.push(one);
                }
            }
            match records.next {
                Some(next) => after = Some(Some(next)),
                None => return Ok((found, false)),
            }
        }
    }

    /// What has become of a grant; none if it never reached into the project.
    fn become_of(
        &self,
        org: OrgId,
        (recorded, index): (&Recorded, u32),
        first: &Grant,
        (spells, now): (Option<&[Spell]>, Timestamp),
    ) -> Result<Option<Granted>, ViewError> {
        let key = first.id.bytes();
        let last = self.version(org, Kind::Grant, &key, |version| {
            Ok((parse::<Grant>(Table::Things, version.document)?, version.ended, version.from))
        })?;
        let (grant, revoked, since) =
            last.ok_or_else(|| ViewError::bad_row("things", "a grant that was given is not there"))?;
        let (state, ended) = if revoked {
            (GrantState::Revoked, Some(since))
        } else {
            self.fate(org, recorded.position, &grant, now)?
        };
        let mut one = Granted {
            place: (recorded.position, index),
            given: recorded.clone(),
            state,
            ended,
            reach: None,
            holds: state == GrantState::InForce,
            grant,
        };
        let Some(spells) = spells else { return Ok(Some(one)) };
        let Some(reach) = self.reach(org, &one, spells)? else { return Ok(None) };
        one.reach = Some(reach);
        let today = spells.last().filter(|spell| spell.to.is_none());
        one.holds &= today.is_some_and(|spell| takes(&one.grant.on, reach, spell));
        Ok(Some(one))
    }

    /// What has become of a grant that was not revoked.
    fn fate(
        &self,
        org: OrgId,
        given: Position,
        grant: &Grant,
        now: Timestamp,
    ) -> Result<(GrantState, Option<Position>), ViewError> {
        let (kind, id) = match grant.to {
            Grantee::User(id) => (Kind::User, id.bytes()),
            Grantee::Token(id) => (Kind::Token, id.bytes()),
            Grantee::Group(id) => (Kind::Group, id.bytes()),
        };
        let grantee = self.version(org, kind, &id, |version| {
            let end = version.ended.then_some(Some(version.from));
            Ok(end.or((now >= version.until).then_some(None)))
        })?;
        if let Some(ended) = grantee.flatten() {
            return Ok((GrantState::GranteeEnded, ended));
        }
        if !self.belongings_live(org, &grant.belongs_to(), None)? {
            return Ok((GrantState::ObjectEnded, self.end_of_object(org, given, grant)?));
        }
        let expired = grant.expires_at.is_some_and(|at| now >= at);
        Ok((if expired { GrantState::Expired } else { GrantState::InForce }, None))
    }

    /// The record that ended what a grant is on.
    fn end_of_object(
        &self,
        org: OrgId,
        given: Position,
        grant: &Grant,
    ) -> Result<Option<Position>, ViewError> {
        let Scope::Object(object) = &grant.on else { return Ok(None) };
        let ended = |kind, id: &[u8]| {
            let end = |version: &Version<'_>| Ok(version.ended.then_some(version.from));
            self.version(org, kind, id, end).map(Option::flatten)
        };
        let kind = match object.object_type.as_str() {
            "project" => Kind::Project,
            "group" => Kind::Group,
            "role" => Kind::Role,
            _ => {
                let events = vec![EventKind::ObjectRemoved];
                let filter = AuditFilter { object: Some(object.clone()), events, ..AuditFilter::default() };
                let first = AuditPage { after: Some(given), order: Order::Ascending, limit: 1 };
                let removed = self.audit(org, &filter, &first)?.items.first().map(|one| one.position);
                return match (removed, object.project) {
                    (None, Some(project)) => ended(Kind::Project, &project.bytes()),
                    (removed, _) => Ok(removed),
                };
            }
        };
        object.id.parse::<Id<()>>().map_or(Ok(None), |id| ended(kind, &id.bytes()))
    }

    /// How far a grant reached into a project while both were there.
    fn reach(&self, org: OrgId, one: &Granted, spells: &[Spell]) -> Result<Option<Reach>, ViewError> {
        let Some(id) = spells.first().map(|spell| spell.project.id) else { return Ok(None) };
        let below = match &one.grant.on {
            Scope::Object(object) => object.project == Some(id),
            Scope::Organization | Scope::Projects(_) => false,
        };
        let reach = if below { Reach::Below } else { Reach::Project };
        for spell in spells {
            let together = one.ended.is_none_or(|end| spell.from < end)
                && spell.to.is_none_or(|end| one.given.position < end);
            if !together || !takes(&one.grant.on, reach, spell) {
                continue;
            }
            let in_time = match one.grant.expires_at {
                Some(at) => self.moment_after(org, spell.from)?.at < at,
                None => true,
            };
            if in_time {
                return Ok(Some(reach));
            }
        }
        Ok(None)
    }

    /// A project's life, oldest first.
    fn spells(&self, org: OrgId, id: ProjectId) -> Result<Vec<Spell>, ViewError> {
        let key = row_key::thing(org, Kind::Project, &id.bytes());
        let mut versions: Vec<(Position, Option<Project>)> = Vec::new();
        let mut note = |version: &Version<'_>| -> Result<(), ViewError> {
            if self.bound(None).is_none_or(|at| version.from <= at) {
                let living = (!version.ended).then(|| parse(Table::Things, version.document)).transpose()?;
                versions.push((version.from, living));
            }
            Ok(())
        };
        for row in self.prefix(Table::ThingsPast, &key)? {
            let (_, value) = row?;
            note(&Version::decode_past(value.value())?)?;
        }
        if let Some(row) = self.row(Table::Things, &key)? {
            note(&Version::decode(row.value())?)?;
        }
        let ends: Vec<Position> = versions.iter().skip(1).map(|(from, _)| *from).collect();
        let mut ends = ends.into_iter();
        let spell = |(from, project): (Position, Option<Project>)| {
            let to = ends.next();
            project.map(|project| Spell { project, from, to })
        };
        Ok(versions.into_iter().filter_map(spell).collect())
    }
}

impl GrantedFilter {
    /// The records to look through.
    fn records(&self) -> AuditFilter {
        let events = vec![EventKind::GrantCreated];
        let group = match self.to {
            Some(Grantee::Group(id)) => Some(id),
            Some(Grantee::User(_) | Grantee::Token(_)) | None => None,
        };
        let principal = self.to.and_then(Grantee::principal);
        AuditFilter { actor: self.by, events, group, principal, ..AuditFilter::default() }
    }
}

/// The grants that a record gave, in the order asked for.
fn given(recorded: &Recorded, order: Order) -> Vec<(u32, &Grant)> {
    let grants = (0_u32..).zip(&recorded.record.events).filter_map(|(index, event)| {
        if let Event::GrantCreated { grant } = event { Some((index, grant)) } else { None }
    });
    match order {
        Order::Ascending => grants.collect(),
        Order::Descending => grants.collect::<Vec<_>>().into_iter().rev().collect(),
    }
}

/// The place before a record, in the order asked for; none at the start.
fn before(position: Position, order: Order) -> Option<Position> {
    match order {
        Order::Ascending => position.get().checked_sub(1).map(Position::from_u64),
        Order::Descending => position.get().checked_add(1).map(Position::from_u64),
    }
}

fn beyond(place: GrantedPlace, page: &GrantedPage) -> bool {
    page.after.is_none_or(|after| match page.order {
        Order::Ascending => place > after,
        Order::Descending => place < after,
    })
}

/// Whether a scope takes the project as it was in a spell.
fn takes(scope: &Scope, reach: Reach, spell: &Spell) -> bool {
    let project = &spell.project;
    match scope {
        Scope::Organization => true,
        Scope::Projects(selector) => selector.covers(project_view(project)),
        Scope::Object(object) => {
            reach == Reach::Below
                || match object.object_type.as_str() {
                    "organization" | "org_project" => true,
                    "project" => object.id == project.id.to_string(),
                    _ => false,
                }
        }
    }
}
