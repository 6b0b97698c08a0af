//! What operators set up and look at: configurations of servers, streams for subscribers, findings.

pub(crate) mod demo;
pub(crate) mod inspect;
pub(crate) mod roles;
pub(crate) mod servers;
pub(crate) mod subscribers;
