//! Rules that hold for all commands.

pub(crate) mod access_diff;
pub(crate) mod conferring;
pub(crate) mod conferring_accounts;
pub(crate) mod conferring_moves;
pub(crate) mod containment;
pub(crate) mod ends;
pub(crate) mod names;
pub(crate) mod notices;
pub(crate) mod reasons;
pub(crate) mod refusals;
pub(crate) mod rights_table;
pub(crate) mod visibility;
