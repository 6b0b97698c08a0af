//! A watcher's messages, sent as they come and as they are taken.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::body::Bytes;
use tokio::time::{Instant, sleep_until};

use crate::{
    http::{at_least, problem::Failure, stream::Sink},
    routes::watch::watcher::{Ended, Piece, Watcher},
};

/// A comment comes if nothing else did for this long; the caller's right is asked for again then, too.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Who takes nothing for this long is taken to be gone; it can go on where it was.
const PATIENCE: Duration = Duration::from_mins(5);

/// The same once the process ends.
const PATIENCE_AT_END: Duration = Duration::from_secs(1);

/// Sends until the watcher goes, may no longer watch, or the process ends.
pub(super) async fn pour(watcher: Watcher, sink: &Sink) {
    let ended = follow(watcher, sink).await;
    if let Err(ended) = ended {
        let patience = if ended.is_of_process() { PATIENCE_AT_END } else { PATIENCE };
        sink.send_timeout(Ok(Some(ended.text())), patience).await.unwrap_or_default();
        sink.send_timeout(Ok(None), patience).await.unwrap_or_default();
    }
}

/// Whether the watcher took it.
async fn send(sink: &Sink, text: Bytes) -> bool {
    sink.send_timeout(Ok(Some(text)), PATIENCE).await.is_ok()
}

async fn follow(mut watcher: Watcher, sink: &Sink) -> Result<(), Ended> {
    let web = Arc::clone(&watcher.web);
    let node = web.node()?;
    let mut progress = node.follow();
    let mut ending = pin!(web.ending());
    if !send(sink, watcher.heartbeat()).await {
        return Ok(());
    }
    let mut spoken = Instant::now();
    loop {
        let seen = progress.borrow_and_update().sequence;
        at_least::believed(&web, node).await?;
        let (back, piece) = next(watcher).await?;
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
        if !piece.more {
            tokio::select! {
                // A projector that is gone shows in the state that is asked for next.
                _ = progress.wait_for(|now| now.sequence > seen || now.has_ended()) => {}
                () = sleep_until(quiet_until) => {}
                () = ending.as_mut() => return Err(Ended::stopping()),
                () = sink.closed() => return Ok(()),
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

/// The next messages, made on a thread that may take its time; few work at once, however many watch.
async fn next(mut watcher: Watcher) -> Result<(Watcher, Piece), Ended> {
    let place = watcher.web.threads.watch().await;
    let made = tokio::task::spawn_blocking(move || {
        let _held_until_made = place;
        watcher.next().map(|piece| (watcher, piece))
    });
    made.await.unwrap_or_else(|error| Err(Failure::internal(&error).into()))
}
