//! Questions and their answers.

pub mod access;
pub mod audit;
pub mod check;
pub mod diff;
pub mod explain;
pub mod feed;
pub mod grant_history;
pub mod plan;
pub mod readiness;
pub mod report;
pub mod reverse;
pub mod timeline;
pub mod watch;
