//! The console over the API of this process. Each request of a page goes the way of any other, with the key of the browser's
//! session.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
};
use grantbook_console::{Options, in_process};

use crate::{endpoints::observe, state::Web, write::forwarded};

/// The pages; none where they cannot be served.
pub(crate) fn pages(web: &Arc<Web>, native: Router) -> Option<Router<Arc<Web>>> {
    let public_url = web.app.public_url.as_ref().map(ToString::to_string);
    let options = Options { public_url, document: web.document.to_vec() };
    let pages = match grantbook_console::router(&options) {
        Ok(pages) => pages,
        Err(error) => {
            tracing::error!(%error, "the console is not served");
            return None;
        }
    };
    let native = native.layer(middleware::from_fn_with_state(Arc::clone(web), observe::within));
    let at_hand = middleware::from_fn(move |mut request: Request, next: Next| {
        let api = in_process(native.clone(), forwarded::origin(request.extensions()));
        request.extensions_mut().insert(api);
        next.run(request)
    });
    Some(pages.layer(at_hand))
}
