//! Everything that a principal may do, as sets instead of single answers.

use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
    sync::Arc,
};

use grantbook_domain::{
    access::{Reason, Target},
    catalog::{Lineage, ObjectType, Permission},
    id::{OrgId, ProjectId},
    model::Effect,
    principal::Principal,
    scope::{Atom, ObjectRef, Scope},
    state::Block,
    time::Timestamp,
};

use crate::{
    check::{Checker, Stop},
    encode::Take,
    error::ViewError,
    reader::Snapshot,
    row::{GrantRow, ProjectRow},
    row_key::{self, Kind},
    table::Table,
};

/// What a principal may do, exact at the snapshot's position and the instant asked about. No key is considered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveAccess {
    /// Why there is nothing at all (unknown or inactive principal), else [`Reason::Granted`].
    pub reason: Reason,
    /// By permission in the catalog's order, then by first type; what gives nothing is absent.
    pub rows: Vec<AccessRow>,
}

/// Where one permission is held on objects of some types.
///
/// An object of one of the types is allowed iff it is in `objects`, or it is not in `except` and, for types that are or
/// lie in projects, `projects` has its project, for other types, `organization` is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRow {
    /// The permission's name.
    pub permission: String,
    /// Names of the object types on which it is held in the same way, in the catalog's order.
    pub types: Vec<String>,
    /// On everything of these types in the organization, now and later, but for `except`.
    pub organization: bool,
    /// In these projects.
    pub projects: ProjectSet,
    /// On these objects besides.
    pub objects: BTreeSet<ObjectRef>,
    /// But not on these.
    pub except: BTreeSet<ObjectRef>,
}

/// A set of living projects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectSet {
    /// These and no other.
    Only(BTreeSet<ProjectId>),
    /// All but these: some allow takes every project that it does not exclude, and no deny does.
    AllBut(BTreeSet<ProjectId>),
}

impl ProjectSet {
    /// Whether a living project is in.
    pub fn has(&self, project: ProjectId) -> bool {
        match self {
            Self::Only(ids) => ids.contains(&project),
            Self::AllBut(ids) => !ids.contains(&project),
        }
    }
}

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
        match Survey::of(self, principal) {
            Ok(mut survey) => Ok(EffectiveAccess { reason: Reason::Granted, rows: survey.rows()? }),
            Err(Stop::Because(reason)) => Ok(EffectiveAccess { reason, rows: Vec::new() }),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

/// A grant in force that reaches the principal, with the projects that its scope covers.
struct Reaching {
    row: GrantRow,
    blocks: Rc<[Block]>,
    projects: BTreeSet<ProjectId>,
    /// Covers every object of the organization.
    everything: bool,
    /// Covers every project that it does not exclude.
    wide: bool,
    /// Covers one object and nothing else: what lies in projects is named in [`AccessRow::except`] then.
    single: bool,
}

/// Everything that reaches a principal, held against everything that there is.
struct Survey<'a, 's> {
    checker: &'a mut Checker<'s>,
    grants: Vec<Reaching>,
}

/// Where a permission is held on objects of one type: [`AccessRow`] without the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) organization: bool,
    pub(crate) projects: ProjectSet,
    pub(crate) objects: BTreeSet<ObjectRef>,
    pub(crate) except: BTreeSet<ObjectRef>,
}

impl Reaching {
    fn gives(&self, permission: Permission, object_type: ObjectType) -> bool {
        let gives = |block: &Block| block.permissions.has(permission) && block.types.has(object_type);
        self.row.types.has(object_type) && self.blocks.iter().any(gives)
    }

    fn allows(&self) -> bool {
        self.row.effect == Effect::Allow
    }
}

impl<'a, 's> Survey<'a, 's> {
    fn of(checker: &'a mut Checker<'s>, principal: Principal) -> Result<Self, Stop> {
        let reached = checker.reached(principal)?;
        let projects = checker.every_project()?;
        let mut grants = Vec::new();
        for node in reached.iter() {
            for row in &node.grants {
                if checker.now < row.until && checker.grant_stands(row)? {
                    grants.push(checker.reaching(row.clone(), &projects)?);
                }
            }
        }
        Ok(Self { checker, grants })
    }

