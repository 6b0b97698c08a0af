//! Who may do what, and why, from rows.

pub(crate) mod authenticate;
pub(crate) mod candidate;
pub(crate) mod check;
pub(crate) mod checker;
pub(crate) mod effective;
pub(crate) mod explain;
pub(crate) mod grantee_rows;
pub(crate) mod graph;
pub(crate) mod holdings;
pub(crate) mod locate;
pub(crate) mod paths;
pub(crate) mod reverse;
