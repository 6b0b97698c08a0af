//! Questions: who asks, what the caller may see, and the answers.

pub(crate) mod context;
pub(crate) mod nouns;
pub(crate) mod questions;
pub(crate) mod watch;
