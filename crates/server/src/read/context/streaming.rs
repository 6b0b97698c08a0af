//! Answers that are streamed: a slot for each stream, and a place in turn for each of its chunks.

use std::{cell::RefCell, time::Duration};

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use grantbook_views::Work;
use tokio::runtime::Handle;

use crate::{
    http::{
        problem::Failure,
        stream::{self, Chunk, Interrupted},
    },
    read::context::ReadContext,
    schedule::{Class, Place, Refused, Scheduler, cancel::CancelOnDrop, slots::Slot, workers},
};

/// How many chunks may wait for a slow reader.
const CHUNKS_WAITING: usize = 4;
/// How long a reader may take for a chunk.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a stream's thread writes into.
#[derive(Debug)]
pub(crate) struct Sink {
    chunks: stream::Sink,
    slot: Slot,
    scheduler: Scheduler,
    /// The place of the chunk that is made.
    place: RefCell<Option<Place>>,
}

impl ReadContext {
    /// Answers with what `fill` sends, on a thread of its own. The stream is cut off if its reader takes nothing for
    /// [`TIMEOUT`], or if its organization holds most of the slots and another needs one.
    pub(crate) fn stream(
        mut self,
        fill: impl FnOnce(&Self, &Sink) -> Result<Streamed, Failure> + Send + 'static,
    ) -> Result<Response, Failure> {
        let (work, party) = (Work::unlimited(), self.party());
        let slot = self.web.streams.enter(party, &work).map_err(too_many)?;
        self.meter(&work);
        let (chunks, body) = stream::body_of(CHUNKS_WAITING, CancelOnDrop::of(work));
        let scheduler = self.web.app.scheduler.clone();
        workers::spawn(move || {
            let sink = Sink { chunks, slot, scheduler, place: RefCell::new(None) };
            if !sink.take_place() {
                return;
            }
            match fill(&self, &sink) {
                Ok(Streamed::Whole) => send(&sink, Ok(None)),
                Ok(Streamed::NobodyListens) => false,
                Err(_) => send(&sink, Err(Interrupted)),
            };
        });
        Ok(Response::new(Body::new(body)))
    }
}

/// How a stream came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streamed {
    /// Everything was sent.
    Whole,
    /// Nobody takes it any more.
    NobodyListens,
}

/// Why there is no slot.
pub(crate) fn too_many(refused: Refused) -> Failure {
    match refused {
        Refused::OwnShare => Failure::too_many_streams(),
        Refused::Overloaded => Failure::overloaded(),
    }
}

/// Sends from the stream's thread; whether it was taken. While the reader takes its time, others have the place.
pub(crate) fn send(sink: &Sink, chunk: Chunk) -> bool {
    drop(sink.place.take());
    let sent = Handle::current().block_on(async {
        tokio::select! {
            biased;
            () = sink.slot.cut_off() => false,
            sent = sink.chunks.send_timeout(chunk, TIMEOUT) => {
                let is_slow = matches!(sent, Err(tokio::sync::mpsc::error::SendTimeoutError::Timeout(_)));
                if is_slow {
                    sink.slot.note_slow();
                }
                sent.is_ok()
            }
        }
    });
    sent && sink.take_place()
}

/// The same for bytes.
pub(crate) fn send_bytes(sink: &Sink, bytes: Vec<u8>) -> bool {
    send(sink, Ok(Some(Bytes::from(bytes))))
}

impl Sink {
    fn take_place(&self) -> bool {
        let place = self.scheduler.enter_blocking(Class::Streams, self.slot.party());
        let is_given = place.is_ok();
        drop(self.place.replace(place.ok()));
        is_given
    }
}
