//! Verbs of those who run the installation.

pub(crate) mod cursors;
pub(crate) mod doctor;
pub(crate) mod found;
pub(crate) mod journal;
pub(crate) mod nats;
pub(crate) mod nats_config;
pub(crate) mod rollback;
pub(crate) mod serve;
pub(crate) mod snapshots;
pub(crate) mod view;
