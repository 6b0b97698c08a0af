//! From one state to the next: who gained and who lost what.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
    sync::Arc,
};

use grantbook_domain::{
    access::effective::AccessRow,
    id::{GroupId, OrgId, ProjectId},
    position::Position,
    principal::{Grantee, Principal, principals_below},
    scope::ObjectRef,
    time::Timestamp,
};

use crate::{
    store::{error::ViewError, row_key::List, snapshot::Snapshot},
    time::{
        diff::{Comparison, Side},
        record_changes::{
            Cause, RecordChange,
            classes::{Class, Classes, Groups, Reach, Relevance},
            compact,
            parts::{PART_BYTES, parts},
            touch::Touch,
        },
    },
};

/// Two states of one organization, each at its instant.
pub(super) struct Step<'s> {
    pub(super) org: OrgId,
    pub(super) before: (&'s Snapshot, Timestamp),
    pub(super) after: (&'s Snapshot, Timestamp),
}

/// What some gained, or lost, and why.
type Reason = (bool, Vec<AccessRow>, Vec<Cause>);

impl<'s> Step<'s> {
    pub(super) fn changes(&self, touch: &Touch) -> Result<Vec<RecordChange>, ViewError> {
        let groups: Vec<Grantee> =
            touch.grantees.keys().copied().filter(|one| one.principal().is_none()).collect();
        let side =
            |(snapshot, now): (&'s Snapshot, Timestamp)| Reach::of(snapshot.checker(self.org, now)?, &groups);
        let mut sides = [side(self.before)?, side(self.after)?];
        let classes = self.classes(touch, &mut sides)?;
        if classes.is_empty() {
            return Ok(Vec::new());
        }
        let [mut old, mut new] = sides;
        let same_ground = touch.ground.as_ref().is_some_and(BTreeSet::is_empty);
        let members = [&mut old, &mut new].map(|side| members(std::mem::take(&mut side.groups)));
        let rows: Vec<_> = classes
            .into_iter()
            .map(|(class, principals)| {
                let (before, after) = (old.rows_of(&class.before), new.rows_of(&class.after));
                ((before, after), class.causes, principals)
            })
            .collect();
        let mut comparison = Comparison::of_states(old.checker, new.checker, same_ground)?;
        let mut found: HashMap<Reason, BTreeSet<Principal>> = HashMap::new();
        for ((before, after), causes, principals) in rows {
            let change = comparison.of_grants(&before, &after)?;
            let causes: Vec<Cause> = causes.into_iter().collect();
            for (gained, rows) in [(false, change.lost), (true, change.gained)] {
                if !rows.is_empty() {
                    found.entry((gained, rows, causes.clone())).or_default().extend(&principals);
                }
            }
        }
        let mut changes = Vec::new();
        for ((gained, rows, causes), principals) in found {
            let [before, after] = &members;
            let (side, groups) =
                if gained { (&mut comparison.after, after) } else { (&mut comparison.before, before) };
            let (project_types, homes) = places(side, &rows);
            let parts = parts(rows, &homes, &side.living, PART_BYTES);
            for (principals, who) in compact::told(principals, groups) {
                let principals = Arc::new(principals);
                for rows in &parts {
                    let homes = homes_in(rows, &homes);
                    let (principals, who) = (Arc::clone(&principals), who.clone());
                    let (rows, causes) = (rows.clone(), causes.clone());
                    let project_types = project_types.clone();
                    changes.push(RecordChange {
                        gained,
                        principals,
                        who,
                        rows,
                        causes,
                        project_types,
                        homes,
                    });
                }
            }
        }
        // Nobody both gains, or both loses, by two of them but by parts of one, which stay in their order; parts of one set of
        // accounts share what they have.
        changes.sort_by(|one, other| {
            let key = |change: &RecordChange| (change.gained, change.principals.first().copied());
            key(one).cmp(&key(other))
        });
        Ok(changes)
    }

    /// Everybody for whom something may differ, by what reaches them.
    fn classes(&self, touch: &Touch, sides: &mut [Reach<'_>; 2]) -> Result<Classes, ViewError> {
        let mut relevance = touch.ground.as_ref().map(Relevance::at);
        let mut classes = Classes::new();
        for (principal, causes) in self.principals(touch)? {
            let [old, new] = &mut *sides;
            let grantee = Grantee::from(principal);
            if !touch.rewritten.contains(&grantee) {
                let node = old.checker.node(grantee)?;
                new.checker.nodes.insert(grantee, Rc::clone(&node));
            }
            let mut class = Class { before: old.grants(principal)?, after: new.grants(principal)?, causes };
            if class.before.is_empty() && class.after.is_empty() {
                continue;
            }
            if let Some(relevance) = &mut relevance {
                relevance.cut(&mut class, sides)?;
                if class.before.is_empty() && class.after.is_empty() {
                    continue;
                }
            }
            classes.entry(class).or_default().insert(principal);
        }
        Ok(classes)
    }

    /// The accounts touched, and those in the groups touched, at any depth, before or after.
    fn principals(&self, touch: &Touch) -> Result<BTreeMap<Principal, BTreeSet<Cause>>, ViewError> {
        let mut found: BTreeMap<Principal, BTreeSet<Cause>> = BTreeMap::new();
        for (grantee, causes) in &touch.grantees {
            for principal in self.below(*grantee)? {
                found.entry(principal).or_default().extend(causes);
            }
        }
        Ok(found)
    }

    fn below(&self, grantee: Grantee) -> Result<BTreeSet<Principal>, ViewError> {
        principals_below([grantee], |group, found| {
            for (side, _) in [self.before, self.after] {
                side.each(self.org, List::MembersOf(group), Position::from_u64(u64::MAX), |entry| {
                    found(entry.member()?);
                    Ok(())
                })?;
            }
            Ok(())
        })
    }
}

fn members(groups: Groups) -> Vec<(GroupId, BTreeSet<Principal>)> {
    let mut members: Vec<_> = groups
        .into_values()
        .filter_map(|(grantee, members)| match grantee {
            Grantee::Group(id) => Some((id, members)),
            Grantee::User(_) | Grantee::Token(_) => None,
        })
        .collect();
    members.sort();
    members
}

/// Where the objects of some rows lie.
fn homes_in(rows: &[AccessRow], homes: &BTreeMap<ObjectRef, ProjectId>) -> BTreeMap<ObjectRef, ProjectId> {
    let objects = rows.iter().flat_map(|row| row.objects.union(&row.except));
    objects.filter_map(|object| homes.get(object).map(|home| (object.clone(), *home))).collect()
}

/// Which of the types are or lie in projects, and in which the single objects lie.
fn places(side: &Side<'_>, rows: &[AccessRow]) -> (BTreeSet<String>, BTreeMap<ObjectRef, ProjectId>) {
    let (mut types, mut homes) = (BTreeSet::new(), BTreeMap::new());
    for row in rows {
        types.extend(row.types.iter().filter(|name| side.is_in_project(name)).cloned());
        for object in row.objects.union(&row.except) {
            homes.extend(object.project.map(|home| (object.clone(), home)));
        }
    }
    (types, homes)
}
