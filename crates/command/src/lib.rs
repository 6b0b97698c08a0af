//! The command side: decides what may happen, on an in-memory fold of the journal, and appends it.
//!
//! One task per organization (`actor`) decides what waits on a copy of its fold (`draft`), appends that as one frame,
//! and only then publishes it (`directory`) and answers. If other processes append too, a task follows the stream
//! (`follow`) and publishes what they did.
//
// Folders, lowest first: secret.

mod actor;
mod directory;
mod draft;
mod fold;
mod follow;
mod meter;
mod reason;
mod replay;
pub mod secret;
mod service;
mod submission;
mod sweep;

pub use fold::{Fold, FoldError, OrgFold};
pub use meter::WorkRate;
pub use reason::expect_reason;
pub use replay::ReplayError;
pub use replay::replay;
pub use service::{CommandHandle, CommandOptions, CommandService};
pub use submission::{Idempotency, Outcome, PlannedOutcome, Submission, SubmitError, TextFaults};
