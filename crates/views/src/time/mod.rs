//! The past, and what changed between two moments.

pub(crate) mod access_listing;
pub(crate) mod affected;
pub(crate) mod as_of;
pub(crate) mod diff;
pub(crate) mod project_timeline;
pub(crate) mod record_changes;
pub(crate) mod timeline;
