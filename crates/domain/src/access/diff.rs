//! The difference of effective access: what rows have that others have not. One algorithm, for a plan on two folds and for the
//! moments of a view.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    access::effective::{AccessRow, Extent, ProjectSet, into_rows, join},
    catalog::{Catalog, Lineage, ObjectType},
    id::ProjectId,
    scope::ObjectRef,
};

/// The objects that are there, with the project that each is or lies in.
pub type Homes = BTreeMap<ObjectRef, Option<ProjectId>>;

/// One of the two things that are compared.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// What is held.
    pub rows: &'a [AccessRow],
    /// The projects that live.
    pub living: &'a BTreeSet<ProjectId>,
    /// The objects that exist on this side, of all those that the rows of both sides name.
    pub homes: &'a Homes,
}

/// The objects that rows name: those whose homes a comparison needs.
pub fn named_objects<'a>(rows: impl IntoIterator<Item = &'a AccessRow>) -> BTreeSet<&'a ObjectRef> {
    rows.into_iter().flat_map(|row| row.objects.iter().chain(&row.except)).collect()
}

/// What is held here and not there, exact for the projects that live here. An object is gained iff its row has it, as in
/// [`AccessRow`]. The catalog is that of the state here. With a project, only what is on it or in it.
///
/// On the organization is gained what is held on all of it and on every project here, and was not there. Of objects that a grant
/// names, each is judged by itself; others that come or go are not listed where access to all of their type stays as it is.
pub fn gained(
    catalog: &Catalog,
    here: &Side<'_>,
    there: &Side<'_>,
    within: Option<ProjectId>,
) -> Vec<AccessRow> {
    let (rows, gone) = (by_permission_and_type(here.rows), by_permission_and_type(there.rows));
    let mut gained = Vec::new();
    for permission in catalog.all_permissions().map(|one| catalog.permission_name(one)) {
        let mut extents = Vec::new();
        for object_type in catalog.all_types() {
            let name = catalog.type_name(object_type);
            let Some(row) = rows.get(&(permission, name)) else { continue };
            let in_project = is_in_project(catalog, object_type);
            let extent =
                extent(in_project, (here, row), (there, gone.get(&(permission, name)).copied()), name);
            let extent = match within {
                Some(project) => cut(extent, in_project, here, project),
                None => extent,
            };
            join(&mut extents, extent, name);
        }
        gained.extend(into_rows(permission, extents));
    }
    gained
}

/// Whether objects of a type are or lie in projects.
pub fn is_in_project(catalog: &Catalog, object_type: ObjectType) -> bool {
    matches!(catalog.lineage(object_type), Lineage::Project | Lineage::InProject)
}

fn by_permission_and_type(rows: &[AccessRow]) -> BTreeMap<(&str, &str), &AccessRow> {
    let mut found = BTreeMap::new();
    for row in rows {
        found.extend(row.types.iter().map(|name| ((row.permission.as_str(), name.as_str()), row)));
    }
    found
}

