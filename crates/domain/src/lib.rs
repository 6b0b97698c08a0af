//! What is true: the vocabulary and rules of access, `decide`, `apply`, and the slow exact answer.
//!
//! Everything here is pure: time, ids and secrets are inputs, and nothing does IO.

pub mod access;
pub mod access_diff;
mod apply;
pub mod authority;
pub mod catalog;
pub mod command;
pub mod concern;
pub mod cover;
pub mod covers;
pub mod decide;
pub mod event;
pub mod event_kind;
pub mod form;
pub mod founding;
pub mod id;
mod living;
pub mod model;
pub mod position;
pub mod principal;
pub mod record;
pub mod refusal;
pub mod rights;
pub mod scope;
pub mod state;
pub mod survey;
mod taking;
pub mod text;
pub mod time;
pub mod webhook;
