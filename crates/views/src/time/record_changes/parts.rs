//! Rows cut into parts, each of which fits into a message. Together the parts say exactly what the whole did.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use grantbook_domain::{
    access::{
        effective::AccessRow,
        pieces::{alike, pieces, row_bytes},
    },
    id::ProjectId,
    scope::ObjectRef,
};

/// About so many bytes of JSON are in a part: far below what a broker takes at once (1 MiB), so that there is room for who it is.
pub(super) const PART_BYTES: usize = 128 << 10;

/// Cuts rows into parts of about `most` bytes. `homes` says in which projects single objects lie, `living` has all projects
/// that rows are about.
pub(super) fn parts(
    rows: Vec<AccessRow>,
    homes: &BTreeMap<ObjectRef, ProjectId>,
    living: &BTreeSet<ProjectId>,
    most: usize,
) -> Vec<Vec<AccessRow>> {
    if rows.iter().map(row_bytes).sum::<usize>() <= most {
        return vec![rows];
    }
    let mut parts = Vec::new();
    let (mut part, mut filled) = (Vec::new(), 0);
    for alike in alike(rows) {
        for piece in pieces(alike, homes, living, most) {
            let size = piece.first().map_or(0, row_bytes) + piece.len() * NAME_BYTES;
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

#[cfg(test)]
mod tests {
    use grantbook_domain::access::{
        effective::ProjectSet,
        pieces::{ROW_BYTES, split},
    };

    use super::*;

    fn project(id: u128) -> ProjectId {
        ProjectId::from_u128(id)
    }

    fn object(id: u128) -> ObjectRef {
        ObjectRef::new("dataset", format!("object-{id}")).within(Some(project(id)))
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
            let size = alike(part.clone()).iter().map(|alike| row_bytes(&alike[0])).sum::<usize>();
            assert!(size <= most + ROW_BYTES + 100, "{size}");
        }
        assert_eq!(held(parts.iter().flatten()), held(&whole));
        assert_eq!(parts[0][0], few, "what is short stays as it is, also of projects to come");
        let rows = split(whole.clone(), &living, most);
        assert!(rows.len() > 10 && rows.iter().all(|row| row_bytes(row) <= most + ROW_BYTES + 100));
        assert_eq!(held(&rows), held(&whole));
        let mut homeless = whole[1].clone();
        homeless.except.insert(ObjectRef::new("dataset", "anywhere"));
        assert_eq!(
            split(vec![homeless.clone()], &living, most),
            [homeless],
            "no piece says more than the whole"
        );
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
