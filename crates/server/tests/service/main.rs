//! The command service, the projector and the offline commands, over real and faulty journals.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod accept_rollback;
mod authenticate;
mod behind_its_head;
mod conflict;
mod exactly_once;
mod expiry;
mod foreign;
mod given;
mod group_commit;
mod offline;
mod other_copies;
mod plan;
mod project;
mod rebuild;
mod replay;
mod rolled_back;
mod snapshots;
mod unknown;
mod view_compared;
