//! The console as people see it, in a real browser.

mod suite;
