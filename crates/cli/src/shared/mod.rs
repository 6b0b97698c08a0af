//! What every verb shares: options, names, scopes, output, exit codes.

pub(crate) mod bar;
pub(crate) mod exit;
pub(crate) mod globals;
pub(crate) mod names;
pub(crate) mod output;
pub(crate) mod scope;
pub(crate) mod session;
pub(crate) mod store;
