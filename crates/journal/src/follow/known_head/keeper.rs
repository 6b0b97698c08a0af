//! Keeps the file up to date while the process runs: at most a second behind, and exact once it ends.

use std::time::Duration;

use crate::{
    Identity,
    follow::{
        doubt::Doubts,
        known_head::{HeadFile, KnownHead, SeenEnd},
    },
    log_throttle::LogThrottle,
};
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

/// Between two writes: with what a write takes, less than a second.
const PERIOD: Duration = Duration::from_millis(500);

/// Writes what the process knows until it is stopped. A journal that is doubted is not written down: what was known before
/// stays.
#[derive(Debug)]
pub struct HeadKeeper {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl HeadKeeper {
    /// Begins to write `known`, once the journal's comparisons are over.
    pub fn start(
        file: HeadFile,
        identity: Identity,
        known: watch::Receiver<SeenEnd>,
        doubts: Doubts,
    ) -> Self {
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(run(file, identity, known, (doubts, stopping)));
        Self { stop, task }
    }

    /// Writes the last head and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the keeper of the journal's head failed");
        }
    }
}

async fn run(
    file: HeadFile,
    identity: Identity,
    mut known: watch::Receiver<SeenEnd>,
    (doubts, mut stopping): (Doubts, watch::Receiver<bool>),
) {
    let mut written = 0;
    let mut outage = LogThrottle::default();
    loop {
        let verdict = tokio::select! {
            biased;
            doubt = doubts.settled() => doubt,
            // Without a verdict nothing new is known.
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        if verdict.is_some() {
            return;
        }
        let is_last = *stopping.borrow() || stopping.has_changed().is_err();
        let end = *known.borrow_and_update();
        if end.sequence > written {
            let (own, head) = (file.clone(), KnownHead::new(identity, end));
            match spawn_blocking(move || own.keep(&head)).await {
                Ok(Ok(())) => written = end.sequence,
                Ok(Err(error)) => {
                    if outage.is_due() {
                        tracing::error!(%error, "how far the journal has come cannot be kept: an older copy in its place would not be noticed");
                    }
                }
                Err(error) => tracing::error!(%error, "how far the journal has come was not kept"),
            }
        }
        if is_last {
            return;
        }
        let next = async {
            sleep(PERIOD).await;
            // What could not be written is tried again.
            if known.borrow().sequence <= written && known.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = next => {}
            _ = stopping.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::hash::Hash;
    use grantbook_domain::{id::InstallationId, time::Timestamp};

    use super::*;
    use crate::follow::doubt::JournalDoubt;

    fn end(sequence: u64) -> SeenEnd {
        SeenEnd { sequence, hash: Hash::ZERO }
    }

    fn identity() -> Identity {
        Identity { installation: InstallationId::from_u128(1), created_at: Timestamp::EPOCH }
    }

    fn kept(file: &HeadFile) -> u64 {
        file.read().unwrap().map_or(0, |known| known.end.sequence)
    }

    #[tokio::test]
    async fn the_last_head_is_there_after_a_stop_and_the_first_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let file = HeadFile::in_directory(directory.path());
        let (tell, known) = watch::channel(end(3));
        let keeper = HeadKeeper::start(file.clone(), identity(), known, Doubts::default());
        while kept(&file) < 3 {
            tokio::task::yield_now().await;
        }
        for sequence in 4..100 {
            tell.send_replace(end(sequence));
        }
        keeper.stop().await;
        assert_eq!(kept(&file), 99);
    }

    /// The brokers that the comparison waits for may be away.
    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_no_comparison() {
        let directory = tempfile::tempdir().unwrap();
        let file = HeadFile::in_directory(directory.path());
        let doubts = Doubts::default();
        let comparison = doubts.comparing();
        let (_tell, known) = watch::channel(end(3));
        let keeper = HeadKeeper::start(file.clone(), identity(), known, doubts.clone());
        tokio::time::timeout(Duration::from_mins(1), keeper.stop()).await.unwrap();
        assert_eq!(kept(&file), 0, "what was not compared is not kept");
        drop(comparison);
    }

    #[tokio::test]
    async fn what_a_doubted_journal_holds_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let file = HeadFile::in_directory(directory.path());
        let doubts = Doubts::default();
        let comparison = doubts.comparing();
        let (_tell, known) = watch::channel(end(3));
        let keeper = HeadKeeper::start(file.clone(), identity(), known, doubts.clone());
        doubts.raise(JournalDoubt::Shorter { known: 7, found: 3 });
        drop(comparison);
        keeper.stop().await;
        assert_eq!(kept(&file), 0);
    }
}
