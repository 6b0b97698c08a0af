//! The journal's pulse: once a second, where its head is. A quiet stream proves nothing; this does.

use std::{sync::Arc, time::Duration};

use crate::{Journal, ReadError};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

/// How often the head is asked for.
const PERIOD: Duration = Duration::from_secs(1);
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// For so long the journal may say that it is shorter than what was read of it: a leader that was just elected may
/// not have applied everything yet.
const SHORTER: Duration = Duration::from_secs(3);

/// What was heard of the journal.
#[derive(Debug, Clone)]
pub struct HeadSeen {
    /// Its head.
    pub head: u64,
    /// When that was asked for.
    pub at: Instant,
    /// Whether the head was ever told.
    pub ever: bool,
    /// Why it must not be believed any more, if so: it lost what was read of it, or was replaced.
    pub broken: Option<JournalFault>,
}

/// What is wrong with the journal itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalFault {
    /// It cannot be read any more.
    #[error("{0}")]
    Unreadable(ReadError),
    /// It ends before what was read of it.
    #[error("the journal ends at sequence {found}, not at {expected}")]
    Shorter {
        /// What was read of it.
        expected: u64,
        /// Where it ends.
        found: u64,
    },
}

/// How far something that follows the journal is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// The last sequence that it has.
    pub sequence: u64,
    /// The journal's last one, as far as is known.
    pub head: u64,
    /// For how long nothing has proved that it has all.
    pub unproved: Duration,
    /// How long ago the journal's leader answered last, if it ever did.
    pub contact: Option<Duration>,
}

/// Listens to a journal until it is dropped.
#[derive(Debug)]
pub struct HeadWatch {
    heard: watch::Receiver<HeadSeen>,
    task: JoinHandle<()>,
}

impl HeadWatch {
    /// Starts to listen; `seen` is the last sequence read of the journal by whoever wants to know.
    pub fn start<J: Journal>(journal: Arc<J>, seen: watch::Receiver<u64>) -> Self {
        let nothing = HeadSeen { head: *seen.borrow(), at: Instant::now(), ever: false, broken: None };
        let (tell, heard) = watch::channel(nothing);
        Self { heard, task: tokio::spawn(listen(journal, seen, tell)) }
    }

    /// What is heard.
    pub fn heard(&self) -> watch::Receiver<HeadSeen> {
        self.heard.clone()
    }

    /// Ends it and waits until it has let go of the journal.
    pub async fn stop(mut self) {
        self.task.abort();
        // It ends by being told to.
        (&mut self.task).await.unwrap_or_default();
    }

    /// How far behind whoever has reached `sequence` is.
    pub fn behind(&self, sequence: u64) -> Behind {
        let heard = self.heard.borrow();
        let since = heard.at.elapsed();
        let contact = heard.ever.then_some(since);
        Behind { sequence, head: heard.head.max(sequence), unproved: since, contact }
    }
}

impl Drop for HeadWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen<J: Journal>(journal: Arc<J>, seen: watch::Receiver<u64>, tell: watch::Sender<HeadSeen>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shorter_since: Option<Instant> = None;
    loop {
        ticks.tick().await;
        let (expected, at) = (*seen.borrow(), Instant::now());
        let head = match timeout(TIMEOUT, journal.head()).await {
            Ok(Ok(head)) => head,
            Ok(Err(
                error @ (ReadError::Damaged { .. } | ReadError::DamagedFile { .. } | ReadError::Replaced(_)),
            )) => {
                tell.send_modify(|heard| heard.broken = Some(JournalFault::Unreadable(error)));
                return;
            }
            // Whoever reads the frames says so; here the proof just grows old.
            Ok(Err(ReadError::Unavailable(_))) | Err(_) => continue,
        };
        let is_there = if head < expected { journal.read_one(expected).await } else { Ok(None) };
        if head < expected && !matches!(is_there, Ok(Some(_))) {
            if let Err(ReadError::Unavailable(_)) = is_there {
                // That nobody answered shows nothing.
                continue;
            }
            let since = *shorter_since.get_or_insert(at);
            if since.elapsed() >= SHORTER {
                tell.send_modify(|heard| {
                    heard.broken = Some(JournalFault::Shorter { expected, found: head });
                });
                return;
            }
            continue;
        }
        shorter_since = None;
        tell.send_modify(|heard| {
            heard.head = heard.head.max(head);
            (heard.at, heard.ever) = (at, true);
        });
    }
}
