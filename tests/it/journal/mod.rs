//! The journal: brokers, partitions, copies, damage, upgrades.

pub(crate) mod crash;
pub(crate) mod credentials;
pub(crate) mod damaged_replica;
pub(crate) mod disagree;
pub(crate) mod drill;
pub(crate) mod drill_schema1;
pub(crate) mod foreign_messages;
pub(crate) mod forged;
pub(crate) mod forming;
pub(crate) mod full_disk;
pub(crate) mod jetstream;
pub(crate) mod journal_tools;
pub(crate) mod partition;
