//! The projector: follows the journal and keeps the view. What it does not understand it does not skip: it stops,
//! says so, and reads refuse.

pub(crate) mod catching_up;
mod checkpoint;
mod marks;
mod progress;
mod scrub;
mod view;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use grantbook_journal::{
    Item, Journal, ReadError, Tail,
    chain::{ChainError, Chains, ForeignMet},
    follow::{
        doubt::{Comparison, Doubts},
        head_watch::{HeadSeen, HeadWatch, JournalFault},
        known_head::{KnownHead, SeenEnd, Verdict, compare},
        other_copies::other_copies,
    },
    log_throttle::LogThrottle,
};
use grantbook_views::{Snapshot, ViewReader, ViewWriter};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep},
};

pub(crate) use checkpoint::Checkpoint;
pub use marks::{MARK_EVERY, Mark, Marks};
pub use progress::{NodeState, Progress};
pub use scrub::SCRUB_EVERY;

use self::{
    scrub::Scrubber,
    view::{Fault, Intake, Prepared, View, is_much},
};
use crate::maintenance::JobStats;

/// Most frames in one transaction.
const FRAMES_MAX: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(frames) => frames,
    None => NonZeroUsize::MIN,
};
/// How long it waits for a frame before it looks around.
const IDLE: Duration = Duration::from_secs(1);
/// How long it waits before it reads again after the journal did not answer.
const BACKOFF: Duration = Duration::from_millis(200);
/// A journal that gives nothing for so long, although more was read of it before, has lost its tail.
const REREAD_TIMEOUT: Duration = Duration::from_secs(30);

/// A running projector. Dropping it ends it too; [`Projector::stop`] waits until it has.
#[derive(Debug)]
pub struct Projector {
    reader: ViewReader,
    progress: watch::Receiver<Progress>,
    stop: watch::Sender<bool>,
    settle: Settle,
    scrubs: JobStats,
    task: JoinHandle<()>,
}

/// Asks a projector for its view with everything that it knows of the chains beside it; clone it freely.
#[derive(Debug, Clone)]
pub struct Settle(mpsc::Sender<oneshot::Sender<Snapshot>>);

impl Settle {
    /// The view as of the batch under way, made durable; none if the projector has ended.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        let (answer, snapshot) = oneshot::channel();
        self.0.send(answer).await.ok()?;
        snapshot.await.ok()
    }
}

impl Projector {
    /// Starts on an opened view, whatever it holds.
    pub fn start<J: Journal>(journal: Arc<J>, writer: ViewWriter) -> Self {
        Self::start_with(journal, writer, SCRUB_EVERY)
    }

    /// Starts on an opened view, which is then read whole and compared with its digest every so often.
    pub fn start_with<J: Journal>(journal: Arc<J>, writer: ViewWriter, scrub_every: Duration) -> Self {
        Self::start_doubting(journal, writer, scrub_every, Doubts::default())
    }

    /// The same, of a process that has these doubts: what the view says against the journal is one of them, and any of them
    /// ends the projector.
    pub fn start_doubting<J: Journal>(
        journal: Arc<J>,
        writer: ViewWriter,
        scrub_every: Duration,
        doubts: Doubts,
    ) -> Self {
        let reader = writer.reader();
        let (sequence, state) = (writer.sequence(), NodeState::Starting);
        let (marks, fresh_as_of) = (Marks::new(sequence, writer.digest()), Instant::now());
        let foreign = ForeignMet::default();
        let beginning =
            Progress { sequence, head: sequence, state, fresh_as_of, foreign, heard_at: None, marks };
        let (tell, progress) = watch::channel(beginning);
        let (stop, stopping) = watch::channel(false);
        let (settle, asked) = mpsc::channel(1);
        let (settle, scrubs) = (Settle(settle), JobStats::default());
        let scrub = (scrub_every, scrubs.clone());
        let comparison = Some(doubts.comparing());
        let doubting = (doubts, comparison);
        let (outage, asks) = (LogThrottle::default(), settle.clone());
        let follower = Follower { journal, tell, stopping, outage, scrub, asked, doubting, _asks: asks };
        let task = tokio::spawn(follower.run(writer));
        Self { reader, progress, stop, settle, scrubs, task }
    }

