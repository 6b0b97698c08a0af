//! Rows of access that differ in nothing but their permission, put together: one line a kind of right.

use std::collections::{BTreeSet, HashMap};

use crate::{
    access::effective::{AccessRow, ProjectSet},
    scope::ObjectRef,
};

/// Permissions that are held on the same types in the same places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLine<'r> {
    /// Their names, in the order of the rows.
    pub permissions: Vec<&'r str>,
    /// The first of the rows: all say the same but for the permission.
    pub row: &'r AccessRow,
}

type Place<'r> = (&'r [String], bool, &'r ProjectSet, &'r BTreeSet<ObjectRef>, &'r BTreeSet<ObjectRef>);

/// The lines of some rows, in the order of their first permissions.
pub fn lines(rows: &[AccessRow]) -> Vec<AccessLine<'_>> {
    let mut lines: Vec<AccessLine<'_>> = Vec::new();
    let mut known: HashMap<Place<'_>, usize> = HashMap::new();
    for row in rows {
        let AccessRow { permission, types, organization, projects, objects, except } = row;
        let place = (types.as_slice(), *organization, projects, objects, except);
        let at = *known.entry(place).or_insert(lines.len());
        match lines.get_mut(at) {
            Some(line) => line.permissions.push(permission),
            None => lines.push(AccessLine { permissions: vec![permission], row }),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(permission: &str, types: &[&str], projects: ProjectSet) -> AccessRow {
        AccessRow {
            permission: permission.to_owned(),
            types: types.iter().map(|name| (*name).to_owned()).collect(),
            organization: false,
            projects,
            objects: BTreeSet::new(),
            except: BTreeSet::new(),
        }
    }

    #[test]
    fn rows_are_one_line_only_if_they_differ_in_the_permission_alone() {
        let here = ProjectSet::Only([crate::id::ProjectId::from_u128(1)].into());
        let mut named = row("update", &["project"], here.clone());
        named.objects.insert(ObjectRef::new("dataset", "d"));
        let rows = [
            row("create", &["project"], here.clone()),
            row("read", &["project", "dataset"], here.clone()),
            named.clone(),
            row("delete", &["project"], here.clone()),
            row("delete", &["dataset"], ProjectSet::ALL),
            AccessRow { organization: true, ..row("share", &["project"], here.clone()) },
            AccessRow { except: named.objects.clone(), ..row("move", &["project"], here) },
        ];
        let found: Vec<_> = lines(&rows).into_iter().map(|line| line.permissions).collect();
        let expected =
            [&["create", "delete"][..], &["read"], &["update"], &["delete"], &["share"], &["move"]];
        assert_eq!(found, expected);
    }
}
