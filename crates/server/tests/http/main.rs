//! The native API over a router: statuses, bodies, headers, and who sees what.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the cases that it is about")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

mod bad_input;
mod endpoints;
mod fair;
mod given;
mod hidden;
mod limits;
mod narrow_keys;
mod openapi;
mod questions;
mod story;
mod writes_and_bodies;
