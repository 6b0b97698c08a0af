//! A replica that answers: a view follows the journal, and says how fresh it is.
//!
//! A program that wants checks without a network hop embeds this crate: [`project::Projector`] keeps a view, [`read::ReadNode`]
//! answers from it (docs/embedding.md). The server's read side is the same code.
//
// Folders, lowest first: project; snapshots; bootstrap; peers; read; rebuild.

pub mod bootstrap;
pub mod error;
pub mod head_of_view;
pub mod maintenance;
pub mod peers;
pub mod project;
pub mod read;
pub mod read_side;
pub mod rebuild;
pub mod snapshots;

/// Work that is under way. Where a whole service or job begins, its future is boxed: so it is compiled here, once, and not
/// in every crate that awaits it.
pub type Boxed<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
