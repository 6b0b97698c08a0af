//! Whether the author of a command may give it.

pub(crate) mod authorize;
pub(super) mod confer;
pub(crate) mod visible;
