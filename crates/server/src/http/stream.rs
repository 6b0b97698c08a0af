//! A body that is written while it is sent.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::Frame;
use tokio::sync::mpsc;

/// A chunk; or none, the end; or why there is no more. Without an end the connection breaks off, so that nobody takes a
/// part for the whole.
pub(crate) type Chunk = Result<Option<Bytes>, Interrupted>;

/// What a thread writes into; sending fails once the reader has gone.
pub(crate) type Sink = mpsc::Sender<Chunk>;

/// The rest of the body could not be made.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the rest of the answer could not be made")]
pub(crate) struct Interrupted;

struct Chunks<G> {
    chunks: mpsc::Receiver<Chunk>,
    /// Dropped with the body, when nobody reads it any more.
    _guard: G,
}

/// A body and the sink that feeds it, with so many chunks that wait. The guard is dropped with the body.
pub(crate) fn body_of<G: Send + Unpin + 'static>(waiting: usize, guard: G) -> (Sink, Body) {
    let (sink, chunks) = mpsc::channel(waiting);
    (sink, Body::new(Chunks { chunks, _guard: guard }))
}

impl<G: Unpin> http_body::Body for Chunks<G> {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        self.chunks.poll_recv(context).map(|chunk| match chunk {
            Some(Ok(Some(bytes))) => Some(Ok(Frame::data(bytes))),
            Some(Ok(None)) => None,
            Some(Err(interrupted)) => Some(Err(interrupted)),
            None => Some(Err(Interrupted)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    #[tokio::test]
    async fn only_what_was_ended_is_whole() {
        let ends: [(Option<Chunk>, bool); 3] =
            [(Some(Ok(None)), true), (Some(Err(Interrupted)), false), (None, false)];
        for (last, whole) in ends {
            let (sink, body) = body_of(4, ());
            sink.send(Ok(Some(Bytes::from_static(b"part")))).await.unwrap();
            if let Some(last) = last.clone() {
                sink.send(last).await.unwrap();
            }
            drop(sink);
            assert_eq!(to_bytes(body, 100).await.is_ok(), whole, "{last:?}");
        }
    }
}
