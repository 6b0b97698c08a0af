//! The acceptance tests: everything through the real binary.

mod bad_input;
mod crash;
mod golden;
mod race;
mod secrets;
mod story;
mod tidy;
