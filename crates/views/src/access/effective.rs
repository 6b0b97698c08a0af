//! Everything that a principal may do, as sets instead of single answers: the domain's survey over rows.

use std::{collections::BTreeSet, rc::Rc, sync::Arc};

use grantbook_domain::{
    access::{
        check::Reason,
        effective::{AccessRow, ApplicableGrant, Context, EffectiveAccess, FoundObject, survey, survey_each},
        pieces::{PIECE_BYTES, split},
    },
    id::{OrgId, ProjectId},
    principal::Principal,
    scope::{ObjectRef, ProjectView, Scope},
    state::Block,
    time::Timestamp,
};

use crate::{
    access::{
        checker::{Checker, Stop},
        grantee_rows::Node,
    },
    store::{
        encode::Take,
        error::ViewError,
        row::{GrantRow, ProjectRow},
        row_key::{self, Kind},
        snapshot::Snapshot,
        table::Table,
    },
};

/// Finds an object, if it is there, and says which scopes cover it.
pub(crate) type Look<'a> = dyn FnMut(&ObjectRef, &[&Scope]) -> Result<Option<FoundObject>, ViewError> + 'a;

impl Snapshot {
    /// What the principal may do at `now`.
    pub fn access(
        &self,
        org: OrgId,
        principal: Principal,
        now: Timestamp,
    ) -> Result<EffectiveAccess, ViewError> {
        self.checker(org, now)?.access(principal)
    }
}

impl Checker<'_> {
    /// What the principal may do: [`Snapshot::access`] for many, sharing what is looked up.
    pub fn access(&mut self, principal: Principal) -> Result<EffectiveAccess, ViewError> {
        match self.reaching(principal) {
            Ok(grants) => Ok(EffectiveAccess { reason: Reason::Granted, rows: self.survey(&grants)? }),
            Err(Stop::Because(reason)) => Ok(EffectiveAccess { reason, rows: Vec::new() }),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// The same, a permission at a time: its place in the catalog and its rows, from one place on, until `show` has enough. Very
    /// long rows are in parts, each of which holds by itself. What comes before costs nothing.
    pub fn access_each<E: From<ViewError>>(
        &mut self,
        principal: Principal,
        from: usize,
        mut show: impl FnMut(usize, Vec<AccessRow>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let grants = match self.reaching(principal) {
            Ok(grants) => grants,
            Err(Stop::Because(_)) => return Ok(()),
            Err(Stop::Failed(error)) => return Err(error.into()),
        };
        let living: BTreeSet<ProjectId> = self.every_project()?.iter().map(|project| project.id).collect();
        self.with_surroundings(|around, look| {
            survey_each(around, &grants, (from, look), |place, rows| {
                show(place, split(rows, &living, PIECE_BYTES))
            })
        })
    }

    /// The grants in force that reach the principal.
    fn reaching(&mut self, principal: Principal) -> Result<Vec<ApplicableGrant<Rc<[Block]>>>, Stop> {
        let mut grants = Vec::new();
        for node in self.reached(principal)?.iter() {
            grants.extend(self.in_force(node)?);
        }
        Ok(grants)
    }

    /// The grants to exactly this one that are in force.
    pub(crate) fn in_force(&mut self, node: &Node) -> Result<Vec<ApplicableGrant<Rc<[Block]>>>, ViewError> {
        let mut grants = Vec::new();
        for row in &node.grants {
            if self.now < row.until && self.grant_stands(row)? {
                let (scope, blocks) = (row.scope.clone(), self.blocks(row)?);
                grants.push(ApplicableGrant { scope, effect: row.effect, types: row.types, blocks });
            }
        }
        Ok(grants)
    }

    /// What somebody may do whom these grants reach, all in force.
    pub(crate) fn access_by(&mut self, rows: &[GrantRow]) -> Result<Vec<AccessRow>, ViewError> {
        let reaching = |row: &GrantRow| -> Result<_, ViewError> {
            let (scope, blocks) = (row.scope.clone(), self.blocks(row)?);
            Ok(ApplicableGrant { scope, effect: row.effect, types: row.types, blocks })
        };
        let grants = rows.iter().map(reaching).collect::<Result<Vec<_>, _>>()?;
        self.survey(&grants)
    }

    /// What these grants, all in force, give somebody whom all of them reach.
    pub(crate) fn survey(
        &mut self,
        grants: &[ApplicableGrant<Rc<[Block]>>],
    ) -> Result<Vec<AccessRow>, ViewError> {
        self.with_surroundings(|around, look| survey(around, grants, look))
    }

    /// Hands out what sets are held against, and what finds objects among it.
    pub(crate) fn with_surroundings<T, E: From<ViewError>>(
        &mut self,
        ask: impl FnOnce(Context<'_>, &mut Look<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (org, catalog) = (self.org, Arc::clone(&self.catalog));
        let living = self.every_project()?;
        let projects: Vec<ProjectView<'_>> = living.iter().map(|project| project.view()).collect();
        let around = Context { org, catalog: &catalog, projects: &projects };
        ask(around, &mut |object: &ObjectRef, scopes: &[&Scope]| {
            let place = match self.locate_exactly(object) {
                Ok(place) => place,
                Err(Stop::Because(_)) => return Ok(None),
                Err(Stop::Failed(error)) => return Err(error),
            };
            let covered = scopes.iter().map(|scope| self.covers(scope, &place)).collect();
            Ok(Some(FoundObject { project: place.located.project, covered }))
        })
    }

    /// Every living project that sets of projects are about.
    pub(crate) fn every_project(&mut self) -> Result<Rc<[Rc<ProjectRow>]>, ViewError> {
        if let Some(known) = &self.every_project {
            return Ok(Rc::clone(known));
        }
        let found: Rc<[_]> = self.all_projects()?.into();
        self.every_project = Some(Rc::clone(&found));
        Ok(found)
    }

    fn all_projects(&mut self) -> Result<Vec<Rc<ProjectRow>>, ViewError> {
        let mut found = Vec::new();
        let prefix = row_key::thing_kind(self.org, Kind::Project);
        for row in self.snapshot.prefix(Table::Things, &prefix)? {
            let (key, value) = row?;
            let mut take = Take::new(Table::Things, key.value());
            take.raw(prefix.len())?;
            let id = take.id()?;
            let project = self.snapshot.version_of_row(key.value(), value.value(), |version| {
                if version.ended { Ok(None) } else { ProjectRow::decode(id, version).map(Some) }
            })?;
            let Some(project) = project.flatten().map(Rc::new) else { continue };
            self.projects.insert(id, Some(Rc::clone(&project)));
            found.push(project);
        }
        Ok(found)
    }
}
