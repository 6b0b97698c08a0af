//! The running service: command side, projector, read side, and the wiring that joins them.

pub mod admin;
pub mod app;
pub(crate) mod authzen;
pub mod config;
mod context;
mod endpoints;
pub mod feed;
pub mod http;
mod listen;
pub mod position;
pub mod public_url;
pub mod relay;
pub mod routes;
pub mod start;
pub mod webhooks;

pub use grantbook_node::Boxed;
pub use listen::{Ready, serve, serve_until};
pub use {grantbook_command as command, grantbook_journal as journal, grantbook_node as node};
