//! The acceptance tests: everything through the real binary.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the cases that it is about")]
#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON gives null, never a panic, and this is test code"
)]

mod access;
mod agree;
mod attacks;
mod authzen;
mod braintrust;
mod console;
mod journal;
mod project;
mod quarantine;
mod race;
mod relay;
mod rollback;
mod snapshots;
mod stands_still;
mod webhooks;
