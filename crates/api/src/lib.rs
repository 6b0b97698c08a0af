//! The words on the wire, and a typed client (feature `client`).
//!
//! One file per family of calls, named after its URL. Ids and times are text here: the server checks and converts
//! them, so that its complaints can point at the member that is wrong. Requests refuse unknown members; answers
//! tolerate them, so that an older client can talk to a newer server.
//!
//! In answers, an optional value that is not there is `null`; the moment at which a thing ended (`deleted_at`,
//! `revoked_at`, ...) is there only once it has ended.

pub mod access;
pub mod audit;
pub mod authzen;
pub mod batch;
pub mod catalog;
pub mod check;
#[cfg(feature = "client")]
pub mod client;
pub mod diff;
pub mod explain;
pub mod feed;
pub mod grant_history;
pub mod grants;
pub mod groups;
pub mod header;
pub mod keys;
pub mod list;
pub mod members;
pub mod objects;
pub mod patch;
pub mod plan;
pub mod posted;
pub mod problem;
pub mod projects;
pub mod readiness;
pub mod reference;
pub mod report;
pub mod reverse;
pub mod roles;
pub mod scope;
pub mod secret;
pub mod sessions;
pub mod strict;
pub mod timeline;
pub mod tokens;
pub mod users;
pub mod watch;
pub mod webhooks;
pub mod whoami;

#[cfg(test)]
mod wire_test;
