//! The projector: follows the journal and keeps the view. What it does not understand it does not skip: it stops,
//! says so, and reads refuse.

mod checkpoint;
mod progress;
mod view;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use grantbook_journal::{Journal, ReadError, Stored, chain::Chains};
use grantbook_views::{ViewReader, ViewWriter};
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep, timeout},
};

pub use progress::{NodeState, Progress};

use self::{
    checkpoint::Checkpoint,
    view::{Fault, View},
};

/// Most frames in one transaction.
const FRAMES_MAX: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(frames) => frames,
    None => NonZeroUsize::MIN,
};
/// How often an idle projector looks at the journal's head, lest a hint was lost.
const IDLE: Duration = Duration::from_secs(1);
/// How long it waits before it reads again after the journal did not answer.
const PAUSE: Duration = Duration::from_millis(200);

/// A running projector. Dropping it ends it too; [`Projector::stop`] waits until it has.
#[derive(Debug)]
pub struct Projector {
    reader: ViewReader,
    progress: watch::Receiver<Progress>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Projector {
    /// Starts on an opened view, whatever it holds.
    pub fn start<J: Journal>(journal: Arc<J>, writer: ViewWriter) -> Self {
        let reader = writer.reader();
        let (sequence, state) = (writer.sequence(), NodeState::Starting);
        let (tell, progress) = watch::channel(Progress { sequence, state, fresh_as_of: Instant::now() });
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(Follower { journal, tell, stopping }.run(writer));
        Self { reader, progress, stop, task }
    }

    /// The view's reader.
    pub fn reader(&self) -> ViewReader {
        self.reader.clone()
    }

    /// How far it has come.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Ends it after the batch under way and makes everything durable.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the projector failed");
        }
    }
}

/// The projector's task.
struct Follower<J> {
    journal: Arc<J>,
    tell: watch::Sender<Progress>,
    stopping: watch::Receiver<bool>,
}

impl<J: Journal> Follower<J> {
    async fn run(mut self, writer: ViewWriter) {
        let ended = match self.restore(writer).await {
            Ok(view) => self.follow(view).await,
            Err(fault) => Err(fault),
        };
        match ended {
            Ok(()) => self.tell.send_modify(|progress| progress.state = NodeState::Stopped),
            Err(fault) => {
                let (sequence, why) = (self.tell.borrow().sequence, fault.to_string());
                tracing::error!(
                    sequence,
                    why,
                    "the projector stops: reads are refused until this is resolved"
                );
                let state = NodeState::Quarantined { sequence, why };
                self.tell.send_modify(|progress| progress.state = state);
            }
        }
    }

    /// Finds where the view left off, and that the journal is still the one it was filled from.
    async fn restore(&self, writer: ViewWriter) -> Result<View, Fault> {
        let installation = self.journal.identity().installation;
        let sequence = writer.sequence();
        if sequence == 0 {
            return Ok(View::new(writer, Chains::new(installation)));
        }
        let checkpoint = Checkpoint::decode(writer.checkpoint()).map_err(|_| Fault::Checkpoint)?;
        let end = checkpoint.end;
        let mut chains = match checkpoint.chains(installation) {
            Some(chains) => chains,
            None => self.chains_up_to(sequence).await?,
        };
        if end.sequence != sequence || chains.end() != end {
            return Err(Fault::Checkpoint);
        }
        match self.journal.read_one(sequence).await? {
            Some(stored) => drop(chains.take(&stored)?),
            None => return Err(Fault::Tail { expected: sequence, found: self.journal.head().await? }),
        }
        Ok(View::new(writer, chains))
    }

    /// The chains as they were at a sequence, from the journal's start.
    async fn chains_up_to(&self, sequence: u64) -> Result<Chains, Fault> {
        let mut chains = Chains::new(self.journal.identity().installation);
        while chains.end().sequence < sequence {
            let mut frames = self.journal.read(chains.end().sequence, FRAMES_MAX).await?;
            frames.retain(|stored| stored.sequence <= sequence);
            if frames.is_empty() {
                return Err(Fault::Tail { expected: sequence, found: chains.end().sequence });
            }
            chains = spawn_blocking(move || {
                frames.iter().try_for_each(|stored| chains.take(stored).map(drop)).map(|()| chains)
            })
            .await??;
        }
        Ok(chains)
    }

    /// Follows the journal until it is told to stop, then makes everything durable.
    async fn follow(&mut self, mut view: View) -> Result<(), Fault> {
        let mut moved = self.journal.watch();
        while !self.is_stopping() {
            let observed = Instant::now();
            let head = match self.journal.head().await {
                Ok(head) => head,
                Err(error) => {
                    self.pause(error).await?;
                    continue;
                }
            };
            view = self.reach(view, head).await?;
            if view.sequence() >= head {
                self.tell.send_modify(|progress| {
                    progress.fresh_as_of = observed;
                    progress.state = NodeState::Running;
                });
            }
            if view.is_due() {
                view = blocking(view, View::flush).await?;
            }
            moved.mark_unchanged();
            if *moved.borrow() <= view.sequence() {
                tokio::select! {
                    // Either way the head is looked at again; an error means that no more hints will come.
                    hint = timeout(IDLE, moved.changed()) => if let Ok(Err(_)) = hint { sleep(PAUSE).await },
                    _ = self.stopping.changed() => {}
                }
            }
        }
        blocking(view, View::flush).await.map(drop)
    }

    /// Applies what lies between the view and a head that was seen.
    async fn reach(&mut self, mut view: View, head: u64) -> Result<View, Fault> {
        if head < view.sequence() {
            return Err(Fault::Tail { expected: view.sequence(), found: head });
        }
        let mut waiting = self.read(view.sequence(), head).await?;
        while let Some(last) = waiting.last() {
            // The next frames are read while these are applied.
            let after = last.sequence;
            let applying = blocking(view, move |view| view.apply(&waiting));
            let (applied, read) = tokio::join!(applying, self.read(after, head));
            view = applied?;
            let sequence = view.sequence();
            self.tell.send_modify(|progress| progress.sequence = sequence);
            waiting = read?;
        }
        Ok(view)
    }

    /// The next frames; none if `after` is at `head` already, or the projector is to stop.
    async fn read(&self, after: u64, head: u64) -> Result<Vec<Stored>, Fault> {
        while after < head && !self.is_stopping() {
            match self.journal.read(after, FRAMES_MAX).await {
                Ok(frames) if frames.is_empty() => return Err(Fault::Tail { expected: head, found: after }),
                Ok(mut frames) => {
                    // A read may run ahead of the head that was seen; what lies beyond is for the next turn, or the
                    // head would seem to have gone back.
                    frames.retain(|stored| stored.sequence <= head);
                    return Ok(frames);
                }
                Err(error) => self.pause(error).await?,
            }
        }
        Ok(Vec::new())
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }

    /// A journal that does not answer is asked again; a damaged one is not.
    async fn pause(&self, error: ReadError) -> Result<(), Fault> {
        if matches!(error, ReadError::Damaged { .. }) {
            return Err(error.into());
        }
        tracing::warn!(%error, "the journal does not answer the projector; it asks again");
        sleep(PAUSE).await;
        Ok(())
    }
}

/// Works on the view beside the runtime.
async fn blocking(
    mut view: View,
    work: impl FnOnce(&mut View) -> Result<(), Fault> + Send + 'static,
) -> Result<View, Fault> {
    spawn_blocking(move || work(&mut view).map(|()| view)).await?
}
