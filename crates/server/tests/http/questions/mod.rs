//! Questions and lists, and who gets which answer.

pub(crate) mod as_of;
pub(crate) mod audit;
pub(crate) mod bounded;
pub(crate) mod changes;
pub(crate) mod denials;
pub(crate) mod event_names;
pub(crate) mod explain;
pub(crate) mod grant_history;
pub(crate) mod lists;
pub(crate) mod report;
pub(crate) mod reverse;
pub(crate) mod visibility;
pub(crate) mod who_sees;
