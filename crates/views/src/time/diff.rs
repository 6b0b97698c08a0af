//! What somebody gained and lost between two moments, as sets.

use std::collections::{BTreeMap, BTreeSet};

use grantbook_domain::{
    access::effective::{AccessRow, Extent, ProjectSet, into_rows, join},
    catalog::{Lineage, ObjectType},
    event::kind::EventKind,
    id::{OrgId, ProjectId},
    position::Position,
    principal::Principal,
    scope::ObjectRef,
    time::Timestamp,
};

use crate::access::locate::place_of;
use crate::{
    access::{
        checker::{Checker, Stop},
        locate::Place,
    },
    history::{
        audit::{Order, Span},
        facet::Facet,
    },
    store::{
        encode::Take,
        error::ViewError,
        row::GrantRow,
        row_key::{self, Kind},
        snapshot::Snapshot,
        table::Table,
    },
};

/// What a principal gained and lost. Each row reads like one of [`EffectiveAccess`](crate::EffectiveAccess): "gained" for
/// what is held at the later moment and was not at the earlier one, exact for the projects of the later moment; "lost" the
/// other way round, exact for those of the earlier one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessChange {
    /// What is held now and was not.
    pub gained: Vec<AccessRow>,
    /// What was held and is not.
    pub lost: Vec<AccessRow>,
}

impl AccessChange {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

/// Two moments of an organization, for many questions about what changed between them.
#[derive(Debug)]
pub struct Comparison<'s> {
    pub(crate) before: Side<'s>,
    pub(crate) after: Side<'s>,
    /// Only what is held on this project, and in it.
    within: Option<ProjectId>,
    /// Whether projects, roles, objects and the catalog are the same at both.
    same_ground: bool,
}

/// Who can have access.
impl Snapshot {
    /// Users, then service tokens, living or ended, each by id, beyond one of them.
    pub fn principals(
        &self,
        org: OrgId,
        after: Option<Principal>,
        limit: usize,
    ) -> Result<Vec<Principal>, ViewError> {
        let mut found = Vec::new();
        for kind in [Kind::User, Kind::Token] {
            let prefix = row_key::thing_kind(org, kind);
            let start = match (kind, after) {
                (Kind::User, Some(Principal::Token(_))) => continue,
                (Kind::User, Some(Principal::User(id))) => row_key::thing(org, kind, &id.bytes()),
                (Kind::Token, Some(Principal::Token(id))) => row_key::thing(org, kind, &id.bytes()),
                _ => prefix.clone(),
            };
            for row in self.range(Table::Things, &start, row_key::beyond(&prefix).as_deref())? {
                let row = row?;
                let mut key = Take::new(Table::Things, row.0.value());
                key.raw(prefix.len())?;
                let one =
                    if kind == Kind::User { Principal::User(key.id()?) } else { Principal::Token(key.id()?) };
                if Some(one) == after {
                    continue;
                }
                if found.len() == limit {
                    return Ok(found);
                }
                found.push(one);
            }
        }
        Ok(found)
    }
}

/// One of two moments.
#[derive(Debug)]
pub(crate) struct Side<'s> {
    pub(crate) checker: Checker<'s>,
    pub(crate) living: BTreeSet<ProjectId>,
}

/// Access by permission and type.
type Spread<'r> = BTreeMap<(&'r str, &'r str), &'r AccessRow>;