    fn rows(&mut self) -> Result<Vec<AccessRow>, ViewError> {
        let catalog = Arc::clone(&self.checker.catalog);
        // Few combinations of grants decide about many permissions and types: project sets are computed once for each.
        let mut known: HashMap<Vec<usize>, ProjectSet> = HashMap::new();
        let mut rows = Vec::new();
        for permission in catalog.all_permissions() {
            let mut extents: Vec<(Extent, Vec<String>)> = Vec::new();
            for object_type in catalog.all_types() {
                let deciding: Vec<usize> = (0..)
                    .zip(&self.grants)
                    .filter(|(_, grant)| grant.gives(permission, object_type))
                    .map(|(index, _)| index)
                    .collect();
                if deciding.is_empty() {
                    continue;
                }
                let projects =
                    known.entry(deciding.clone()).or_insert_with(|| self.projects(&deciding)).clone();
                let extent = self.extent(&deciding, object_type, projects)?;
                let name = catalog.type_name(object_type).to_owned();
                extent.join(&mut extents, name);
            }
            let name = catalog.permission_name(permission);
            rows.extend(extents.into_iter().filter_map(|(extent, types)| extent.row(name, types)));
        }
        Ok(rows)
    }

    fn deciding(&self, indexes: &[usize]) -> impl Iterator<Item = &Reaching> {
        indexes.iter().filter_map(|index| self.grants.get(*index))
    }

    /// The projects where objects that no grant names are allowed.
    fn projects(&self, indexes: &[usize]) -> ProjectSet {
        let (mut allowed, mut denied) = (BTreeSet::new(), BTreeSet::new());
        let (mut wide, mut narrow) = (false, false);
        for grant in self.deciding(indexes) {
            if grant.allows() {
                allowed.extend(grant.projects.iter().copied());
                wide |= grant.wide;
            } else {
                denied.extend(grant.projects.iter().copied());
                narrow |= grant.wide;
            }
        }
        let within = |id: &ProjectId| allowed.contains(id) && !denied.contains(id);
        if wide && !narrow {
            ProjectSet::AllBut(self.checker.known_projects().filter(|id| !within(id)).collect())
        } else {
            ProjectSet::Only(self.checker.known_projects().filter(within).collect())
        }
    }

    fn extent(
        &mut self,
        indexes: &[usize],
        object_type: ObjectType,
        projects: ProjectSet,
    ) -> Result<Extent, ViewError> {
        let lineage = self.checker.catalog.lineage(object_type);
        let in_project = matches!(lineage, Lineage::Project | Lineage::InProject);
        let takes = |grant: &Reaching| if in_project { !grant.single } else { grant.everything };
        let denied = self.deciding(indexes).any(|grant| !grant.allows() && takes(grant));
        let mut organization =
            !denied && self.deciding(indexes).any(|grant| grant.allows() && grant.everything);
        let type_name = self.checker.catalog.type_name(object_type).to_owned();
        if lineage == Lineage::Singleton {
            let one = ObjectRef { object_type: type_name.clone(), id: self.checker.org.to_string() };
            organization = self.is_allowed(indexes, &one)?.is_some_and(|(allowed, _)| allowed);
        }
        let projects = match in_project {
            true => projects,
            false if organization => ProjectSet::AllBut(BTreeSet::new()),
            false => ProjectSet::Only(BTreeSet::new()),
        };
        let mut extent = Extent { organization, projects, objects: BTreeSet::new(), except: BTreeSet::new() };
        if matches!(lineage, Lineage::InProject | Lineage::Organization) {
            for object in self.named_objects(indexes, &type_name) {
                let Some((allowed, project)) = self.is_allowed(indexes, &object)? else { continue };
                let anyway = match project {
                    Some(project) => extent.projects.has(project),
                    None => extent.organization,
                };
                match (allowed, anyway) {
                    (true, false) => drop(extent.objects.insert(object)),
                    (false, true) => drop(extent.except.insert(object)),
                    (true, true) | (false, false) => {}
                }
            }
        }
        Ok(extent)
    }

