//! The read side: a view that follows the journal, and whether it may be believed.

mod freshness;
mod node;

pub use crate::project::NodeState;
pub use freshness::{BadBound, Freshness, Stale, WhenStale};
pub use node::{NodeStatus, ReadNode, Unready};