    /// What asks for settled snapshots of the view.
    pub fn settle(&self) -> Settle {
        self.settle.clone()
    }

    /// How often the view was read whole.
    pub fn scrubs(&self) -> JobStats {
        self.scrubs.clone()
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
    outage: LogThrottle,
    /// How often the view is read whole, and how often it was.
    scrub: (Duration, JobStats),
    /// Who wants the view settled.
    asked: mpsc::Receiver<oneshot::Sender<Snapshot>>,
    /// Whether the journal is believed; and the comparison of the view with it, while that is under way.
    doubting: (Doubts, Option<Comparison>),
    /// Keeps the queue open.
    _asks: Settle,
}

impl<J: Journal> Follower<J> {
    async fn run(mut self, writer: ViewWriter) {
        let ended = match self.restore(writer).await {
            Ok((view, intake)) => self.follow(view, intake).await,
            Err(fault) => Err(fault),
        };
        if let Some(doubt) = ended.as_ref().err().and_then(Fault::doubt) {
            self.doubting.0.raise(doubt);
        }
        self.doubting.1 = None;
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
    async fn restore(&mut self, writer: ViewWriter) -> Result<(View, Intake), Fault> {
        self.expect_belief()?;
        let installation = self.journal.identity().installation;
        let sequence = writer.sequence();
        if sequence == 0 {
            self.doubting.1 = None;
            return with_image(writer, Chains::new(installation)).await;
        }
        let checkpoint = Checkpoint::decode(writer.checkpoint()).map_err(|_| Fault::Checkpoint)?;
        let end = checkpoint.end;
        let chains = match checkpoint.chains(installation) {
            Some(chains) => chains,
            None => self.chains_up_to(sequence).await?,
        };
        if end.sequence != sequence || chains.end() != end {
            return Err(Fault::Checkpoint);
        }
        self.expect_held(SeenEnd { sequence, hash: end.hash }).await?;
        // The view says nothing against the journal. What follows takes as long as there are rows.
        self.doubting.1 = None;
        with_image(writer, chains).await
    }

    /// That the journal holds what the view ended with, however long it takes to answer.
    async fn expect_held(&mut self, end: SeenEnd) -> Result<(), Fault> {
        let seen = KnownHead::new(self.journal.identity(), end);
        loop {
            let verdict = tokio::select! {
                verdict = compare(self.journal.as_ref(), &seen) => verdict,
                _ = self.stopping.wait_for(|stopping| *stopping) => return Err(Fault::Stopped),
            };
            match verdict {
                Ok(Verdict::Holds) => return Ok(()),
                Ok(Verdict::GivenUp(burned)) => return Err(Fault::Lost { kept: burned.kept }),
                Ok(Verdict::Doubt(doubt)) => return Err(Fault::Contradicted(doubt)),
                Err(error) => self.pause(error).await?,
            }
        }
    }

    /// The chains as they were at a sequence, from the journal's start.
    async fn chains_up_to(&self, sequence: u64) -> Result<Chains, Fault> {
        let mut chains = Chains::new(self.journal.identity().installation);
        let mut tail = self.journal.tail(0);
        while chains.end().sequence < sequence {
            let mut frames = tail.next(FRAMES_MAX, REREAD_TIMEOUT).await?;
            frames.retain(|item| item.sequence() <= sequence);
            if frames.is_empty() {
                return Err(Fault::Tail { expected: sequence, found: chains.end().sequence });
            }
            chains = spawn_blocking(move || {
                frames.iter().try_for_each(|item| chains.take_item(item).map(drop)).map(|()| chains)
            })
            .await??;
        }
        Ok(chains)
    }

    /// Follows the journal until it is told to stop, then makes everything durable.
    async fn follow(&mut self, view: View, intake: Intake) -> Result<(), Fault> {
        let (seen, known) = watch::channel(view.sequence());
        let pulse = HeadWatch::start(Arc::clone(&self.journal), known);
        let scrubber = Scrubber::start(view.reader(), self.scrub.0, self.scrub.1.clone());
        let ended = self.follow_with((view, intake), &seen, pulse.heard(), scrubber.damage()).await;
        scrubber.stop().await;
        pulse.stop().await;
        ended
    }

    async fn follow_with(
        &mut self,
        (mut view, mut intake): (View, Intake),
        seen: &watch::Sender<u64>,
        mut heard: watch::Receiver<HeadSeen>,
        mut damage: watch::Receiver<Option<String>>,
    ) -> Result<(), Fault> {
        let mut tail = self.journal.tail(view.sequence());
        self.show(&view);
        while !self.is_stopping() {
            // Dropping the question loses no frame.
            let mut asker = None;
            let read = tokio::select! {
                frames = tail.next(room_behind(view.sequence()), IDLE) => frames,
                _ = heard.changed() => Ok(Vec::new()),
                _ = damage.changed() => Ok(Vec::new()),
                found = self.asked.recv() => { asker = found; Ok(Vec::new()) }
                () = self.doubting.0.raised() => Ok(Vec::new()),
                _ = self.stopping.changed() => break,
            };
            (view, intake) = self.settle(view, intake, asker).await?;
            let mut waiting = self.read(read).await?;
            let mut prepared = None;
            while prepared.is_some() || !waiting.is_empty() && !self.is_stopping() {
                // Read on meanwhile.
                let room = room_behind(waiting.last().map_or(intake.sequence(), Item::sequence));
                let turn = turn(view, intake, (prepared, waiting));
                let (turned, read) = tokio::join!(turn, tail.next(room, Duration::ZERO));
                let misfit;
                (view, intake, (prepared, misfit)) = turned?;
                let read = match misfit {
                    None => read,
                    Some(misfit) => {
                        (view, intake) = self.mend(view, intake, (prepared.take(), misfit)).await?;
                        tail = self.journal.tail(view.sequence());
                        Ok(Vec::new())
                    }
                };
                seen.send_replace(view.sequence());
                self.show(&view);
                let news = heard.borrow().clone();
                self.tell.send_modify(|progress| {
                    // Filling a view takes long: where the journal ends is told meanwhile.
                    progress.head = progress.head.max(news.head);
                    progress.heard_at = news.ever.then_some(news.at);
                });
                if prepared.is_none() {
                    let asker = self.asked.try_recv().ok();
                    (view, intake) = self.settle(view, intake, asker).await?;
                }
                if damage.borrow().is_some() || self.doubting.0.get().is_some() {
                    break;
                }
                waiting = self.read(read).await?;
            }
            self.expect_belief()?;
            if let Some(why) = damage.borrow().clone() {
                return Err(Fault::Damaged(why));
            }
            let news = heard.borrow_and_update().clone();
            if !view.is_published() && news.ever && view.sequence() >= news.head {
                // Before anybody is told that it may be read.
                view = published(view).await?;
            }
            self.judge(view.sequence(), &news)?;
            if intake.is_due() {
                (view, intake) = flushed(view, intake).await?;
            }
        }
        flushed(view, intake).await.map(drop)
    }

    /// Tells how far the view has come.
    fn show(&self, view: &View) {
        let (sequence, marks, foreign) = (view.sequence(), view.marks(), view.foreign());
        self.tell.send_modify(|progress| {
            (progress.sequence, progress.marks, progress.foreign) = (sequence, marks, foreign);
        });
    }

    /// The next frame as it came does not fit. A store that keeps several copies may have one that does: no frame is
    /// taken that does not. What was worked out before it is committed first.
    async fn mend(
        &mut self,
        mut view: View,
        mut intake: Intake,
        (prepared, misfit): (Option<Prepared>, ChainError),
    ) -> Result<(View, Intake), Fault> {
        if let Some(batch) = prepared {
            view = spawn_blocking(move || view.commit(batch).map(|()| view)).await??;
        }
        // If none fits, it is told how far it has come.
        self.show(&view);
        let next = view.sequence().saturating_add(1);
        let copies = tokio::select! {
            copies = other_copies(self.journal.as_ref(), next, &misfit) => copies?,
            _ = self.stopping.changed() => return Err(Fault::Stopped),
        };
        for copy in copies {
            let (tried, taken, (_, misfit)) = turn(view, intake, (None, vec![copy])).await?;
            (view, intake) = (tried, taken);
            if misfit.is_none() && view.sequence() == next {
                return Ok((view, intake));
            }
        }
        Err(misfit.into())
    }

    /// What the journal's pulse says about a view that has come so far.
    fn judge(&self, sequence: u64, heard: &HeadSeen) -> Result<(), Fault> {
        match &heard.broken {
            Some(JournalFault::Shorter { expected, found }) => {
                return Err(Fault::Tail { expected: *expected, found: *found });
            }
            Some(JournalFault::Unreadable(error)) => return Err(error.clone().into()),
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

    /// Answers a request for the view.
    async fn settle(
        &self,
        mut view: View,
        mut intake: Intake,
        asker: Option<oneshot::Sender<Snapshot>>,
    ) -> Result<(View, Intake), Fault> {
        let Some(asker) = asker else { return Ok((view, intake)) };
        spawn_blocking(move || {
            // Nobody may wait for it any more.
            drop(asker.send(view.settled(&mut intake)?));
            Ok((view, intake))
        })
        .await?
    }

    /// Nothing of a journal that is doubted is shown to anybody.
    fn expect_belief(&self) -> Result<(), Fault> {
        self.doubting.0.get().map_or(Ok(()), |doubt| Err(Fault::Doubted(doubt)))
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }

    /// What was read, or nothing after a pause if the journal does not answer.
    async fn read(&mut self, read: Result<Vec<Item>, ReadError>) -> Result<Vec<Item>, Fault> {
        match read {
            Ok(frames) => {
                if !frames.is_empty() {
                    self.outage.reset();
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
        if self.outage.is_due() {
            tracing::warn!(%error, "the journal does not answer the projector; it asks again");
        }
        sleep(BACKOFF).await;
        Ok(())
    }
}

/// How many frames to read behind a sequence: up to where a batch ends.
fn room_behind(sequence: u64) -> NonZeroUsize {
    let room = usize::try_from(MARK_EVERY - sequence % MARK_EVERY).ok().and_then(NonZeroUsize::new);
    room.map_or(FRAMES_MAX, |room| room.min(FRAMES_MAX))
}

/// The view with its image, which takes a while to build from many rows.
async fn with_image(writer: ViewWriter, chains: Chains) -> Result<(View, Intake), Fault> {
    spawn_blocking(move || View::new(writer, chains)).await?
}

/// What was worked out and is to be committed, and the frame behind it that does not fit, if one does not.
type Taken = (Option<Prepared>, Option<ChainError>);

/// Commits what was prepared and prepares what was read, beside the runtime: at the same time if there is much to do,
/// and in one go if there is little, so that a single frame is not handed on twice.
async fn turn(
    mut view: View,
    mut intake: Intake,
    (prepared, waiting): (Option<Prepared>, Vec<Item>),
) -> Result<(View, Intake, Taken), Fault> {
    if prepared.is_none() && !is_much(&waiting) {
        return spawn_blocking(move || {
            let (batch, misfit) = intake.take(&waiting)?;
            view.commit(batch)?;
            Ok((view, intake, (None, misfit)))
        })
        .await?;
    }
    let committing =
        spawn_blocking(move || prepared.map_or(Ok(()), |batch| view.commit(batch)).map(|()| view));
    let preparing = spawn_blocking(move || {
        let taken = if waiting.is_empty() {
            (None, None)
        } else {
            let (batch, misfit) = intake.take(&waiting)?;
            (Some(batch), misfit)
        };
        Ok::<_, Fault>((intake, taken))
    });
    let (committed, prepared) = tokio::join!(committing, preparing);
    let (view, (intake, taken)) = (committed??, prepared??);
    Ok((view, intake, taken))
}

/// The view, of which readers now have an image.
async fn published(mut view: View) -> Result<View, Fault> {
    spawn_blocking(move || view.publish().map(|()| view)).await?
}

async fn flushed(mut view: View, mut intake: Intake) -> Result<(View, Intake), Fault> {
    spawn_blocking(move || view.flush(&mut intake).map(|()| (view, intake))).await?
}
