//! How many requests may work on threads of the blocking pool at once: the projector and the journal need some too.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most questions that look at many things.
const QUESTIONS: usize = 64;
/// Most streams: each holds its thread as long as its reader takes.
const STREAMS: usize = 32;
/// Most pieces of watches that are made at once.
const WATCHES: usize = 8;

/// The places; one is free again when its permit is dropped.
#[derive(Debug)]
pub(crate) struct BlockingPool {
    questions: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    watches: Arc<Semaphore>,
}

impl Default for BlockingPool {
    fn default() -> Self {
        Self {
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            streams: Arc::new(Semaphore::new(STREAMS)),
            watches: Arc::new(Semaphore::new(WATCHES)),
        }
    }
}

impl BlockingPool {
    /// Waits for a place for one question.
    pub(crate) async fn question(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.questions).acquire_owned().await.ok()
    }

    /// Waits for a place for one piece of a watch.
    pub(crate) async fn watch(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.watches).acquire_owned().await.ok()
    }

    /// A place for one stream, if there is one now.
    pub(crate) fn stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_bounded_and_a_place_comes_back() {
        let threads = BlockingPool::default();
        let mut held: Vec<_> = (0..STREAMS).map(|_| threads.stream().unwrap()).collect();
        assert!(threads.stream().is_none());
        held.pop();
        assert!(threads.stream().is_some());
    }
}
