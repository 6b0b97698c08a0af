//! The API of this process, as the client knows servers.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Router, body::Body, extract::Request};
use grantbook_api::client::InProcess;
use http::Extensions;
use http_body::{Body as HttpBody, Frame, SizeHint};
use sync_wrapper::SyncWrapper;
use tower::{ServiceExt as _, util::BoxCloneSyncService};

/// A router as the server of a client. Requests carry these extensions: who asks, from where.
pub fn in_process(router: Router, extensions: Extensions) -> InProcess {
    InProcess::new(BoxCloneSyncService::new(tower::service_fn(
        move |request: http::Request<reqwest::Body>| {
            let (router, extensions) = (router.clone(), extensions.clone());
            async move {
                let mut request: Request = request.map(Body::new);
                request.extensions_mut().extend(extensions);
                let Ok(response) = router.oneshot(request).await;
                Ok::<_, Infallible>(response.map(|body| reqwest::Body::wrap(Shared(SyncWrapper::new(body)))))
            }
        },
    )))
}

/// A body that only its owner reads, which the client cannot know.
struct Shared(SyncWrapper<Body>);

impl HttpBody for Shared {
    type Data = axum::body::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(self.0.get_mut()).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
