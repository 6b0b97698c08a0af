//! Following a journal: where its head is, whether it may be believed, and what to do about a frame that does not fit.

pub mod burned;
pub mod doubt;
pub mod head_watch;
pub mod known_head;
pub mod open;
pub mod other_copies;
pub mod read_barrier;
