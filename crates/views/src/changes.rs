//! What one record changed of effective access: who gained and who lost what, and why.
//!
//! Two steps are looked at. First the times that have passed since the organization's record before: the same rows, judged
//! at the one instant and at the other. Then the record itself: the rows before and after it, both judged at its own
//! instant. So the changes of all records add up, and each has one kind of cause. Access that ended by time and came
//! back with the very next record shows as lost and as gained.
//!
//! Only those are looked at whom a record can touch. What they have is worked out once for all who are reached by the same
//! grants, as far as these have something in common with what changed.

use std::collections::BTreeSet;

use grantbook_domain::{
    id::{GroupId, ProjectId},
    position::Position,
    principal::Principal,
    record::Recorded,
    survey::{AccessRow, ProjectSet},
};

use crate::{error::ViewError, reader::Snapshot};

/// One change: all of `principals` gained, or lost, all of `rows`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// Gained; else lost.
    pub gained: bool,
    /// Everybody whose access it is.
    pub principals: BTreeSet<Principal>,
    /// The same in few words.
    pub who: Who,
    /// What. Each row reads like one of [`EffectiveAccess`](crate::EffectiveAccess): exact after the record for what was
    /// gained, just before it for what was lost.
    pub rows: Vec<AccessRow>,
    /// Why; of an expiry every time that passed and concerns them.
    pub causes: Vec<Cause>,
    /// The projects that it is on, as sets of living ones.
    pub on: Vec<ProjectSet>,
    /// The projects that the single objects in it lie in.
    pub within: BTreeSet<ProjectId>,
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
    /// Whether it is about access on a living project, or to something in it.
    pub fn is_on(&self, project: ProjectId) -> bool {
        self.within.contains(&project) || self.on.iter().any(|set| set.has(project))
    }
}

impl Snapshot {
    /// What a record changed, in an order that is always the same: first what times did that passed before it.
    ///
    /// Costs nothing but a look at its events and for passed times if it touches nobody. Else: a range of `access` for each
    /// user and token that it can touch, the projects once, and a survey of grants and projects for each class of those
    /// who are reached by the same grants. A change of a project asks every grant that is not bound to projects by id.
    pub fn changes_of(&self, recorded: &Recorded) -> Result<Vec<RecordChange>, ViewError> {
        // Comes with the next part of this work.
        self.record(recorded.org, recorded.position)?;
        Ok(Vec::new())
    }
}
