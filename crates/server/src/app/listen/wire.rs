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
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{Response, header::CONTENT_TYPE},
};
use grantbook_api::questions::watch::EVENT_STREAM;
use http_body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

use crate::http::head::TARGET_MAX;

/// Watchers may be so many times slower than readers of ordinary answers: watches cut them off themselves, after five minutes.
const WATCH_FACTOR: u32 = 11;

/// What request and answer are at; shared by the socket and the service of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchange(Arc<Mutex<Phase>>);

#[derive(Debug)]
struct Phase {
    stage: Stage,
    /// When the last answer ended, or the connection began.
    since: Instant,
    /// Since when the peer has taken nothing of what is to be written.
    stalled: Option<Instant>,
    /// The answer is a watch: it cuts off slow readers itself, later.
    is_watch: bool,
    /// The library wrote an answer of its own, which was kept back.
    kept_back: bool,
    /// Bytes of the head in turn before its first line end.
    line: usize,
    /// The first line has ended.
    line_ended: bool,
}

impl Default for Phase {
    fn default() -> Self {
        let (stage, since) = (Stage::default(), Instant::now());
        Self { stage, since, stalled: None, is_watch: false, kept_back: false, line: 0, line_ended: false }
    }
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

    /// Since when the connection has waited for its peer: to send a request, or to take an answer; none: it does not.
    pub(super) fn rests_since(&self) -> Option<Instant> {
        let phase = self.phase();
        phase.stalled.or((phase.stage != Stage::Answering).then_some(phase.since))
    }

    /// How long the peer may take nothing, if it is `write_time` for an ordinary answer.
    fn patience(&self, write_time: Duration) -> Duration {
        if self.phase().is_watch { write_time.saturating_mul(WATCH_FACTOR) } else { write_time }
    }

    fn note_written(&self, is_stalled: bool) {
        let mut phase = self.phase();
        phase.stalled = is_stalled.then(|| phase.stalled.unwrap_or_else(Instant::now));
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
    /// The answer, the body of which ends the exchange.
    pub(super) fn with(self, response: Response<Body>) -> Response<Tracked> {
        let kind = response.headers().get(CONTENT_TYPE);
        self.0.phase().is_watch = kind.is_some_and(|kind| kind == EVENT_STREAM);
        response.map(|body| Tracked { body, _until_dropped: self })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut phase = self.0.phase();
        (phase.stage, phase.since) = (Stage::Flushing, Instant::now());
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

/// The socket of one connection. A peer that takes nothing of an answer for some time is taken to be gone.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    exchange: Exchange,
    write_time: Duration,
    /// Runs while the peer takes nothing.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, exchange: Exchange, write_time: Duration) -> Self {
        Self { stream, exchange, write_time, timer: None }
    }

    /// What became of a write; after [`Wire::write_time`] without a byte taken, an error.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if outcome.is_ready() {
            if self.timer.take().is_some() {
                self.exchange.note_written(false);
            }
            return outcome;
        }
        let write_time = self.exchange.patience(self.write_time);
        let timer = self.timer.get_or_insert_with(|| {
            self.exchange.note_written(true);
            Box::pin(sleep(write_time))
        });
        timer.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
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
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, outcome)
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
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.written(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Watchers are promised five minutes.
    #[test]
    fn a_watcher_may_take_longer_than_the_reader_of_an_ordinary_answer() {
        let exchange = Exchange::default();
        let (second, response) = (Duration::from_secs(1), || Response::builder());
        let watch = response().header(CONTENT_TYPE, EVENT_STREAM).body(Body::empty()).unwrap();
        let watching = exchange.begin().with(watch);
        assert_eq!(exchange.patience(second * 30), second * 330);
        drop(watching);
        let ordinary = exchange.begin().with(response().body(Body::empty()).unwrap());
        assert_eq!(exchange.patience(second * 30), second * 30);
        drop(ordinary);
    }
}
