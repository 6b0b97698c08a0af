//! A watcher's messages, sent as they come and as they are taken.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::body::Bytes;
use grantbook_api::questions::watch::WatchStale;
use tokio::{
    sync::mpsc::error::SendTimeoutError,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    http::{problem::Failure, stream::Sink},
    read::watch::watcher::{Ended, Piece, Watcher},
    schedule::{Class, slots::Slot, workers},
    state::{Web, at_least},
};
use grantbook_node::read::ReadNode;

/// A comment comes if nothing else did for this long; the caller's right is asked for again then, too.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is looked whether the node may still be believed, while nothing comes.
const LOOK: Duration = Duration::from_secs(1);
/// Who takes nothing for this long is taken to be gone; it can go on where it was.
const TIMEOUT: Duration = Duration::from_mins(5);

/// The same once the process ends, or the slot is another's.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends until the watcher goes, may no longer watch, or the process ends.
pub(crate) async fn send_all(watcher: Watcher, sink: &Sink) {
    let sink = &Taken { sink, slot: watcher.slot() };
    let cut_off = sink.slot.cut_off();
    let ended = tokio::select! {
        biased;
        () = cut_off => Err(Ended::cut_off()),
        ended = follow(watcher, sink) => ended,
    };
    sink.slot.work().cancel();
    let sink = sink.sink;
    if let Err(ended) = ended {
        let timeout = if ended.is_urgent() { END_TIMEOUT } else { TIMEOUT };
        sink.send_timeout(Ok(Some(ended.text())), timeout).await.unwrap_or_default();
        sink.send_timeout(Ok(None), timeout).await.unwrap_or_default();
    }
}

/// Where messages go, and the slot that they go through.
struct Taken<'s> {
    sink: &'s Sink,
    slot: Arc<Slot>,
}

impl Taken<'_> {
    /// Returns once the watcher has gone.
    async fn closed(&self) {
        self.sink.closed().await;
    }
}

/// Whether the watcher took it.
async fn send(Taken { sink, slot }: &Taken<'_>, text: Bytes) -> bool {
    let sent = sink.send_timeout(Ok(Some(text)), TIMEOUT).await;
    if matches!(sent, Err(SendTimeoutError::Timeout(_))) {
        slot.note_slow();
    }
    sent.is_ok()
}

async fn follow(mut watcher: Watcher, sink: &Taken<'_>) -> Result<(), Ended> {
    let web = Arc::clone(&watcher.web);
    let node = web.node()?;
    let mut progress = node.follow();
    let mut ending = pin!(web.ending());
    if !send(sink, watcher.heartbeat()).await {
        return Ok(());
    }
    let mut spoken = Instant::now();
    let mut trust = Trust { marked: false };
    loop {
        let seen = progress.borrow_and_update().sequence;
        if !trust.tell(&web, node, sink).await? {
            return Ok(());
        }
        // Changes of a large group may take longer than a proxy, or a client, waits for a word.
        let alive = watcher.heartbeat();
        let mut making = pin!(next(watcher));
        let (back, piece) = loop {
            tokio::select! {
                made = making.as_mut() => break made?,
                () = sleep(HEARTBEAT) => {
                    if !send(sink, alive.clone()).await {
                        return Ok(());
                    }
                    spoken = Instant::now();
                }
                () = ending.as_mut() => return Err(Ended::stopping()),
                () = sink.closed() => return Ok(()),
            }
        };
        watcher = back;
        if !piece.text.is_empty() {
            let sent = tokio::select! {
                sent = send(sink, piece.text) => sent,
                () = ending.as_mut() => return Err(Ended::stopping()),
            };
            if !sent {
                return Ok(());
            }
            spoken = Instant::now();
        }
        let quiet_until = spoken + HEARTBEAT;
        while !piece.more && Instant::now() < quiet_until {
            tokio::select! {
                // A projector that is gone shows in the state that is asked for next.
                _ = progress.wait_for(|now| now.sequence > seen || now.has_ended()) => break,
                () = sleep_until(quiet_until.min(Instant::now() + LOOK)) => {}
                () = ending.as_mut() => return Err(Ended::stopping()),
                () = sink.closed() => return Ok(()),
            }
            if !trust.tell(&web, node, sink).await? {
                return Ok(());
            }
        }
        if Instant::now() >= quiet_until {
            if !send(sink, watcher.heartbeat()).await {
                return Ok(());
            }
            spoken = Instant::now();
        }
    }
}

/// What a watcher was told of how far the node may be believed.
struct Trust {
    marked: bool,
}

impl Trust {
    /// Tells when it begins to be stale, and when that ends; whether the watcher took it.
    async fn tell(&mut self, web: &Web, node: &ReadNode, sink: &Taken<'_>) -> Result<bool, Ended> {
        let stale = at_least::believed(web, node).await?;
        if stale.is_some() == self.marked {
            return Ok(true);
        }
        self.marked = stale.is_some();
        let (lag_frames, age_ms) = stale.map_or((0, 0), |stale| (stale.lag_frames, stale.age_ms));
        let told = WatchStale { stale: self.marked, lag_frames, age_ms };
        let data = serde_json::to_string(&told).unwrap_or_default();
        Ok(send(sink, Bytes::from(format!("event: stale\ndata: {data}\n\n"))).await)
    }
}

/// The next messages, made on a thread that may take its time; few work at once, however many watch.
async fn next(mut watcher: Watcher) -> Result<(Watcher, Piece), Ended> {
    let scheduler = watcher.web.app.scheduler.clone();
    let place = scheduler.enter(Class::Watches, watcher.slot().party()).await.map_err(Failure::from)?;
    let made = workers::spawn(move || {
        let _held_until_made = place;
        watcher.next().map(|piece| (watcher, piece))
    });
    made.await.unwrap_or_else(|error| Err(Failure::internal(&error).into()))
}
