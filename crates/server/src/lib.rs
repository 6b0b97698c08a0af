//! HTTP: endpoints, subscribers, the operator's tools, and the wiring of roles.
//
// Folders, lowest first: keys; http; schedule; wire; forward; subscribe; state; read; write; authzen; braintrust; endpoints; admin; app.

pub mod admin;
pub mod app;
pub(crate) mod authzen;
mod braintrust;
pub mod endpoints;
pub mod forward;
mod http;
pub mod keys;
mod read;
mod schedule;
pub mod state;
pub mod subscribe;
pub mod wire;
mod write;

pub use app::listen::{Ready, serve, serve_until};
pub use grantbook_node::Boxed;
pub use {grantbook_command as command, grantbook_journal as journal, grantbook_node as node};
