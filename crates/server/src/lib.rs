//! HTTP: endpoints, subscribers, the operator's tools, and the wiring of roles.
//
// Folders, lowest first: http; wire; subscribe; state; read; write; authzen; endpoints; admin; app.

pub mod admin;
pub mod app;
pub(crate) mod authzen;
pub mod endpoints;
mod http;
mod read;
pub mod state;
pub mod subscribe;
pub mod wire;
mod write;

pub use app::listen::{Ready, serve, serve_until};
pub use grantbook_node::Boxed;
pub use {grantbook_command as command, grantbook_journal as journal, grantbook_node as node};
