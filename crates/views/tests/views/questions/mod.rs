//! Questions, as of now and of then.

pub(crate) mod as_of;
pub(crate) mod audit;
pub(crate) mod changes;
pub(crate) mod explain;
pub(crate) mod granted;
pub(crate) mod record_changes;
pub(crate) mod report;
pub(crate) mod reverse;
pub(crate) mod story;
