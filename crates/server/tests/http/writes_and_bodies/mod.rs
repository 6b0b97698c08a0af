//! Writes: bodies, texts, repetitions, and what is refused.

pub(crate) mod absence;
pub(crate) mod batch;
pub(crate) mod every_body;
pub(crate) mod named_objects;
pub(crate) mod replay;
pub(crate) mod reveal;
pub(crate) mod taking;
pub(crate) mod texts;
pub(crate) mod what_if;
pub(crate) mod writes;
