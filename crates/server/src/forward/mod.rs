//! What is passed on to other servers: by a read node what a command service decides, so that clients need one address
//! (docs/adr/0037-one-address.md), and rows of logs that were authorized to a data plane.

mod acknowledged;
mod data_plane;
mod places;
mod send;

pub(crate) use self::data_plane::NotTaken;
#[cfg(test)]
use self::send::{FORWARDED_MAX, TAKING_MAX};
pub(crate) use self::send::{Outgoing, Undelivered};
pub use self::{
    data_plane::{DataPlane, DataPlaneError, DataPlaneOptions},
    send::{BadBaseUrl, BaseUrl, ForwardError, Forwarder},
};
