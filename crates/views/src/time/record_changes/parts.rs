//! Rows cut into parts, each of which fits into a message. Together the parts say exactly what the whole did.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use grantbook_domain::{
    access::effective::{AccessRow, ProjectSet},
    id::ProjectId,
    scope::ObjectRef,
};

/// About so many bytes of JSON are in a part: far below what a broker takes at once (1 MiB), so that there is room for who it is.
pub(super) const PART_BYTES: usize = 128 << 10;

/// A project's id in quotes, with a comma.
const PROJECT_BYTES: usize = 39;
/// What is around an object's type and id.
const OBJECT_BYTES: usize = 20;
/// The names of a row's fields.
const ROW_BYTES: usize = 120;

/// Rows that are alike but for their permission.
type Alike = Vec<AccessRow>;

/// Cuts rows into parts of about `most` bytes. `homes` says in which projects single objects lie, `living` has all projects
/// that rows are about.
pub(super) fn parts(
    rows: Vec<AccessRow>,
    homes: &BTreeMap<ObjectRef, ProjectId>,
    living: &BTreeSet<ProjectId>,
    most: usize,
) -> Vec<Vec<AccessRow>> {
    if rows.iter().map(bytes).sum::<usize>() <= most {
        return vec![rows];
    }
    let mut parts = Vec::new();
    let (mut part, mut filled) = (Vec::new(), 0);
    for alike in alike(rows) {
        for piece in pieces(alike, homes, living, most) {
            let size = piece.first().map_or(0, bytes) + piece.len() * NAME_BYTES;
            if filled + size > most && !part.is_empty() {
                parts.push(mem::take(&mut part));
                filled = 0;
            }
            filled += size;
            part.extend(piece);
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// A permission's name in quotes, with a comma.
const NAME_BYTES: usize = 67;

fn bytes(row: &AccessRow) -> usize {
    let ids = match &row.projects {
        ProjectSet::Only(ids) | ProjectSet::AllBut(ids) => ids.len() * PROJECT_BYTES,
    };
    let types: usize = row.types.iter().map(|name| name.len() + 3).sum();
    let objects: usize = row.objects.iter().chain(&row.except).map(object_bytes).sum();
    ROW_BYTES + types + ids + objects
}

/// Ids hold no control characters: at most each byte is escaped by one.
fn object_bytes(object: &ObjectRef) -> usize {
    OBJECT_BYTES + object.object_type.len() + 2 * object.id.len()
}

fn alike(rows: Vec<AccessRow>) -> Vec<Alike> {
    let mut found: Vec<Alike> = Vec::new();
    for row in rows {
        let same = |other: &&mut Alike| other.first().is_some_and(|first| is_alike(first, &row));
        match found.iter_mut().find(same) {
            Some(alike) => alike.push(row),
            None => found.push(vec![row]),
        }
    }
    found
}

fn is_alike(one: &AccessRow, other: &AccessRow) -> bool {
    (&one.types, one.organization, &one.projects, &one.objects, &one.except)
        == (&other.types, other.organization, &other.projects, &other.objects, &other.except)
}

/// Rows that are alike, as they are if they are short; else by projects, each with what is excepted in it, and then by objects.
/// A long list of projects that are not meant becomes the list of those that are.
fn pieces(
    alike: Alike,
    homes: &BTreeMap<ObjectRef, ProjectId>,
    living: &BTreeSet<ProjectId>,
    most: usize,
) -> Vec<Alike> {
    let Some(first) = alike.first() else { return Vec::new() };
    if bytes(first) <= most {
        return vec![alike];
    }
    let projects: BTreeSet<ProjectId> = living.iter().copied().filter(|id| first.projects.has(*id)).collect();
    let mut excepted: BTreeMap<Option<ProjectId>, BTreeSet<ObjectRef>> = BTreeMap::new();
    for object in &first.except {
        excepted.entry(homes.get(object).copied()).or_default().insert(object.clone());
    }
    let mut cut = Cutter { most, filled: 0, found: Vec::new(), now: nothing(first) };
    if first.organization {
        cut.now.organization = true;
        cut.add(0, |row| row.except.extend(excepted.remove(&None).unwrap_or_default()));
    }
    for project in projects {
        let except = excepted.remove(&Some(project)).unwrap_or_default();
        let size = PROJECT_BYTES + except.iter().map(object_bytes).sum::<usize>();
        cut.add(size, |row| {
            row.except.extend(except);
            if let ProjectSet::Only(ids) = &mut row.projects {
                ids.insert(project);
            }
        });
    }
    for object in &first.objects {
        cut.add(object_bytes(object), |row| {
            row.objects.insert(object.clone());
        });
    }
    let named = |row: AccessRow| {
        let with = |other: &AccessRow| AccessRow { permission: other.permission.clone(), ..row.clone() };
        alike.iter().map(with).collect()
    };
    cut.end().into_iter().map(named).collect()
}

/// A row of the same types that gives nothing.
fn nothing(row: &AccessRow) -> AccessRow {
    AccessRow {
        permission: row.permission.clone(),
        types: row.types.clone(),
        organization: false,
        projects: ProjectSet::NONE,
        objects: BTreeSet::new(),
        except: BTreeSet::new(),
    }
}

/// Rows that are filled one after the other.
struct Cutter {
    most: usize,
    filled: usize,
    found: Vec<AccessRow>,
    now: AccessRow,
}

impl Cutter {
    fn add(&mut self, size: usize, fill: impl FnOnce(&mut AccessRow)) {
        if self.filled > 0 && self.filled + size > self.most {
            let next = nothing(&self.now);
            self.found.push(mem::replace(&mut self.now, next));
            self.filled = 0;
        }
        self.filled += size;
        fill(&mut self.now);
    }

    fn end(mut self) -> Vec<AccessRow> {
        self.found.push(self.now);
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(id: u128) -> ProjectId {
        ProjectId::from_u128(id)
    }

    fn object(id: u128) -> ObjectRef {
        ObjectRef::new("dataset", format!("object-{id}"))
    }

    fn row(permission: &str, projects: ProjectSet) -> AccessRow {
        AccessRow {
            permission: permission.to_owned(),
            types: vec!["dataset".to_owned(), "project".to_owned()],
            organization: false,
            projects,
            objects: BTreeSet::new(),
            except: BTreeSet::new(),
        }
    }

    /// Who has what of a world of 1,000 projects with an object each, by some of the rows.
    fn held<'r>(rows: impl IntoIterator<Item = &'r AccessRow>) -> BTreeSet<(String, bool, u128)> {
        let mut held = BTreeSet::new();
        for row in rows {
            for id in 0..1_000 {
                let general = row.projects.has(project(id));
                if general {
                    held.insert((row.permission.clone(), false, id));
                }
                if row.objects.contains(&object(id)) || general && !row.except.contains(&object(id)) {
                    held.insert((row.permission.clone(), true, id));
                }
            }
        }
        held
    }

    #[test]
    fn parts_fit_and_say_together_what_the_whole_did() {
        let living: BTreeSet<_> = (0..1_000).map(project).collect();
        let homes: BTreeMap<_, _> = (0..1_000).map(|id| (object(id), project(id))).collect();
        let most = 4_000;
        let mut only = row("read", ProjectSet::Only((0..600).map(project).collect()));
        only.except = (0..600).step_by(7).map(object).collect();
        only.objects = (600..900).map(object).collect();
        let update = AccessRow { permission: "update".to_owned(), ..only.clone() };
        let but = row("delete", ProjectSet::AllBut((0..500).map(project).collect()));
        let few = row("create", ProjectSet::AllBut([project(3)].into()));
        let whole = vec![few.clone(), only, update, but];
        let parts = parts(whole.clone(), &homes, &living, most);
        assert!(parts.len() > 10);
        for part in &parts {
            let size = alike(part.clone()).iter().map(|alike| bytes(&alike[0])).sum::<usize>();
            assert!(size <= most + ROW_BYTES + 100, "{size}");
        }
        assert_eq!(held(parts.iter().flatten()), held(&whole));
        assert_eq!(parts[0][0], few, "what is short stays as it is, also of projects to come");
        assert_eq!(super::parts(whole.clone(), &homes, &living, 1 << 20), [whole]);
    }

    #[test]
    fn what_is_excepted_in_the_organization_stays_with_it() {
        let mut whole = row("read", ProjectSet::ALL);
        whole.organization = true;
        whole.except = (0..200).map(object).collect();
        let parts = parts(vec![whole], &BTreeMap::new(), &BTreeSet::from([project(1)]), 1_000);
        let general: Vec<_> = parts.iter().flatten().filter(|row| row.organization).collect();
        assert_eq!((general.len(), general[0].except.len()), (1, 200));
        assert!(parts.iter().flatten().filter(|row| row.projects.has(project(1))).count() == 1);
    }
}
