//! What is true: the vocabulary and rules of access, `decide`, `apply`, and the slow exact answer.
//!
//! Everything here is pure: time, ids and secrets are inputs, and nothing does IO.
//
// Folders, lowest first: scope; text; event; limits; state; access; decide. The rest of the vocabulary lies beside this file.

pub mod access;
pub mod catalog;
pub mod command;
pub mod decide;
pub mod event;
pub mod id;
pub mod limits;
pub mod model;
pub mod position;
pub mod principal;
pub mod record;
pub mod refusal;
pub mod scope;
pub mod state;
pub mod text;
pub mod time;
pub mod webhook;
