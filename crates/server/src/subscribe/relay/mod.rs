//! The relay: publishes the journal's events, and the changes of access that they caused, into streams for subscribers.
//!
//! It follows the node's view and stops with it. Each stream has a line of its own, which resumes behind the
//! stream's last message; of several relays one at a time makes progress (docs/adr/0015-a-fenced-relay.md).

mod line;
mod render;
mod status;

use std::sync::Arc;

use grantbook_domain::id::InstallationId;
use grantbook_journal::{
    Journal, ReadError,
    jetstream::{Derived, JetStreamError, JetStreamJournal, Publisher},
};
use grantbook_views::ViewReader;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Duration, Instant, sleep},
};

pub use status::{LineState, LineStatus, RelayHandle};

use self::line::Line;
use crate::schedule::Scheduler;
use grantbook_node::{project::Progress, read::ReadNode};

/// For so long a stream may seem to be ahead of the journal before that is believed: a leader of either that was just
/// elected may not have applied everything yet.
const AHEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two questions about that.
const BACKOFF: Duration = Duration::from_millis(500);

/// Why no relay starts.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// A stream is not there, not the journal's, or has drifted.
    #[error("{0}")]
    Stream(#[from] JetStreamError),
    /// Journal or stream do not answer, or were made anew meanwhile.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// The stream goes beyond the journal.
    #[error(
        "the stream {stream} has what was made from frame {has} of the journal, which ends at {head}: the journal was restored from an older copy. Subscribers were told what it no longer holds; delete the stream and run `grantbook nats prepare` to begin anew"
    )]
    Ahead {
        /// Its name.
        stream: String,
        /// The frame.
        has: u64,
        /// The journal's head.
        head: u64,
    },
}

/// What a relay follows.
#[derive(Debug, Clone)]
pub(crate) struct Followed {
    /// The journal, which says in which order records came.
    pub(crate) journal: Arc<JetStreamJournal>,
    /// The node, which says whether the view may be believed.
    pub(crate) node: ReadNode,
    /// The view, which says what the records are and what they changed.
    pub(crate) reader: ViewReader,
    /// How far the view has come.
    pub(crate) progress: watch::Receiver<Progress>,
    /// Names the journal in positions.
    pub(crate) installation: InstallationId,
    /// Says when it is a relay's turn to render.
    pub(crate) scheduler: Scheduler,
}

/// A running relay. Dropping it ends it too; [`Relay::stop`] waits until it has.
#[derive(Debug)]
pub struct Relay {
    handle: RelayHandle,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// The publishers of all derived streams, if every one is there, as it must be, and not ahead of the journal.
pub(crate) async fn open(journal: &JetStreamJournal) -> Result<Vec<Publisher>, RelayError> {
    let mut publishers = Vec::new();
    for derived in Derived::ALL {
        let publisher = journal.publisher(derived).await?;
        refuse_ahead(journal, &publisher).await?;
        publishers.push(publisher);
    }
    Ok(publishers)
}

async fn refuse_ahead(journal: &JetStreamJournal, publisher: &Publisher) -> Result<(), RelayError> {
    let deadline = Instant::now() + AHEAD_TIMEOUT;
    loop {
        let asked = async { Ok::<_, ReadError>((publisher.end().await?, journal.head().await?)) };
        let last_time = Instant::now() >= deadline;
        match asked.await {
            Ok((end, head)) if end.place.sequence <= head => return Ok(()),
            Ok((end, head)) if last_time => {
                let stream = publisher.stream().to_owned();
                return Err(RelayError::Ahead { stream, has: end.place.sequence, head });
            }
            // The line asks again, and tells that it waits.
            Err(ReadError::Unavailable(_)) if last_time => return Ok(()),
            Err(ReadError::Unavailable(_)) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        sleep(BACKOFF).await;
    }
}

impl Relay {
    /// Starts a line for each publisher.
    pub(crate) fn start(publishers: Vec<Publisher>, followed: &Followed) -> Self {
        let (stop, stopping) = watch::channel(false);
        let (mut lines, mut tasks) = (Vec::new(), Vec::new());
        for publisher in publishers {
            let (line, status) = Line::new(publisher, followed.clone(), stopping.clone());
            lines.push(status);
            tasks.push(tokio::spawn(line.run()));
        }
        Self { handle: RelayHandle::new(lines), stop, tasks }
    }

    /// Tells how it is.
    pub fn handle(&self) -> RelayHandle {
        self.handle.clone()
    }

    /// Ends it; what is under way is answered, or found again by the next one.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "the relay failed");
            }
        }
    }
}
