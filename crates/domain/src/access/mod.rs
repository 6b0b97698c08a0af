//! What access means, and who holds what: checks, effective access, differences, containment.

pub mod authority;
pub mod check;
pub mod containment;
pub mod coverage;
pub mod covers;
pub mod diff;
pub mod effective;
pub mod lines;
pub mod pieces;
pub mod planned;
mod project_bits;
pub mod rights;
