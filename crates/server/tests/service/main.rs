//! The command service, the projector and the offline commands, over real and faulty journals.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod commands;
mod given;
mod journal_lost;
mod project;
mod rebuild;
mod snapshots;
