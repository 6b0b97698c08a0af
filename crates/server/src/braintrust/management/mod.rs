//! What administrators call: accounts, keys, groups, roles, grants, project groups, the organization.

pub(crate) mod accounts;
mod acl;
pub(crate) mod acls;
pub(crate) mod groups;
pub(crate) mod keys;
pub(crate) mod lost;
pub(crate) mod members;
pub(crate) mod organization;
pub(crate) mod project_groups;
pub(crate) mod roles;
