//! What a stranger runs: the demo, packages, examples, documents.

pub(crate) mod backup_page;
pub(crate) mod demo;
pub(crate) mod dist;
pub(crate) mod embed;
pub(crate) mod golden;
pub(crate) mod limits;
pub(crate) mod nats_config;
pub(crate) mod rivals;
pub(crate) mod subscribers;
pub(crate) mod tidy;
