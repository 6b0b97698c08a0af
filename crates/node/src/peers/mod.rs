//! What nodes say of themselves, and what one hears of the others.

mod identity;
mod look;
mod status;
mod watch;

pub use identity::{NODE_ID_FILE, node_id};
pub use look::{LookError, statuses};
pub use status::{Disagreement, Status, disagreements};
pub use watch::{ANNOUNCE_INTERVAL, Nodes, NodesConfig, Talk};
