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
mod model;
mod parts;
mod step;
mod touch;

use grantbook_domain::{position::Position, record::Recorded};

pub use self::model::{Cause, RecordChange, Who};
pub(crate) use self::touch::Deadline;
use self::{step::Step, touch::Touch};
use crate::store::{error::ViewError, snapshot::Snapshot};

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
