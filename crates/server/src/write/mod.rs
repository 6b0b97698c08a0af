//! Writes: from a request to a command, and from its record to the answer.

pub(crate) mod answer;
pub(crate) mod batch;
pub(crate) mod forwarded;
pub(crate) mod idempotency;
pub(crate) mod limits;
pub(crate) mod parse;
pub(crate) mod plan;
pub(crate) mod request;
pub(crate) mod unchanged;
