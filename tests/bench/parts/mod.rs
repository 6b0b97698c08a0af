//! Parts in one process.

pub(crate) mod bootstrap;
pub(crate) mod change;
pub(crate) mod check;
pub(crate) mod crowd;
pub(crate) mod durable;
pub(crate) mod embed;
pub(crate) mod hostile;
pub(crate) mod image;
pub(crate) mod jetstream;
pub(crate) mod questions;
pub(crate) mod rebuild;