impl<'s> Comparison<'s> {
    /// Between what one snapshot says at an instant, and another at another.
    pub fn between(
        org: OrgId,
        before: (&'s Snapshot, Timestamp),
        after: (&'s Snapshot, Timestamp),
        within: Option<ProjectId>,
    ) -> Result<Self, ViewError> {
        let side = |(snapshot, now): (&'s Snapshot, Timestamp)| Side::of(snapshot.checker(org, now)?, within);
        let (first, last) = (before.0.position(org)?, after.0.position(org)?);
        let span = Span { first: Position::from_u64(first.get().saturating_add(1)), last };
        let mut same_ground = first <= last;
        for kind in EventKind::ALL.into_iter().filter(|kind| kind.changes_ground()) {
            let records = Facet::Event(kind).key(org);
            let between = |span| after.0.next_in(&records, Order::Ascending, span);
            same_ground = same_ground && (span.first > last || between(span)?.is_none());
        }
        Ok(Self { before: side(before)?, after: side(after)?, within, same_ground })
    }

    /// Between two states whose ground is known to be the same, or not; nothing is cut.
    pub(crate) fn of_states(
        mut before: Checker<'s>,
        mut after: Checker<'s>,
        same_ground: bool,
    ) -> Result<Self, ViewError> {
        if same_ground {
            after.every_project = Some(before.every_project()?);
            after.projects.clone_from(&before.projects);
        }
        Ok(Self { before: Side::of(before, None)?, after: Side::of(after, None)?, within: None, same_ground })
    }

    /// What somebody gains and loses who was reached by these grants, all in force, and is by those.
    pub(crate) fn of_grants(
        &mut self,
        before: &[GrantRow],
        after: &[GrantRow],
    ) -> Result<AccessChange, ViewError> {
        let before = self.before.checker.access_by(before)?;
        let after = self.after.checker.access_by(after)?;
        self.difference(&before, &after)
    }

    /// What the principal gained and lost.
    pub fn of(&mut self, principal: Principal) -> Result<AccessChange, ViewError> {
        if self.same_ground && self.is_untouched(principal)? {
            return Ok(AccessChange::default());
        }
        let before = self.before.checker.access(principal)?.rows;
        let after = self.after.checker.access(principal)?.rows;
        self.difference(&before, &after)
    }

    fn difference(&mut self, before: &[AccessRow], after: &[AccessRow]) -> Result<AccessChange, ViewError> {
        if before == after && self.before.living == self.after.living {
            return Ok(AccessChange::default());
        }
        let (old, new) = (spread(before), spread(after));
        Ok(AccessChange {
            gained: self.after.beyond(&mut self.before, (&new, &old), self.within)?,
            lost: self.before.beyond(&mut self.after, (&old, &new), self.within)?,
        })
    }

    /// Whether the same memberships and grants reach the principal, on the same ground.
    fn is_untouched(&mut self, principal: Principal) -> Result<bool, ViewError> {
        let (then, now) = (self.before.checker.now, self.after.checker.now);
        let same_time = |grant: &GrantRow| (then < grant.until) == (now < grant.until);
        match (self.before.checker.reached(principal), self.after.checker.reached(principal)) {
            (Ok(old), Ok(new)) => Ok(old == new && old.iter().flat_map(|node| &node.grants).all(same_time)),
            (Err(Stop::Failed(error)), _) | (_, Err(Stop::Failed(error))) => Err(error),
            (Err(Stop::Because(_)), Err(Stop::Because(_))) => Ok(true),
            (Ok(_), Err(Stop::Because(_))) | (Err(Stop::Because(_)), Ok(_)) => Ok(false),
        }
    }
}

impl<'s> Side<'s> {
    fn of(mut checker: Checker<'s>, within: Option<ProjectId>) -> Result<Self, ViewError> {
        if let Some(project) = within {
            let only = checker.living_project(project)?;
            checker.every_project = Some(only.into_iter().collect());
        }
        let living = checker.every_project()?.iter().map(|project| project.id).collect();
        Ok(Self { checker, living })
    }

    /// What is held here and not there.
    fn beyond(
        &mut self,
        other: &mut Self,
        (here, there): (&Spread<'_>, &Spread<'_>),
        within: Option<ProjectId>,
    ) -> Result<Vec<AccessRow>, ViewError> {
        let catalog = self.checker.catalog.clone();
        let mut rows = Vec::new();
        for permission in catalog.all_permissions() {
            let permission = catalog.permission_name(permission);
            let mut extents = Vec::new();
            for object_type in catalog.all_types() {
                let name = catalog.type_name(object_type);
                let Some(row) = here.get(&(permission, name)) else { continue };
                let gone = there.get(&(permission, name)).copied();
                let extent = self.extent(other, object_type, (row, gone))?;
                let extent = match within {
                    Some(project) => self.cut(extent, object_type, project)?,
                    None => extent,
                };
                join(&mut extents, extent, name);
            }
            rows.extend(into_rows(permission, extents));
        }
        Ok(rows)
    }

    /// Where one permission is held on one type here and not there.
    fn extent(
        &mut self,
        other: &mut Self,
        object_type: ObjectType,
        (row, gone): (&AccessRow, Option<&AccessRow>),
    ) -> Result<Extent, ViewError> {
        let organization = row.organization && gone.is_none_or(|gone| !gone.organization);
        let projects = if self.in_project(object_type) {
            self.projects_beyond(other, &row.projects, gone.map(|gone| &gone.projects))
        } else if organization {
            ProjectSet::ALL
        } else {
            ProjectSet::NONE
        };
        let mut extent = Extent { organization, projects, objects: BTreeSet::new(), except: BTreeSet::new() };
        let name = self.checker.catalog.type_name(object_type).to_owned();
        let sets = [row].into_iter().chain(gone).flat_map(|row| [&row.objects, &row.except]);
        let named: BTreeSet<_> =
            sets.flatten().filter(|object| object.object_type == name).cloned().collect();
        for object in named {
            let Some(place) = place_of(&mut self.checker, &object)? else { continue };
            let there = place_of(&mut other.checker, &object)?;
            let held_there = gone.zip(there).is_some_and(|(gone, there)| holds(gone, &object, &there));
            let gained = holds(row, &object, &place) && !held_there;
            match (gained, extent.is_general(place.located.project)) {
                (true, false) => drop(extent.objects.insert(object)),
                (false, true) => drop(extent.except.insert(object)),
                (true, true) | (false, false) => {}
            }
        }
        Ok(extent)
    }

    /// Whether objects of a type are or lie in projects.
    pub(crate) fn is_in_project(&self, type_name: &str) -> bool {
        self.checker.catalog.object_type(type_name).is_some_and(|object_type| self.in_project(object_type))
    }

    fn in_project(&self, object_type: ObjectType) -> bool {
        matches!(self.checker.catalog.lineage(object_type), Lineage::Project | Lineage::InProject)
    }

    /// Living projects of this side, and if only this side takes those to come, these too.
    fn projects_beyond(&self, other: &Self, here: &ProjectSet, there: Option<&ProjectSet>) -> ProjectSet {
        let held_there = |id: &ProjectId| other.living.contains(id) && there.is_some_and(|set| set.has(*id));
        let with_those_to_come = matches!(here, ProjectSet::AllBut(_));
        if with_those_to_come && !matches!(there, Some(ProjectSet::AllBut(_))) {
            let out = |id: &ProjectId| !here.has(*id) || held_there(id);
            return ProjectSet::AllBut(self.living.iter().copied().filter(out).collect());
        }
        let within = |id: &ProjectId| here.has(*id) && !held_there(id);
        ProjectSet::Only(self.living.iter().copied().filter(within).collect())
    }

    /// What of it is on the project, or in it.
    fn cut(
        &mut self,
        extent: Extent,
        object_type: ObjectType,
        project: ProjectId,
    ) -> Result<Extent, ViewError> {
        let held =
            self.in_project(object_type) && self.living.contains(&project) && extent.projects.has(project);
        let mut cut = Extent {
            organization: false,
            projects: ProjectSet::Only(held.then_some(project).into_iter().collect()),
            objects: BTreeSet::new(),
            except: BTreeSet::new(),
        };
        for (from, to) in [(extent.objects, &mut cut.objects), (extent.except, &mut cut.except)] {
            for object in from {
                let place = place_of(&mut self.checker, &object)?;
                if place.is_some_and(|place| place.located.project == Some(project)) {
                    to.insert(object);
                }
            }
        }
        Ok(cut)
    }
}

fn spread(rows: &[AccessRow]) -> Spread<'_> {
    let mut spread = Spread::new();
    for row in rows {
        let names = row.types.iter().map(|name| ((row.permission.as_str(), name.as_str()), row));
        spread.extend(names);
    }
    spread
}

/// Whether a row has an object that is there.
fn holds(row: &AccessRow, object: &ObjectRef, place: &Place) -> bool {
    let anyway = place.located.project.map_or(row.organization, |project| row.projects.has(project));
    row.objects.contains(object) || (anyway && !row.except.contains(object))
}
