//! The fault suite: real processes under a load of commands and checks, one fault after another, and a checker that
//! decides from the recorded history whether the promises held.

#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON gives null, never a panic, and this is test code"
)]

mod checker;
mod history;
mod planted;
