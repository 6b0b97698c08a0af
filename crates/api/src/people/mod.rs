//! How people write things, and how things are put into words for them: shared by the command line and the console.

pub mod access;
pub mod changes;
pub mod events;
pub mod explanation;
pub mod names;
pub mod picture;
pub mod reference;
pub mod remedy;
pub mod scope;
pub mod text;
pub mod when;
