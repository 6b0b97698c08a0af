//! Commands on each kind of thing: what is made, changed and refused.

pub(crate) mod catalog;
pub(crate) mod grants;
pub(crate) mod groups;
pub(crate) mod keys;
pub(crate) mod members;
pub(crate) mod object_names;
pub(crate) mod objects;
pub(crate) mod projects;
pub(crate) mod roles;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod users;
pub(crate) mod webhooks;
