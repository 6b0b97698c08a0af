//! What the clients call to log in, and to find or make where they log to.

pub(crate) mod experiments;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod projects;
pub(crate) mod register;
