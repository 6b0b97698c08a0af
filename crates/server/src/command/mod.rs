//! The command side: decides what may happen, on an in-memory fold of the journal, and appends it.
//!
//! One task per organization owns its fold (`actor`). It decides what waits on a copy (`draft`), appends that as
//! one frame, and only then takes the copy over, publishes it (`directory`) and answers.

mod actor;
mod directory;
mod draft;
mod fold;
mod service;
mod submission;
mod sweep;

pub use fold::{Fold, FoldError, OrgFold};
pub use service::{CommandHandle, CommandService};
pub use submission::{Idempotency, Outcome, Submission, SubmitError};
