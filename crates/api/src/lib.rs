//! The words on the wire, a typed client, and how people name and read things (feature `client`).
//!
//! One file per family of calls, named after its URL. Ids and times are text here: the server checks and converts
//! them, so that its complaints can point at the member that is wrong. Requests refuse unknown members; answers
//! tolerate them, so that an older client can talk to a newer server.
//!
//! In answers, an optional value that is not there is `null`; the moment at which a thing ended (`deleted_at`,
//! `revoked_at`, ...) is there only once it has ended.
//
// Folders, lowest first: words; strict; nouns; questions; client; people.

pub mod authzen;
#[cfg(feature = "client")]
pub mod client;
pub mod limits;
pub mod nouns;
#[cfg(feature = "client")]
pub mod people;
pub mod questions;
pub mod strict;
pub mod whoami;
pub mod words;

#[cfg(test)]
mod wire_test;
