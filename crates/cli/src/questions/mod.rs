//! Questions about access and its history.

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod audit_export;
pub(crate) mod changes;
pub(crate) mod check;
pub(crate) mod grant_history;
pub(crate) mod limits;
pub(crate) mod report;
pub(crate) mod reverse;
pub(crate) mod watch;
pub(crate) mod whoami;
pub(crate) mod why;
