//! Follows the stream of a shared journal, so that the folds know what other processes appended.

use std::{
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
    time::Duration,
};

use grantbook_journal::{
    Cause, Item, Journal, ReadError, Tail,
    chain::ChainError,
    follow::{doubt::Doubts, other_copies::other_copies},
    log_throttle::LogThrottle,
};
use tokio::{sync::watch, task::yield_now, time::sleep};

use crate::{FoldError, directory::Directory};

/// Most frames taken at once.
const FRAMES: NonZeroUsize = match NonZeroUsize::new(256) {
    Some(frames) => frames,
    None => NonZeroUsize::MIN,
};
/// How long it waits for a frame before it asks again.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How long it waits after the journal did not answer.
const BACKOFF: Duration = Duration::from_millis(200);

/// Why the folds follow the journal no more; nothing is decided from then on.
pub(super) type Fault = Arc<OnceLock<Cause>>;

/// The task.
#[derive(Debug)]
pub(super) struct Follower<J> {
    pub(super) journal: Arc<J>,
    pub(super) directory: Arc<Directory>,
    /// The last sequence of the stream that the folds hold.
    pub(super) reached: watch::Sender<u64>,
    pub(super) fault: Fault,
    pub(super) doubts: Doubts,
    pub(super) closing: watch::Receiver<bool>,
}

impl<J: Journal> Follower<J> {
    /// Follows until the service closes or something is not understood.
    pub(super) async fn run(mut self) {
        let mut closing = self.closing.clone();
        let ended = tokio::select! {
            ended = self.follow() => ended,
            _ = closing.wait_for(|closing| *closing) => return,
        };
        if let Err(error) = ended {
            tracing::error!(%error, "stopped following the journal; commands are refused until this process is restarted");
            if let Some(doubt) = error.doubt() {
                self.doubts.raise(doubt);
            }
            self.fault.set(Arc::new(error)).unwrap_or_default();
        }
    }

    async fn follow(&mut self) -> Result<(), FoldError> {
        let mut reached = *self.reached.borrow();
        self.directory.follow(reached);
        let mut tail = self.journal.tail(reached);
        let mut outage = LogThrottle::default();
        loop {
            match tail.next(FRAMES, TIMEOUT).await {
                Ok(items) => {
                    outage.reset();
                    for item in &items {
                        self.take(reached, item).await?;
                        reached = item.sequence();
                        yield_now().await;
                    }
                    if !items.is_empty() {
                        self.directory.follow(reached);
                        self.reached.send_replace(reached);
                    }
                }
                Err(error @ ReadError::Unavailable(_)) => {
                    if outage.is_due() {
                        tracing::warn!(%error, "the journal does not answer the fold; it asks again");
                    }
                    sleep(BACKOFF).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes the next item, or a copy of it that fits if it does not as it came.
    async fn take(&self, reached: u64, item: &Item) -> Result<(), FoldError> {
        let (sequence, expected) = (item.sequence(), reached.saturating_add(1));
        if sequence != expected {
            return Err(ChainError::Gap { sequence, expected }.into());
        }
        self.directory.meet(item);
        let misfit = match self.directory.take(item) {
            Err(FoldError::Chain(misfit)) => misfit,
            taken => return taken,
        };
        for copy in other_copies(self.journal.as_ref(), expected, &misfit).await? {
            match self.directory.take(&copy) {
                Err(FoldError::Chain(_)) => {}
                taken => return taken,
            }
        }
        Err(misfit.into())
    }
}
