//! Everything that a principal may do, as sets instead of single answers. One algorithm for the fold and for views: what
//! reaches the principal and how objects are found is handed in.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    access::{check::Reason, coverage::Cover, project_bits::ProjectBits},
    catalog::{Catalog, Lineage, ObjectType, Permission, TypeSet},
    id::{OrgId, ProjectId},
    model::{Effect, Grant},
    principal::Principal,
    scope::{Atom, ObjectRef, ProjectView, Scope},
    state::{Block, OrgState, project_view},
    time::Timestamp,
};

/// What a principal may do, exact at one state and instant. No key is considered.
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProjectSet {
    /// These and no other.
    Only(BTreeSet<ProjectId>),
    /// All but these: some allow takes every project that it does not exclude, and no deny does.
    AllBut(BTreeSet<ProjectId>),
}

impl ProjectSet {
    /// No project.
    pub const NONE: Self = Self::Only(BTreeSet::new());
    /// Every project.
    pub const ALL: Self = Self::AllBut(BTreeSet::new());

    /// Whether a living project is in.
    pub fn has(&self, project: ProjectId) -> bool {
        match self {
            Self::Only(ids) => ids.contains(&project),
            Self::AllBut(ids) => !ids.contains(&project),
        }
    }
}

/// A grant in force that reaches the principal.
#[derive(Debug, Clone)]
pub struct ApplicableGrant<B> {
    /// Where it applies.
    pub scope: Scope,
    /// Gives or takes.
    pub effect: Effect,
    /// Only on objects of these types.
    pub types: TypeSet,
    /// What.
    pub blocks: B,
}

/// What the sets are held against: everything that there is.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The organization's id, as singletons have it.
    pub org: OrgId,
    /// Permissions and types.
    pub catalog: &'a Catalog,
    /// Every living project.
    pub projects: &'a [ProjectView<'a>],
}

/// An object that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundObject {
    /// The project it is, or lies in.
    pub project: Option<ProjectId>,
    /// Which of the scopes asked about cover it, in their order.
    pub covered: Vec<bool>,
}

/// Where a permission is held, for grants that reach somebody. `look` finds an object, if it is there, and says which scopes
/// cover it.
pub fn survey<B: AsRef<[Block]>, E>(
    around: Context<'_>,
    grants: &[ApplicableGrant<B>],
    look: impl FnMut(&ObjectRef, &[&Scope]) -> Result<Option<FoundObject>, E>,
) -> Result<Vec<AccessRow>, E> {
    let mut rows = Vec::new();
    survey_each(around, grants, (0, look), |_, some| {
        rows.extend(some);
        Ok::<_, E>(true)
    })?;
    Ok(rows)
}

/// The same, a permission at a time: by its place in the catalog, from one on, until `show` has enough. What comes before costs
/// nothing.
pub fn survey_each<B: AsRef<[Block]>, E, F: From<E>>(
    around: Context<'_>,
    grants: &[ApplicableGrant<B>],
    (from, look): (usize, impl FnMut(&ObjectRef, &[&Scope]) -> Result<Option<FoundObject>, E>),
    mut show: impl FnMut(usize, Vec<AccessRow>) -> Result<bool, F>,
) -> Result<(), F> {
    let mut survey = Survey::of(around, grants, look);
    for (place, permission) in around.catalog.all_permissions().enumerate().skip(from) {
        if !show(place, survey.rows_of(permission)?)? {
            break;
        }
    }
    Ok(())
}

/// What the grants of one effect cover by themselves: [`survey`] in parts that can be put together, for what many share.
pub fn covered<B: AsRef<[Block]>, E>(
    around: Context<'_>,
    (grants, effect): (&[ApplicableGrant<B>], Effect),
    look: impl FnMut(&ObjectRef, &[&Scope]) -> Result<Option<FoundObject>, E>,
) -> Result<Vec<CoverRow>, E> {
    Survey::of(around, grants, look).cover_rows(effect)
}