/// Where one permission is held on one type here and not there.
fn extent(
    in_project: bool,
    (here, row): (&Side<'_>, &AccessRow),
    (there, gone): (&Side<'_>, Option<&AccessRow>),
    type_name: &str,
) -> Extent {
    let organization = row.organization && gone.is_none_or(|gone| !gone.organization);
    let projects = if in_project {
        projects((here, &row.projects), (there, gone.map(|gone| &gone.projects)))
    } else if organization {
        ProjectSet::ALL
    } else {
        ProjectSet::NONE
    };
    // Objects of a type that lies in projects are nowhere else.
    let organization = organization && (!in_project || projects == ProjectSet::ALL);
    let mut extent = Extent { organization, projects, objects: BTreeSet::new(), except: BTreeSet::new() };
    let named = named_objects([row].into_iter().chain(gone));
    for object in named.into_iter().filter(|object| object.object_type == type_name) {
        let Some(home) = here.homes.get(object) else { continue };
        let held_there =
            gone.zip(there.homes.get(object)).is_some_and(|(gone, home)| holds(gone, object, *home));
        match (holds(row, object, *home) && !held_there, extent.is_general(*home)) {
            (true, false) => drop(extent.objects.insert(object.clone())),
            (false, true) => drop(extent.except.insert(object.clone())),
            (true, true) | (false, false) => {}
        }
    }
    extent
}

/// Living projects of this side, and if only this side takes those to come, these too.
fn projects(
    (here, set): (&Side<'_>, &ProjectSet),
    (there, gone): (&Side<'_>, Option<&ProjectSet>),
) -> ProjectSet {
    let held_there = |id: &ProjectId| there.living.contains(id) && gone.is_some_and(|gone| gone.has(*id));
    let takes_those_to_come = matches!(set, ProjectSet::AllBut(_));
    if takes_those_to_come && !matches!(gone, Some(ProjectSet::AllBut(_))) {
        let out = |id: &ProjectId| !set.has(*id) || held_there(id);
        return ProjectSet::AllBut(here.living.iter().copied().filter(out).collect());
    }
    let within = |id: &ProjectId| set.has(*id) && !held_there(id);
    ProjectSet::Only(here.living.iter().copied().filter(within).collect())
}

/// What of it is on the project, or in it.
fn cut(extent: Extent, in_project: bool, here: &Side<'_>, project: ProjectId) -> Extent {
    let held = in_project && here.living.contains(&project) && extent.projects.has(project);
    let of_project = |objects: BTreeSet<ObjectRef>| -> BTreeSet<ObjectRef> {
        objects.into_iter().filter(|object| here.homes.get(object) == Some(&Some(project))).collect()
    };
    Extent {
        organization: false,
        projects: ProjectSet::Only(held.then_some(project).into_iter().collect()),
        objects: of_project(extent.objects),
        except: of_project(extent.except),
    }
}

/// Whether a row has an object that is there.
fn holds(row: &AccessRow, object: &ObjectRef, home: Option<ProjectId>) -> bool {
    let general = home.map_or(row.organization, |project| row.projects.has(project));
    row.objects.contains(object) || (general && !row.except.contains(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ProjectId = ProjectId::from_u128(1);
    const OTHER: ProjectId = ProjectId::from_u128(2);

    fn row(object_type: &str, organization: bool, projects: ProjectSet) -> AccessRow {
        AccessRow {
            permission: "read".to_owned(),
            types: vec![object_type.to_owned()],
            organization,
            projects,
            objects: BTreeSet::new(),
            except: BTreeSet::new(),
        }
    }

    /// What `after` has that `before` has not, where both projects live.
    fn between(before: &[AccessRow], after: &[AccessRow], (then, now): (&Homes, &Homes)) -> Vec<AccessRow> {
        let living = BTreeSet::from([ONE, OTHER]);
        let there = Side { rows: before, living: &living, homes: then };
        let here = Side { rows: after, living: &living, homes: now };
        gained(&Catalog::default(), &here, &there, None)
    }

    #[test]
    fn the_organization_is_gained_with_every_project_or_not_at_all() {
        let none = Homes::new();
        let whole = [row("project", true, ProjectSet::ALL)];
        assert_eq!(between(&[], &whole, (&none, &none)), whole);
        let part = [row("project", false, ProjectSet::Only(BTreeSet::from([ONE])))];
        let rest = ProjectSet::AllBut(BTreeSet::from([ONE]));
        assert_eq!(between(&part, &whole, (&none, &none)), [row("project", false, rest)]);
        // A grant on all projects became one on the organization: nobody gains anything.
        let all = [row("project", false, ProjectSet::ALL)];
        assert_eq!(between(&all, &whole, (&none, &none)), []);
        // Of a type that lies in no project, the organization is what is gained.
        let members = [row("org_member", true, ProjectSet::ALL)];
        assert_eq!(between(&[], &members, (&none, &none)), members);
    }

    #[test]
    fn an_object_that_is_not_there_is_not_gained() {
        let group = ObjectRef::new("group", "g");
        let mut named = row("group", false, ProjectSet::NONE);
        named.objects.insert(group.clone());
        let (absent, there) = (Homes::new(), Homes::from([(group, None)]));
        let named = [named];
        assert_eq!(between(&[], &named, (&absent, &there)), named);
        assert_eq!(between(&[], &named, (&absent, &absent)), []);
        // It was named before as well, but it was not there: it is gained as it comes.
        assert_eq!(between(&named, &named, (&absent, &there)), named);
        assert_eq!(between(&named, &named, (&there, &there)), []);
    }

    #[test]
    fn within_a_project_the_rest_is_cut_off() {
        let living = BTreeSet::from([ONE, OTHER]);
        let homes = Homes::new();
        let rows = [row("project", true, ProjectSet::ALL)];
        let (there, here) = (
            Side { rows: &[], living: &living, homes: &homes },
            Side { rows: &rows, living: &living, homes: &homes },
        );
        let cut = gained(&Catalog::default(), &here, &there, Some(OTHER));
        assert_eq!(cut, [row("project", false, ProjectSet::Only(BTreeSet::from([OTHER])))]);
    }
}
