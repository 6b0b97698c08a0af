//! Long rows of access in pieces, each of which holds by itself; and about how many bytes of JSON a row takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use crate::{
    access::{
        effective::{AccessRow, ProjectSet},
        lines::AccessLine,
    },
    id::ProjectId,
    scope::ObjectRef,
};

/// A row is cut into pieces of about so many bytes of JSON.
pub const PIECE_BYTES: usize = 128 << 10;
/// A project's id in quotes, with a comma.
const PROJECT_BYTES: usize = 39;
/// What is around an object's type and id.
const OBJECT_BYTES: usize = 20;
/// The names of a row's fields.
pub const ROW_BYTES: usize = 120;

/// A row, but for its permission.
pub fn row_bytes(row: &AccessRow) -> usize {
    let ids = match &row.projects {
        ProjectSet::Only(ids) | ProjectSet::AllBut(ids) => ids.len() * PROJECT_BYTES,
    };
    let types: usize = row.types.iter().map(|name| name.len() + 3).sum();
    let objects: usize = row.objects.iter().chain(&row.except).map(object_bytes).sum();
    ROW_BYTES + types + ids + objects
}

/// A line with its permissions.
pub fn line_bytes(line: &AccessLine<'_>) -> usize {
    row_bytes(line.row) + line.permissions.iter().map(|name| name.len() + 3).sum::<usize>()
}

/// Ids hold no control characters: at most each byte is escaped by one.
fn object_bytes(object: &ObjectRef) -> usize {
    OBJECT_BYTES + object.object_type.len() + 2 * object.id.len()
}

/// How many ids a row names, and one for itself.
pub fn row_ids(row: &AccessRow) -> usize {
    let (ProjectSet::Only(ids) | ProjectSet::AllBut(ids)) = &row.projects;
    ids.len().saturating_add(row.objects.len()).saturating_add(row.except.len()).saturating_add(1)
}

/// Rows that are alike but for their permission.
pub type Alike = Vec<AccessRow>;

/// Rows with those that are very long in parts of about `most` bytes each, every one of which holds by itself.
pub fn split(rows: Vec<AccessRow>, living: &BTreeSet<ProjectId>, most: usize) -> Vec<AccessRow> {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        // An exception that lies in no project holds for the whole row, which must then stay whole: a piece without it would
        // say more than is held.
        let is_whole = row.except.iter().any(|object| object.project.is_none());
        if is_whole || row_bytes(&row) <= most {
            found.push(row);
            continue;
        }
        let named = row.objects.union(&row.except);
        let homes = named.filter_map(|object| Some((object.clone(), object.project?))).collect();
        found.extend(pieces(vec![row], &homes, living, most).into_iter().flatten());
    }
    found
}

/// Puts rows together that are alike.
pub fn alike(rows: Vec<AccessRow>) -> Vec<Alike> {
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
pub fn pieces(
    alike: Alike,
    homes: &BTreeMap<ObjectRef, ProjectId>,
    living: &BTreeSet<ProjectId>,
    most: usize,
) -> Vec<Alike> {
    let Some(first) = alike.first() else { return Vec::new() };
    if row_bytes(first) <= most {
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
