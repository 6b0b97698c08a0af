//! Journals that were rolled back, exchanged or damaged, and the operator's tools.

pub(crate) mod accept_rollback;
pub(crate) mod behind_its_head;
pub(crate) mod offline;
pub(crate) mod other_copies;
pub(crate) mod rolled_back;
pub(crate) mod view_compared;
