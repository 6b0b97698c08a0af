//! The console: pages below `/console`, made on the server, that do what the API does.
//!
//! No rule lives here. A page asks the questions and sends the commands of the API, in the same process, with the key of the
//! browser's session; what a caller may not see or do, the API refuses. `docs/console.md` lists the pages.
//
// Folders, lowest first: gate; frame; visit; shown; review; pages.

mod api_page;
mod assets;
mod frame;
mod gate;
mod in_process;
mod pages;
mod review;
mod shown;
mod visit;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware,
    response::{Html, IntoResponse as _},
    routing::get,
};
use grantbook_api::client::{Client, ClientError};
use tower_http::csrf::CsrfLayer;

use crate::gate::{idle::Idle, place::PublicOrigin, previews::Previews};
pub use crate::in_process::in_process;

/// Most bytes of a form.
const FORM_MAX: usize = 256 * 1024;

/// What the operator says.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The URL under which browsers reach the server, such as `https://grantbook.example.com`.
    pub public_url: Option<String>,
    /// The description of the API (`OpenAPI`), as JSON text, for the page at `/docs`.
    pub document: Vec<u8>,
}

/// What every page has.
#[derive(Debug)]
pub(crate) struct Console {
    public: Option<PublicOrigin>,
    idle: Idle,
    previews: Previews,
    /// Clients are made of it: see [`Client::in_process`].
    clients: Client,
}

/// The pages. Each request needs an [`InProcess`](grantbook_api::client::InProcess) among its extensions: the API that it asks.
///
/// # Errors
/// [`ClientError::Transport`] if a client cannot be made.
pub fn router<S>(options: &Options) -> Result<Router<S>, ClientError>
where
    S: Clone + Send + Sync + 'static,
{
    let console = Arc::new(Console {
        public: options.public_url.as_deref().and_then(PublicOrigin::of),
        idle: Idle::default(),
        previews: Previews::default(),
        clients: Client::of_nobody()?,
    });
    let api = Arc::new(api_page::page(&options.document));
    let api = get(move || async move {
        match api.as_deref() {
            Some(page) => Html(page.to_owned()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    });
    Ok(pages::routes()
        .route("/docs", api)
        .layer(DefaultBodyLimit::max(FORM_MAX))
        .layer(CsrfLayer::new().with_rejection_response(visit::cross_site))
        .layer(middleware::from_fn_with_state(Arc::clone(&console), gate::headers::add))
        .with_state(console))
}
