//! What commands may cost, and what no limit refuses.

mod containment_by_form;
mod limits;
mod taking;
