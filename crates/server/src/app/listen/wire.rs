//! The socket as the HTTP library sees it: its own answers, which say nothing, are kept back.
//!
//! The library answers a head that it cannot parse by itself, with an empty body, and then ends the connection with an
//! error. Nothing else lets us answer in its place. What it writes while no request is being answered, and after
//! everything earlier was flushed, can only be such an answer. Behind an answer that the peer does not read, one may
//! pass as the library wrote it: then both leave in one piece.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::http::head::TARGET_MAX;

/// What request and answer are at; shared by the socket and the service of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchange(Arc<Mutex<Phase>>);

#[derive(Debug, Default)]
struct Phase {
    stage: Stage,
    /// The library wrote an answer of its own, which was kept back.
    kept_back: bool,
    /// Bytes of the head in turn before its first line end.
    line: usize,
    /// The first line has ended.
    line_ended: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Everything was answered and flushed.
    #[default]
    Idle,
    /// A request was taken, and its answer is not written yet.
    Answering,
    /// The answer is written, and may not be flushed yet.
    Flushing,
}

impl Exchange {
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request is taken. Dropped with the body of the answer.
    pub(super) fn begin(&self) -> Answering {
        *self.phase() = Phase { stage: Stage::Answering, ..Phase::default() };
        Answering(self.clone())
    }

    /// Whether the library answered by itself, or would have had to.
    pub(super) fn is_unanswered(&self) -> bool {
        let phase = self.phase();
        phase.kept_back || phase.stage == Stage::Idle
    }

    /// Whether the first line of the head in turn is longer than a request line may be.
    pub(super) fn has_long_line(&self) -> bool {
        self.phase().line > TARGET_MAX
    }

    fn note_read(&self, bytes: &[u8]) {
        let mut phase = self.phase();
        if phase.line_ended || phase.stage == Stage::Answering {
            return;
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        phase.line_ended = end.is_some();
        phase.line += end.unwrap_or(bytes.len());
    }

    /// Whether what is written now is the library's own.
    fn keeps_back(&self) -> bool {
        let mut phase = self.phase();
        let is_own = phase.stage == Stage::Idle;
        phase.kept_back |= is_own;
        is_own
    }

    fn note_flushed(&self) {
        let mut phase = self.phase();
        if phase.stage == Stage::Flushing {
            phase.stage = Stage::Idle;
        }
    }
}

/// An answer under way, until its body is dropped.
#[derive(Debug)]
pub(super) struct Answering(Exchange);

impl Answering {
    /// The body, which ends the exchange.
    pub(super) fn with(self, body: Body) -> Tracked {
        Tracked { body, _until_dropped: self }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.phase().stage = Stage::Flushing;
    }
}

/// The body of an answer under way.
#[derive(Debug)]
pub(super) struct Tracked {
    body: Body,
    _until_dropped: Answering,
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The socket of one connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    exchange: Exchange,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, exchange: Exchange) -> Self {
        Self { stream, exchange }
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.exchange.note_read(buffer.filled().get(before..).unwrap_or_default());
        outcome
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.exchange.keeps_back() {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.exchange.note_flushed();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.exchange.phase().kept_back {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.exchange.keeps_back() {
            return Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
