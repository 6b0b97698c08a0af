//! What one record changed of effective access: who gained and who lost what, and why.
//!
//! Two steps are looked at. First the times that have passed since the organization's record before: the same rows, judged
//! at the one instant and at the other. Then the record itself: the rows before and after it, both judged at its own
//! instant. So the changes of all records add up, and each has one kind of cause. Access that ended by time and came
//! back with the very next record shows as lost and as gained.
//!
//! Only those are looked at whom a record can touch. What they have is worked out once for all who are reached by the same
//! grants, as far as these have something in common with what changed.

mod classes;
mod compact;
mod parts;
mod step;
mod touch;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use grantbook_domain::{
    id::{GroupId, ProjectId},
    position::Position,
    principal::Principal,
    record::Recorded,
    scope::ObjectRef,
    survey::{AccessRow, ProjectSet},
};

pub(crate) use self::touch::Deadline;
use self::{step::Step, touch::Touch};
use crate::{error::ViewError, reader::Snapshot};

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

impl Snapshot {
    /// What a record changed, in an order that is always the same: first what times did that passed before it.
    ///
    /// Costs nothing but a look at its events and for passed times if it touches nobody. Else: a range of `access` for each
    /// user and token that it can touch, the projects once, and a survey of grants and projects for each class of those
    /// who are reached by the same grants. A change of a project asks every grant that is not bound to projects by id.
    pub fn changes_of(&self, recorded: &Recorded) -> Result<Vec<RecordChange>, ViewError> {
        let Recorded { org, position, record } = recorded;
        let Some(earlier) = position.get().checked_sub(1).map(Position::from_u64) else {
            return Ok(Vec::new());
        };
        let (then, after) = (self.as_of(earlier), self.as_of(*position));
        let start = then.moment_after(*org, earlier)?;
        let mut changes = Vec::new();
        let passed = Touch::by_time(&then, *org, (start, record.at))?;
        if !passed.is_nobody() {
            let step = Step { org: *org, before: (&then, start.at), after: (&then, record.at) };
            changes.extend(step.changes(&passed)?);
        }
        let touched = Touch::by_record((&then, &after), recorded)?;
        if !touched.is_nobody() {
            let step = Step { org: *org, before: (&then, record.at), after: (&after, record.at) };
            changes.extend(step.changes(&touched)?);
        }
        Ok(changes)
    }
}
