//! The console as people see it, in a real browser; and its forms as they are sent.

mod forms;
mod suite;
