//! The meaning of access, told as given, when, then.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the cases that it is about")]
#![cfg(test)]

mod attenuation;
mod batch;
mod bounds;
mod folding;
mod given;
mod nouns;
mod recovery;
mod rules;
