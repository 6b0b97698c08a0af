//! The harness: starts the real binary, speaks to it over a plain socket, and ends it by process id.
//!
//! The tests know nothing of the server's own types: what they send and read is what a stranger would.

#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON gives null, never a panic, and this is test code"
)]

pub mod backup;
pub mod binary;
pub mod braintrust;
pub mod browser;
pub mod cut;
pub mod dice;
pub mod events;
mod fetched;
pub mod frames;
pub mod front;
pub mod hooks;
pub mod hostile;
pub mod nats;
pub mod org;
pub mod scene;
pub mod server;
pub mod wire;
