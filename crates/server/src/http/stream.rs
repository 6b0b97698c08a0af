//! A body that is written while it is sent.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use http_body::Frame;
use tokio::sync::mpsc;

/// How many chunks may wait for a slow reader.
const CHUNKS_WAITING: usize = 4;

/// How long a reader may take for a chunk.
const PATIENCE: Duration = Duration::from_secs(30);

/// A chunk; or none, the end; or why there is no more. Without an end the connection breaks off, so that nobody takes a
/// part for the whole.
type Chunk = Result<Option<Bytes>, Interrupted>;

/// What a thread writes into; sending fails once the reader has gone.
pub(crate) type Sink = mpsc::Sender<Chunk>;

/// The rest of the body could not be made.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the rest of the answer could not be made")]
pub(crate) struct Interrupted;

/// Sends from a thread; whether it was taken. A reader that takes nothing for [`PATIENCE`] is taken to be gone: its
/// connection breaks off.
pub(crate) fn send(sink: &Sink, chunk: Chunk) -> bool {
    let sent = tokio::runtime::Handle::current().block_on(sink.send_timeout(chunk, PATIENCE));
    sent.is_ok()
}

struct Chunks(mpsc::Receiver<Chunk>);

/// A body and the sink that feeds it.
pub(crate) fn body() -> (Sink, Body) {
    let (sink, chunks) = mpsc::channel(CHUNKS_WAITING);
    (sink, Body::new(Chunks(chunks)))
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        self.0.poll_recv(context).map(|chunk| match chunk {
            Some(Ok(Some(bytes))) => Some(Ok(Frame::data(bytes))),
            Some(Ok(None)) => None,
            Some(Err(interrupted)) => Some(Err(interrupted)),
            None => Some(Err(Interrupted)),
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn only_what_was_ended_is_whole() {
        let ends: [(Option<Chunk>, bool); 3] =
            [(Some(Ok(None)), true), (Some(Err(Interrupted)), false), (None, false)];
        for (last, whole) in ends {
            let (sink, body) = body();
            sink.send(Ok(Some(Bytes::from_static(b"part")))).await.unwrap();
            if let Some(last) = last.clone() {
                sink.send(last).await.unwrap();
            }
            drop(sink);
            assert_eq!(to_bytes(body, 100).await.is_ok(), whole, "{last:?}");
        }
    }
}
