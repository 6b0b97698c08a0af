//! What many calls share: lists, references, scopes, problems, headers.

pub mod header;
pub mod list;
pub mod patch;
pub mod posted;
pub mod problem;
pub mod reference;
pub mod scope;
pub mod secret;
pub mod state;