/// What grants of one effect cover of some types, for one permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverRow {
    /// The permission's name.
    pub permission: String,
    /// Names of the object types that are covered in the same way, in the catalog's order.
    pub types: Vec<String>,
    /// What is covered.
    pub cover: Cover,
}

/// A grant with the projects that its scope covers.
struct ExpandedGrant<'a> {
    scope: &'a Scope,
    effect: Effect,
    types: TypeSet,
    blocks: &'a [Block],
    projects: ProjectBits,
    /// Covers every object of the organization.
    everything: bool,
    /// Covers every project that it does not exclude.
    wide: bool,
    /// Covers one object and nothing else: what lies in projects is named in [`AccessRow::except`] then.
    single: bool,
}

struct Survey<'a, F> {
    around: Context<'a>,
    grants: Vec<ExpandedGrant<'a>>,
    /// The projects that some of the grants cover, by their indexes.
    sets: BTreeMap<Vec<usize>, ProjectSet>,
    look: F,
}

/// Where a permission is held on objects of one type: [`AccessRow`] without the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// On everything in the organization, but for `except`.
    pub organization: bool,
    /// In these projects.
    pub projects: ProjectSet,
    /// On these objects besides.
    pub objects: BTreeSet<ObjectRef>,
    /// But not on these.
    pub except: BTreeSet<ObjectRef>,
}

impl<'a> ExpandedGrant<'a> {
    fn of<B: AsRef<[Block]>>(grant: &'a ApplicableGrant<B>, around: &Context<'_>) -> Self {
        let scope = &grant.scope;
        let object_type = match scope {
            Scope::Object(object) => around.catalog.object_type(&object.object_type),
            Scope::Organization | Scope::Projects(_) => None,
        };
        let everything = *scope == Scope::Organization || object_type == Some(ObjectType::ORGANIZATION);
        let wide = everything
            || object_type == Some(ObjectType::ORG_PROJECT)
            || matches!(scope, Scope::Projects(selector) if selector.include.contains(&Atom::All));
        let one = match scope {
            Scope::Object(object) if object_type == Some(ObjectType::PROJECT) => {
                object.id.parse().ok().filter(|id: &ProjectId| id.to_string() == object.id)
            }
            Scope::Object(_) | Scope::Organization | Scope::Projects(_) => None,
        };
        let covered = around.projects.iter().map(|project| match scope {
            Scope::Organization => true,
            Scope::Projects(selector) => selector.covers(*project),
            Scope::Object(_) => wide || one == Some(project.id),
        });
        let projects = ProjectBits::of(covered);
        let single = matches!(scope, Scope::Object(_)) && !wide && object_type != Some(ObjectType::PROJECT);
        let (effect, types, blocks) = (grant.effect, grant.types, grant.blocks.as_ref());
        Self { scope, effect, types, blocks, projects, everything, wide, single }
    }

    fn gives(&self, permission: Permission, object_type: ObjectType) -> bool {
        let gives = |block: &Block| block.permissions.has(permission) && block.types.has(object_type);
        self.types.has(object_type) && self.blocks.iter().any(gives)
    }
}

impl<'a, E, F: FnMut(&ObjectRef, &[&Scope]) -> Result<Option<FoundObject>, E>> Survey<'a, F> {
    fn of<B: AsRef<[Block]>>(around: Context<'a>, grants: &'a [ApplicableGrant<B>], look: F) -> Self {
        let grants = grants.iter().map(|grant| ExpandedGrant::of(grant, &around)).collect();
        Self { around, grants, sets: BTreeMap::new(), look }
    }

    fn rows_of(&mut self, permission: Permission) -> Result<Vec<AccessRow>, E> {
        let catalog = self.around.catalog;
        let mut extents: Vec<(Extent, Vec<String>)> = Vec::new();
        for object_type in catalog.all_types() {
            let allows = self.deciding((permission, object_type), Effect::Allow);
            if allows.is_empty() {
                continue;
            }
            let denies = self.deciding((permission, object_type), Effect::Deny);
            let extent = self.cover(&allows, object_type)?.without(&self.cover(&denies, object_type)?);
            join(&mut extents, extent, catalog.type_name(object_type));
        }
        Ok(into_rows(catalog.permission_name(permission), extents).collect())
    }

