//! The journal's formats and checks, from outside.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the cases that it is about")]

#[cfg(test)]
mod chain;
#[cfg(test)]
mod flipped;
#[cfg(test)]
mod frame;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod samples;
