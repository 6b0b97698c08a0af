//! A body that is written while it is sent.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use grantbook_domain::{id::OrgId, principal::Principal};
use http_body::Frame;
use tokio::sync::mpsc;

/// How many chunks may wait for a slow reader.
const CHUNKS_WAITING: usize = 4;

/// How long a reader may take for a chunk.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A chunk; or none, the end; or why there is no more. Without an end the connection breaks off, so that nobody takes a
/// part for the whole.
type Chunk = Result<Option<Bytes>, Interrupted>;

/// What a thread writes into; sending fails once the reader has gone.
pub(crate) type Sink = mpsc::Sender<Chunk>;

/// The rest of the body could not be made.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the rest of the answer could not be made")]
pub(crate) struct Interrupted;

/// Sends from a thread; whether it was taken. A reader that takes nothing for [`TIMEOUT`] is taken to be gone: its
/// connection breaks off.
pub(crate) fn send(sink: &Sink, chunk: Chunk) -> bool {
    let sent = tokio::runtime::Handle::current().block_on(sink.send_timeout(chunk, TIMEOUT));
    sent.is_ok()
}

/// Most streams of one principal: one slow reader leaves places to others.
pub(crate) const OF_ONE_MAX: usize = 4;

type Counts = HashMap<(OrgId, Principal), usize>;

/// Whose streams are under way.
#[derive(Debug)]
pub(crate) struct Readers {
    /// Most of one principal.
    each: usize,
    /// Most in all.
    all: usize,
    streams: Arc<Mutex<Counts>>,
}

/// Counts a stream as its reader's until dropped.
#[derive(Debug)]
pub(crate) struct OneOfReader {
    streams: Arc<Mutex<Counts>>,
    who: (OrgId, Principal),
}

impl Readers {
    /// None yet; at most so many of one reader, and in all.
    pub(crate) fn bounded(each: usize, all: usize) -> Self {
        Self { each, all, streams: Arc::default() }
    }

    /// One more stream of this reader, unless there are too many.
    pub(crate) fn enter(&self, who: (OrgId, Principal)) -> Option<OneOfReader> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let own = streams.get(&who).copied().unwrap_or_default();
        if own >= self.each || streams.values().sum::<usize>() >= self.all {
            return None;
        }
        streams.insert(who, own + 1);
        Some(OneOfReader { streams: Arc::clone(&self.streams), who })
    }
}

impl Drop for OneOfReader {
    fn drop(&mut self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = streams.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.who);
            }
        }
    }
}

struct Chunks(mpsc::Receiver<Chunk>);

/// A body and the sink that feeds it.
pub(crate) fn body() -> (Sink, Body) {
    body_of(CHUNKS_WAITING)
}

/// The same, with at most so many chunks that wait.
pub(crate) fn body_of(waiting: usize) -> (Sink, Body) {
    let (sink, chunks) = mpsc::channel(waiting);
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
    use grantbook_domain::id::UserId;

    use super::*;

    #[test]
    fn a_reader_has_few_streams_and_leaves_others_theirs() {
        let readers = Readers::bounded(OF_ONE_MAX, OF_ONE_MAX + 1);
        let [one, other] = [1, 2].map(|id| (OrgId::from_u128(1), Principal::User(UserId::from_u128(id))));
        let mut held: Vec<_> = (0..OF_ONE_MAX).map(|_| readers.enter(one).unwrap()).collect();
        assert!(readers.enter(one).is_none());
        let others = readers.enter(other);
        assert!(others.is_some() && readers.enter(other).is_none(), "all places are taken");
        drop(others);
        held.pop();
        held.push(readers.enter(one).unwrap());
        drop(held);
        assert!(readers.streams.lock().unwrap().is_empty());
    }

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
