//! What somebody gained and lost between two moments, as sets.

use std::collections::BTreeSet;

use grantbook_domain::{
    access::{
        diff::{self, Homes, named_objects},
        effective::AccessRow,
    },
    event::kind::EventKind,
    id::{OrgId, ProjectId},
    position::Position,
    principal::Principal,
    scope::ObjectRef,
    time::Timestamp,
};

use crate::{
    access::{
        checker::{Checker, Stop},
        locate::place_of,
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
        let named = named_objects(before.iter().chain(after));
        let (old_homes, new_homes) = (self.before.homes(&named)?, self.after.homes(&named)?);
        let old = diff::Side { rows: before, living: &self.before.living, homes: &old_homes };
        let new = diff::Side { rows: after, living: &self.after.living, homes: &new_homes };
        Ok(AccessChange {
            gained: diff::gained(&self.after.checker.catalog, &new, &old, self.within),
            lost: diff::gained(&self.before.checker.catalog, &old, &new, self.within),
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

    /// Of these objects, those that are there.
    fn homes(&mut self, named: &BTreeSet<&ObjectRef>) -> Result<Homes, ViewError> {
        let mut homes = Homes::new();
        for object in named {
            if let Some(place) = place_of(&mut self.checker, object)? {
                homes.insert((*object).clone(), place.located.project);
            }
        }
        Ok(homes)
    }

    /// Whether objects of a type are or lie in projects.
    pub(crate) fn is_in_project(&self, type_name: &str) -> bool {
        let catalog = &self.checker.catalog;
        catalog.object_type(type_name).is_some_and(|object_type| diff::is_in_project(catalog, object_type))
    }
}
