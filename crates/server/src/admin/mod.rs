//! What an operator does to a journal without a running service: `init`, `org create`, `owner recover`, and work on the whole of it.

pub mod error;
mod expect_head;
pub mod init;
pub mod journal_tools;
pub mod limits;
pub mod rollback;
