//! AuthZEN Authorization API 1.0: `/access/v1/*` and `/.well-known/authzen-configuration`.
//!
//! Subjects are users and tokens, resources objects, actions permissions. A default answer has no context; a request
//! that asks for it gets reason and position there.

mod body;
mod decide;
pub(crate) mod discovery;
pub(crate) mod evaluation;
mod paging;
pub(crate) mod search;

use std::sync::Arc;

use axum::routing::{MethodRouter, get};

use crate::state::Web;

/// Where the public URL has a path, the description lies between host and path.
pub(crate) fn discovery_below() -> MethodRouter<Arc<Web>> {
    get(discovery::configuration)
}
