//! The projector: follows the journal and keeps the view. What it does not understand it does not skip: it stops,
//! says so, and reads refuse.

mod checkpoint;
mod progress;
mod view;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use grantbook_journal::{
    Journal, ReadError, Stored, Tail,
    chain::{ChainError, Chains},
};
use grantbook_views::{ViewReader, ViewWriter};
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep},
};

pub use progress::{NodeState, Progress};

use self::{
    checkpoint::Checkpoint,
    view::{Fault, View},
};
use crate::pulse::{Broken, Heard, Pulse};

/// Most frames in one transaction.
const FRAMES_MAX: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(frames) => frames,
    None => NonZeroUsize::MIN,
};
/// How long it waits for a frame before it looks around.
const IDLE: Duration = Duration::from_secs(1);
/// How long it waits before it reads again after the journal did not answer.
const PAUSE: Duration = Duration::from_millis(200);
/// How often an outage is told of.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// A journal that gives nothing for so long, although more was read of it before, has lost its tail.
const REREAD_PATIENCE: Duration = Duration::from_secs(30);

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
        let fresh_as_of = Instant::now();
        let beginning = Progress { sequence, head: sequence, state, fresh_as_of, heard_at: None };
        let (tell, progress) = watch::channel(beginning);
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(Follower { journal, tell, stopping, told: None }.run(writer));
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
    /// When an outage was last told of.
    told: Option<Instant>,
}

