//! Verbs on the things of an organization, a file each.

pub(crate) mod batch;
pub(crate) mod catalog;
pub(crate) mod grants;
pub(crate) mod groups;
pub(crate) mod keys;
pub(crate) mod objects;
pub(crate) mod projects;
pub(crate) mod roles;
pub(crate) mod tokens;
pub(crate) mod users;
pub(crate) mod webhooks;
