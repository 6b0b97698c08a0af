//! The words of the wire: things, names, references and positions as clients see them.

pub(crate) mod event_names;
pub(crate) mod names;
pub mod position;
pub mod public_url;
pub(crate) mod reference;
pub(crate) mod render;