    fn named_objects(&self, indexes: &[usize], type_name: &str) -> BTreeSet<ObjectRef> {
        let named = self.deciding(indexes).filter_map(|grant| match &grant.row.scope {
            Scope::Object(object) if object.object_type == type_name => Some(object.clone()),
            Scope::Object(_) | Scope::Organization | Scope::Projects(_) => None,
        });
        named.collect()
    }

    /// Whether these grants allow on one object, and its project; none if there is no such object.
    fn is_allowed(
        &mut self,
        indexes: &[usize],
        object: &ObjectRef,
    ) -> Result<Option<(bool, Option<ProjectId>)>, ViewError> {
        let target = Target { object_type: &object.object_type, id: &object.id, project: None };
        let place = match self.checker.locate(target) {
            Ok(place) => place,
            Err(Stop::Because(_)) => return Ok(None),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let covers = |grant: &&Reaching| self.checker.covers(&grant.row.scope, &place);
        let mut allowed = false;
        for grant in self.deciding(indexes).filter(covers) {
            if !grant.allows() {
                return Ok(Some((false, place.located.project)));
            }
            allowed = true;
        }
        Ok(Some((allowed, place.located.project)))
    }
}

impl Extent {
    /// Adds a type to those where a permission is held in the same way.
    pub(crate) fn join(self, extents: &mut Vec<(Self, Vec<String>)>, type_name: String) {
        match extents.iter_mut().find(|(known, _)| *known == self) {
            Some((_, types)) => types.push(type_name),
            None => extents.push((self, vec![type_name])),
        }
    }

    /// With its words; none if it is nowhere.
    pub(crate) fn row(self, permission: &str, types: Vec<String>) -> Option<AccessRow> {
        let is_empty = self.is_empty();
        let Self { organization, projects, objects, except } = self;
        let permission = permission.to_owned();
        (!is_empty).then_some(AccessRow { permission, types, organization, projects, objects, except })
    }

    fn is_empty(&self) -> bool {
        let no_project = matches!(&self.projects, ProjectSet::Only(ids) if ids.is_empty());
        !self.organization && no_project && self.objects.is_empty()
    }
}

impl Checker<'_> {
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

    pub(crate) fn known_projects(&self) -> impl Iterator<Item = ProjectId> {
        self.every_project.iter().flat_map(|every| every.iter()).map(|project| project.id)
    }

    fn reaching(&mut self, row: GrantRow, projects: &[Rc<ProjectRow>]) -> Result<Reaching, ViewError> {
        let blocks = self.blocks(&row)?;
        let object_type = match &row.scope {
            Scope::Object(object) => self.catalog.object_type(&object.object_type),
            Scope::Organization | Scope::Projects(_) => None,
        };
        let everything = row.scope == Scope::Organization || object_type == Some(ObjectType::ORGANIZATION);
        let wide = everything
            || object_type == Some(ObjectType::ORG_PROJECT)
            || matches!(&row.scope, Scope::Projects(selector) if selector.include.contains(&Atom::All));
        let covered = projects.iter().filter(|project| match &row.scope {
            Scope::Organization => true,
            Scope::Projects(selector) => selector.covers(project.view()),
            Scope::Object(_) if wide => true,
            Scope::Object(object) => {
                object_type == Some(ObjectType::PROJECT) && object.id == project.id.to_string()
            }
        });
        let projects = covered.map(|project| project.id).collect();
        let single =
            matches!(row.scope, Scope::Object(_)) && !wide && object_type != Some(ObjectType::PROJECT);
        Ok(Reaching { row, blocks, projects, everything, wide, single })
    }
}
