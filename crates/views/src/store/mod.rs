//! Rows, their keys and their encoding, and snapshots of them.

pub(crate) mod batch;
pub(crate) mod digest;
pub(crate) mod document;
pub(crate) mod encode;
pub(crate) mod encode_scope;
pub(crate) mod entities;
pub(crate) mod error;
pub(crate) mod leads;
pub(crate) mod list;
pub(crate) mod row;
pub(crate) mod row_key;
pub(crate) mod snapshot;
pub(crate) mod table;
