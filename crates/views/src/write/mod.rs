//! From events to rows, in one transaction a batch.

pub(crate) mod dump;
pub(crate) mod fold;
pub(crate) mod posting;
pub(crate) mod scrub;
pub(crate) mod stager;
pub(crate) mod versions;
pub(crate) mod writer;