impl<J: Journal> Follower<J> {
    async fn run(mut self, writer: ViewWriter) {
        let ended = match self.restore(writer).await {
            Ok(view) => self.follow(view).await,
            Err(fault) => Err(fault),
        };
        match ended {
            Ok(()) | Err(Fault::Stopped) => {
                self.tell.send_modify(|progress| progress.state = NodeState::Stopped);
            }
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
    async fn restore(&mut self, writer: ViewWriter) -> Result<View, Fault> {
        let installation = self.journal.identity().installation;
        let sequence = writer.sequence();
        if sequence == 0 {
            return with_image(writer, Chains::new(installation)).await;
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
        match self.last_read(sequence).await? {
            Some(stored) => drop(chains.take(&stored)?),
            None => return Err(Fault::Tail { expected: sequence, found: self.journal.head().await? }),
        }
        with_image(writer, chains).await
    }

    /// The frame that the view ended with, however long the journal takes to answer.
    async fn last_read(&mut self, sequence: u64) -> Result<Option<Stored>, Fault> {
        loop {
            match self.journal.read_one(sequence).await {
                Ok(stored) => return Ok(stored),
                Err(error) => self.pause(error).await?,
            }
            if self.is_stopping() {
                return Err(Fault::Stopped);
            }
        }
    }

    /// The chains as they were at a sequence, from the journal's start.
    async fn chains_up_to(&self, sequence: u64) -> Result<Chains, Fault> {
        let mut chains = Chains::new(self.journal.identity().installation);
        let mut tail = self.journal.tail(0);
        while chains.end().sequence < sequence {
            let mut frames = tail.next(FRAMES_MAX, REREAD_PATIENCE).await?;
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
    async fn follow(&mut self, view: View) -> Result<(), Fault> {
        let (seen, known) = watch::channel(view.sequence());
        let pulse = Pulse::start(Arc::clone(&self.journal), known);
        let ended = self.follow_with(view, &seen, pulse.heard()).await;
        pulse.stop().await;
        ended
    }

    async fn follow_with(
        &mut self,
        mut view: View,
        seen: &watch::Sender<u64>,
        mut heard: watch::Receiver<Heard>,
    ) -> Result<(), Fault> {
        let mut tail = self.journal.tail(view.sequence());
        while !self.is_stopping() {
            // Dropping the question loses no frame.
            let asked = tokio::select! {
                frames = tail.next(FRAMES_MAX, IDLE) => frames,
                _ = heard.changed() => Ok(Vec::new()),
                _ = self.stopping.changed() => break,
            };
            let mut waiting = self.read(asked).await?;
            while !waiting.is_empty() && !self.is_stopping() {
                // The next frames are read while these are applied.
                let applying = blocking(view, move |view| view.apply(&waiting));
                let (applied, read) = tokio::join!(applying, tail.next(FRAMES_MAX, Duration::ZERO));
                let (applied, misfit) = applied?;
                view = applied;
                waiting = match misfit {
                    None => self.read(read).await?,
                    Some(misfit) => {
                        view = self.settle(view, misfit).await?;
                        tail = self.journal.tail(view.sequence());
                        Vec::new()
                    }
                };
                let sequence = view.sequence();
                seen.send_replace(sequence);
                self.tell.send_modify(|progress| progress.sequence = sequence);
            }
            self.judge(view.sequence(), &heard.borrow_and_update().clone())?;
            if view.is_due() {
                view = blocking(view, View::flush).await?.0;
            }
        }
        blocking(view, View::flush).await.map(drop)
    }

    /// The next frame as it came does not fit. A store that keeps several copies may have one that does: no frame is
    /// taken that does not.
    async fn settle(&mut self, view: View, misfit: ChainError) -> Result<View, Fault> {
        let next = view.sequence().saturating_add(1);
        tracing::warn!(sequence = next, %misfit, "a frame does not fit: the journal's other copies are asked for");
        let copies = loop {
            match self.journal.copies(next).await {
                Ok(copies) => break copies,
                Err(error) => self.pause(error).await?,
            }
            if self.is_stopping() {
                return Err(Fault::Stopped);
            }
        };
        let mut view = view;
        for copy in copies {
            let (tried, misfit) = blocking(view, move |view| view.apply(&[copy])).await?;
            view = tried;
            if misfit.is_none() && view.sequence() == next {
                return Ok(view);
            }
        }
        Err(misfit.into())
    }

    /// What the journal's pulse says about a view that has come so far.
    fn judge(&self, sequence: u64, heard: &Heard) -> Result<(), Fault> {
        match &heard.broken {
            Some(Broken::Shorter { expected, found }) => {
                return Err(Fault::Tail { expected: *expected, found: *found });
            }
            Some(Broken::Unreadable(error)) => return Err(error.clone().into()),
            None => {}
        }
        self.tell.send_if_modified(|progress| {
            let last = heard.head.max(sequence);
            let is_fresh = heard.ever && sequence >= heard.head;
            let is_news =
                is_fresh && (progress.fresh_as_of != heard.at || progress.state != NodeState::Running);
            if is_news {
                (progress.fresh_as_of, progress.state) = (heard.at, NodeState::Running);
            }
            let moved = progress.head != last;
            progress.head = last;
            progress.heard_at = heard.ever.then_some(heard.at);
            is_news || moved
        });
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }

    /// What was read, or nothing after a pause if the journal does not answer.
    async fn read(&mut self, read: Result<Vec<Stored>, ReadError>) -> Result<Vec<Stored>, Fault> {
        match read {
            Ok(frames) => {
                if !frames.is_empty() {
                    self.told = None;
                }
                Ok(frames)
            }
            Err(error) => self.pause(error).await.map(|()| Vec::new()),
        }
    }

    /// A journal that does not answer is asked again; a damaged one is not.
    async fn pause(&mut self, error: ReadError) -> Result<(), Fault> {
        if !matches!(error, ReadError::Unavailable(_)) {
            return Err(error.into());
        }
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            tracing::warn!(%error, "the journal does not answer the projector; it asks again");
            self.told = Some(Instant::now());
        }
        sleep(PAUSE).await;
        Ok(())
    }
}

/// The view with its image, which takes a while to build from many rows.
async fn with_image(writer: ViewWriter, chains: Chains) -> Result<View, Fault> {
    spawn_blocking(move || View::new(writer, chains)).await?
}

/// Works on the view beside the runtime.
async fn blocking<T: Send + 'static>(
    mut view: View,
    work: impl FnOnce(&mut View) -> Result<T, Fault> + Send + 'static,
) -> Result<(View, T), Fault> {
    spawn_blocking(move || work(&mut view).map(|done| (view, done))).await?
}
