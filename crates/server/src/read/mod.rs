//! The read side: a view that follows the journal, and whether it may be believed.

mod node;

pub use crate::project::NodeState;
pub use node::{NodeStatus, ReadNode, SILENT_AFTER, STALE_AFTER, Unready};
