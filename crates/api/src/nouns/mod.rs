//! The things of an organization: requests that change them, and what they look like.

pub mod batch;
pub mod catalog;
pub mod grants;
pub mod groups;
pub mod keys;
pub mod members;
pub mod objects;
pub mod projects;
pub mod roles;
pub mod sessions;
pub mod tokens;
pub mod users;
pub mod webhooks;