    fn cover_rows(mut self, effect: Effect) -> Result<Vec<CoverRow>, E> {
        let catalog = self.around.catalog;
        let mut rows = Vec::new();
        for permission in catalog.all_permissions() {
            let mut covers: Vec<(Cover, Vec<String>)> = Vec::new();
            for object_type in catalog.all_types() {
                let deciding = self.deciding((permission, object_type), effect);
                let cover = self.cover(&deciding, object_type)?;
                if !cover.is_empty() {
                    join(&mut covers, cover, catalog.type_name(object_type));
                }
            }
            let permission = catalog.permission_name(permission);
            rows.extend(covers.into_iter().map(|(cover, types)| CoverRow {
                permission: permission.to_owned(),
                types,
                cover,
            }));
        }
        Ok(rows)
    }

    /// The grants of an effect that give or take the permission on some objects of the type.
    fn deciding(&self, (permission, object_type): (Permission, ObjectType), effect: Effect) -> Vec<usize> {
        let grants = (0..).zip(&self.grants);
        let deciding =
            grants.filter(|(_, grant)| grant.effect == effect && grant.gives(permission, object_type));
        deciding.map(|(index, _)| index).collect()
    }

    fn these(&self, indexes: &[usize]) -> impl Iterator<Item = &ExpandedGrant<'a>> {
        indexes.iter().filter_map(|index| self.grants.get(*index))
    }

    /// What these grants, all of one effect, cover of a type.
    fn cover(&mut self, indexes: &[usize], object_type: ObjectType) -> Result<Cover, E> {
        if indexes.is_empty() {
            return Ok(Cover::default());
        }
        let lineage = self.around.catalog.lineage(object_type);
        let in_project = matches!(lineage, Lineage::Project | Lineage::InProject);
        let type_name = self.around.catalog.type_name(object_type);
        let organization = match lineage {
            Lineage::Singleton => self.covers_singleton(indexes, type_name)?,
            Lineage::Organization | Lineage::Project | Lineage::InProject => {
                self.these(indexes).any(|grant| match grant.effect {
                    Effect::Deny if in_project => !grant.single,
                    Effect::Allow | Effect::Deny => grant.everything,
                })
            }
        };
        let projects = match in_project {
            true => self.projects(indexes),
            false if organization => ProjectSet::ALL,
            false => ProjectSet::NONE,
        };
        let mut objects = BTreeMap::new();
        if matches!(lineage, Lineage::InProject | Lineage::Organization) {
            for object in self.named_objects(indexes, type_name) {
                if let Some(seen) = (self.look)(&object, &[])? {
                    objects.insert(object, seen.project);
                }
            }
        }
        Ok(Cover { organization, projects, objects })
    }

    /// The projects that these grants cover. Few combinations of grants decide about many permissions and types: computed
    /// once for each.
    fn projects(&mut self, indexes: &[usize]) -> ProjectSet {
        if let Some(set) = self.sets.get(indexes) {
            return set.clone();
        }
        let mut covered = ProjectBits::default();
        self.these(indexes).for_each(|grant| covered.join(&grant.projects));
        let projects = self.around.projects.iter().enumerate();
        let ids = |within: bool| -> BTreeSet<ProjectId> {
            projects.filter(|(place, _)| covered.has(*place) == within).map(|(_, one)| one.id).collect()
        };
        let set = if self.these(indexes).any(|grant| grant.wide) {
            ProjectSet::AllBut(ids(false))
        } else {
            ProjectSet::Only(ids(true))
        };
        self.sets.insert(indexes.to_vec(), set.clone());
        set
    }

    fn named_objects(&self, indexes: &[usize], type_name: &str) -> BTreeSet<ObjectRef> {
        let named = self.these(indexes).filter_map(|grant| match grant.scope {
            Scope::Object(object) if object.object_type == type_name => Some(object.clone()),
            Scope::Object(_) | Scope::Organization | Scope::Projects(_) => None,
        });
        named.collect()
    }

    fn covers_singleton(&mut self, indexes: &[usize], type_name: &str) -> Result<bool, E> {
        let one = ObjectRef::new(type_name, self.around.org.to_string());
        let scopes: Vec<&Scope> = self.these(indexes).map(|grant| grant.scope).collect();
        let seen = (self.look)(&one, &scopes)?;
        Ok(seen.is_some_and(|seen| seen.covered.contains(&true)))
    }
}

