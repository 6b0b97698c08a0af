//! The running service: command side, projector, read side, and the wiring that joins them.

pub mod app;
pub(crate) mod authzen;
pub mod bootstrap;
pub mod clock;
pub mod command;
pub mod config;
pub mod confirm;
mod context;
pub mod doubt;
mod endpoints;
pub mod feed;
pub mod http;
pub mod ids;
pub mod init;
pub mod known_head;
mod listen;
mod log_throttle;
mod mend;
pub mod nodes;
pub mod operate;
pub mod position;
pub mod project;
pub mod public_url;
pub mod pulse;
pub mod read;
pub mod rebuild;
pub mod relay;
pub mod rollback;
pub mod routes;
pub mod secret;
pub mod snapshots;
pub mod start;
pub mod upkeep;
mod viewing;
pub mod webhooks;

pub use listen::{Ready, serve, serve_until};

/// Work that is under way. Where a whole service or job begins, its future is boxed: so it is compiled here, once, and not
/// in every crate that awaits it.
pub type Boxed<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
