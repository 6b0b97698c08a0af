//! What happens, for those who subscribe: streams in NATS, webhooks, and the messages of both.

pub mod feed;
pub mod relay;
pub mod webhooks;
