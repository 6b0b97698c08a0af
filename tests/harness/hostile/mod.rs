//! Hostile use, for the benchmark and the soak: organizations that are costly to ask about, callers that never stop asking,
//! and sockets that never read.

pub mod callers;
pub mod scenes;
pub mod sockets;
pub mod tenant;
