//! What was decided: records, grants that ever were, and reports.

pub(crate) mod audit;
pub(crate) mod facet;
pub(crate) mod grant_history;
pub(crate) mod report;
