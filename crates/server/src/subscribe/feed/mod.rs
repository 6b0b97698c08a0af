//! What subscribers get of a record, rendered once for all ways to subscribe: streams of this server, streams of NATS,
//! webhooks.
//!
//! Everything here follows from the journal alone: it is the same on every node, and each time it is rendered.

mod changes;
mod events;
mod filter;
mod place;
pub(crate) mod rendered;

pub use self::{
    changes::{Changed, changes_of},
    events::{events_of, record_of},
    filter::{Filter, Kinds},
    place::Place,
    rendered::{Newest, Rendered},
};
