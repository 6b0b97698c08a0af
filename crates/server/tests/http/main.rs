//! The native API over a router: statuses, bodies, headers, and who sees what.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the cases that it is about")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

mod absence;
mod as_of;
mod audit;
mod bad_input;
mod batch;
mod changes;
mod denials;
mod endpoints;
mod event_names;
mod every_body;
mod given;
mod grant_history;
mod hidden;
mod lists;
mod narrow_keys;
mod openapi;
mod replay;
mod report;
mod reveal;
mod reverse;
mod story;
mod taking;
mod texts;
mod visibility;
mod what_if;
mod who_sees;
mod writes;
