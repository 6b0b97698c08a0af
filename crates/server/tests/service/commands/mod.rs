//! The command side: queues, races, outcomes.

pub(crate) mod authenticate;
pub(crate) mod conflict;
pub(crate) mod exactly_once;
pub(crate) mod expiry;
pub(crate) mod foreign;
pub(crate) mod group_commit;
pub(crate) mod limits;
pub(crate) mod named_objects;
pub(crate) mod plan;
pub(crate) mod replay;
pub(crate) mod unknown;
