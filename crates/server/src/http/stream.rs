//! A body that is written while it is sent.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::Frame;
use tokio::sync::mpsc;

/// How many chunks may wait for a slow reader.
const CHUNKS_WAITING: usize = 4;

/// A chunk, or why there is no more: the connection then breaks off, so that nobody takes a part for the whole.
type Chunk = Result<Bytes, Interrupted>;

/// What a thread writes into; sending fails once the reader has gone.
pub(crate) type Sink = mpsc::Sender<Chunk>;

/// The rest of the body could not be made.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the rest of the answer could not be made")]
pub(crate) struct Interrupted;

struct Chunks(mpsc::Receiver<Chunk>);

/// A body and the sink that feeds it; the body ends when the sink is dropped.
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
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}
