//! The acceptance tests: everything through the real binary.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the cases that it is about")]
#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON gives null, never a panic, and this is test code"
)]

mod agree;
mod attacks;
mod audit;
mod authzen;
mod backup_page;
mod bad_input;
mod crash;
mod credentials;
mod damaged_replica;
mod demo;
mod disagree;
mod dist;
mod drill;
mod drill_schema1;
mod embed;
mod foreign_messages;
mod forged;
mod forming;
mod full_disk;
mod golden;
mod jetstream;
mod journal_tools;
mod latest;
mod nats_config;
mod partition;
mod plan;
mod quarantine;
mod race;
mod relay;
mod report;
mod rivals;
mod rollback;
mod secrets;
mod security_log;
mod snapshots;
mod stands_still;
mod story;
mod subscribers;
mod tidy;
mod watch;
mod watching;
mod webhooks;
mod who_can;
