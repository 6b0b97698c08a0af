//! The meaning of access, told as given, when, then.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the cases that it is about")]
#![cfg(test)]

mod access_diff;
mod attenuation;
mod batch;
mod catalog;
mod conferring;
mod conferring_accounts;
mod conferring_moves;
mod containment;
mod ends;
mod folding;
mod given;
mod grants;
mod groups;
mod keys;
mod members;
mod names;
mod notices;
mod objects;
mod projects;
mod reasons;
mod recovery;
mod refusals;
mod rights_table;
mod roles;
mod sessions;
mod taking;
mod tokens;
mod users;
mod visibility;
mod webhooks;
