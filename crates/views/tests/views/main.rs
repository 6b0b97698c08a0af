//! Tests of the views against the domain's slow fold, through real histories.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the cases that it is about")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what the tests share fails by panicking")]
#![expect(clippy::needless_pass_by_value, reason = "calls of what the tests share read better so")]
#![expect(clippy::many_single_char_names, reason = "drawn bytes have no better names")]

mod agree;
mod brute;
mod draw;
mod dump;
mod image;
mod lifecycle;
mod questions;
mod scrub;
mod work;
mod world;