impl Extent {
    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        !self.organization && self.projects == ProjectSet::NONE && self.objects.is_empty()
    }

    /// Whether objects that no grant names are allowed in the project, or, without one, in the organization.
    pub fn is_general(&self, project: Option<ProjectId>) -> bool {
        match project {
            Some(project) => self.projects.has(project),
            None => self.organization,
        }
    }
}

/// Adds a type to those on which the permission is held in the same way.
pub fn join<E: PartialEq>(extents: &mut Vec<(E, Vec<String>)>, extent: E, type_name: &str) {
    match extents.iter_mut().find(|(known, _)| *known == extent) {
        Some((_, types)) => types.push(type_name.to_owned()),
        None => extents.push((extent, vec![type_name.to_owned()])),
    }
}

/// The rows of one permission; what gives nothing is left out.
pub fn into_rows(permission: &str, extents: Vec<(Extent, Vec<String>)>) -> impl Iterator<Item = AccessRow> {
    extents.into_iter().filter(|(extent, _)| !extent.is_empty()).map(move |(extent, types)| {
        let Extent { organization, projects, objects, except } = extent;
        AccessRow { permission: permission.to_owned(), types, organization, projects, objects, except }
    })
}

/// Surveying the fold.
impl OrgState {
    /// What the principal may do at `now`.
    pub fn access(&self, principal: Principal, now: Timestamp) -> EffectiveAccess {
        match self.grants_reaching(principal, now) {
            Ok(grants) => EffectiveAccess { reason: Reason::Granted, rows: self.survey(&grants) },
            Err(reason) => EffectiveAccess { reason, rows: Vec::new() },
        }
    }

    /// The grants in force that reach the principal at `now`, by grantee, then id.
    pub fn grants_reaching(&self, principal: Principal, now: Timestamp) -> Result<Vec<&Grant>, Reason> {
        let until = self.active_principal(principal, now)?;
        let reached = self.reached_from(principal.into(), until, now);
        let grants = reached.keys().flat_map(|grantee| self.grants_to(*grantee));
        Ok(grants.filter(|grant| self.grant_in_force(grant, now)).collect())
    }

    /// What these grants, all in force, give somebody whom all of them reach.
    pub fn survey(&self, grants: &[&Grant]) -> Vec<AccessRow> {
        let Some(org) = self.id() else { return Vec::new() };
        let reaching: Vec<_> = grants
            .iter()
            .map(|grant| ApplicableGrant {
                scope: grant.on.clone(),
                effect: grant.effect,
                types: TypeSet::ALL,
                blocks: self.grant_blocks(grant),
            })
            .collect();
        let projects: Vec<ProjectView<'_>> = self.living_projects().map(project_view).collect();
        let catalog = Arc::clone(&self.catalog);
        let around = Context { org, catalog: &catalog, projects: &projects };
        let look = |object: &ObjectRef, scopes: &[&Scope]| {
            let Ok(located) = self.locate_exactly(object) else { return Ok(None) };
            let covered = scopes.iter().map(|scope| self.covers(scope, &located)).collect();
            Ok::<_, std::convert::Infallible>(Some(FoundObject { project: located.project, covered }))
        };
        survey(around, &reaching, look).unwrap_or_default()
    }
}
