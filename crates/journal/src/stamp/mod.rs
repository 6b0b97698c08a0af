//! Where times, ids and randomness come from, for everything that makes records.

pub mod clock;
pub mod ids;
