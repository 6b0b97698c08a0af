//! Questions about access and its history.

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod changes;
pub(crate) mod check;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod grant_history;
pub(crate) mod records;
pub(crate) mod report;
pub(crate) mod reverse;
pub(crate) mod scope_words;
pub(crate) mod timeline;
pub(crate) mod whoami;
