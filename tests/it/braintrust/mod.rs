//! Braintrust's published clients, unchanged, against the real binary.

mod data_plane;
mod demo;
mod import;
mod lost;
mod managed;
mod meaning;
pub(crate) mod story;
mod wire;
