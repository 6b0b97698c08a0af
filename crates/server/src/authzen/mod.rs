//! AuthZEN Authorization API 1.0: `/access/v1/*` and `/.well-known/authzen-configuration`.
//!
//! Subjects are users and tokens, resources objects, actions permissions. Default answers have no context; whoever asks
//! for it gets reason and position there.

mod body;
mod decide;
mod discovery;
mod evaluation;
mod paging;
mod search;

use std::sync::Arc;

use axum::routing::get;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::Web;

pub(crate) fn routes() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::new()
        .routes(routes!(evaluation::one))
        .routes(routes!(evaluation::many))
        .routes(routes!(search::subject))
        .routes(routes!(search::resource))
        .routes(routes!(search::action))
        .routes(routes!(discovery::configuration))
        // Where the public URL has a path, the description lies between host and path.
        .route("/.well-known/authzen-configuration/{*path}", get(discovery::configuration))
}
