//! What a change of access says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use grantbook_domain::{
    access::effective::{AccessRow, ProjectSet},
    id::{GroupId, ProjectId},
    position::Position,
    principal::Principal,
    scope::ObjectRef,
};

/// One change: all of `principals` gained, or lost, all of `rows`. What is too long for a message is several changes, which
/// follow from the journal alone, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// Gained; else lost.
    pub gained: bool,
    /// Everybody whose access it is.
    pub principals: Arc<BTreeSet<Principal>>,
    /// The same in few words.
    pub who: Who,
    /// What. Each row reads like one of [`EffectiveAccess`](crate::EffectiveAccess): exact after the record for what was
    /// gained, just before it for what was lost.
    pub rows: Vec<AccessRow>,
    /// Why; of an expiry every time that passed and concerns them.
    pub causes: Vec<Cause>,
    /// The types in its rows that are or lie in projects.
    pub project_types: BTreeSet<String>,
    /// The projects that single objects in its rows lie in.
    pub homes: BTreeMap<ObjectRef, ProjectId>,
}

/// A set of principals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Those listed.
    Listed,
    /// Every active principal in a group, directly or through other groups, by memberships in force, but for some: after the
    /// record for what was gained, before the change for what was lost.
    Members {
        /// The group.
        of: GroupId,
        /// Who is in it and not meant.
        except: BTreeSet<Principal>,
    },
}

/// What made access change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// Whether a time had passed; else the record did it.
    pub expiry: bool,
    /// The record; of an expiry, the one that had set the time.
    pub position: Position,
}

impl RecordChange {
    /// What of its rows is on a living project, or in it; nothing if it is about other places.
    pub fn within(&self, project: ProjectId) -> Vec<AccessRow> {
        let cut = |row: &AccessRow| {
            let types = row.types.iter().filter(|name| self.project_types.contains(*name));
            let mine = |object: &&ObjectRef| self.homes.get(object) == Some(&project);
            let held = row.projects.has(project);
            let cut = AccessRow {
                permission: row.permission.clone(),
                types: types.cloned().collect(),
                organization: false,
                projects: ProjectSet::Only(held.then_some(project).into_iter().collect()),
                objects: row.objects.iter().filter(mine).cloned().collect(),
                except: row.except.iter().filter(mine).cloned().collect(),
            };
            let is_something = !cut.types.is_empty() && (held || !cut.objects.is_empty());
            is_something.then_some(cut)
        };
        self.rows.iter().filter_map(cut).collect()
    }
}
