//! Who gets in, and what every answer says to browsers.

pub(crate) mod cookie;
pub(crate) mod headers;
pub(crate) mod idle;
pub(crate) mod place;
pub(crate) mod previews;
