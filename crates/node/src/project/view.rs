//! The view under the projector's hands: frames in, checked, and committed. Blocks; runs beside the runtime.

use std::time::Duration;

use grantbook_domain::{position::Position, record::Recorded};
use grantbook_journal::{
    Item, ReadError,
    chain::{ChainError, Chains, ForeignMet, Step},
    follow::doubt::JournalDoubt,
};
use grantbook_views::{Batch, Snapshot, StagedBatch, Stager, ViewError, ViewReader, ViewWriter};
use tokio::time::Instant;

use crate::project::{
    FRAMES_MAX,
    checkpoint::Checkpoint,
    marks::{MARK_EVERY, Marks},
};

/// At most so long are batches committed without being durable: a crash costs the replay of the rest.
const DURABLE_EVERY: Duration = Duration::from_secs(1);

/// A batch with so many bytes is worked out while the one before it is committed.
const MUCH_BYTES: usize = 1 << 20;

/// Whether the batch ended at a limit or at a mark, so that more may be there to read at once.
pub(super) fn is_much(items: &[Item]) -> bool {
    let ends_at_mark = items.last().is_some_and(|last| last.sequence().is_multiple_of(MARK_EVERY));
    ends_at_mark
        || items.len() >= FRAMES_MAX.get()
        || items.iter().map(|item| item.bytes().len()).sum::<usize>() >= MUCH_BYTES
}

/// Why the projector stops. Nothing is skipped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// A frame is missing, of another journal, changed or not understood.
    #[error("{0}")]
    Chain(#[from] ChainError),
    /// The view does not take a batch.
    #[error("{0}")]
    View(#[from] ViewError),
    /// The journal is damaged.
    #[error("{0}")]
    Journal(#[from] ReadError),
    /// The journal is shorter than what was read of it, or says that it is longer than what can be read.
    #[error("the journal ends at sequence {found}, not at {expected}")]
    Tail {
        /// Where it should end.
        expected: u64,
        /// Where it ends.
        found: u64,
    },
    /// The view holds what was lost when an operator went on from an older journal.
    #[error(
        "the view holds records after sequence {kept}, which an operator gave up in a rollback: remove view.redb and start again, and the view is rebuilt"
    )]
    Lost {
        /// The last sequence that was kept.
        kept: u64,
    },
    /// The journal does not hold what the view ended with.
    #[error("{0}")]
    Contradicted(JournalDoubt),
    /// The checkpoint is not of this view.
    #[error("the view's checkpoint is not understood")]
    Checkpoint,
    /// The view's rows are not those that were written.
    #[error("{0}")]
    Damaged(String),
    /// Something else of the process does not believe the journal any more.
    #[error("{0}")]
    Doubted(JournalDoubt),
    /// It was told to stop before it had begun.
    #[error("stopped")]
    Stopped,
    /// The task that applied frames has panicked.
    #[error("the projector's task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl Fault {
    /// What this says against the journal itself. Damage of the view says nothing against it.
    pub(super) fn doubt(&self) -> Option<JournalDoubt> {
        match self {
            Self::Chain(error) => Some(error.clone().into()),
            Self::Journal(error) => JournalDoubt::of_reading(error),
            Self::Tail { expected, found } => Some(JournalDoubt::Shorter { known: *expected, found: *found }),
            Self::Contradicted(doubt) => Some(doubt.clone()),
            Self::Doubted(_)
            | Self::View(_)
            | Self::Checkpoint
            | Self::Lost { .. }
            | Self::Damaged(_)
            | Self::Stopped
            | Self::Task(_) => None,
        }
    }
}

/// What is read from the journal: checked, and worked out, at most one batch ahead of what is committed.
#[derive(Debug)]
pub(super) struct Intake {
    chains: Chains,
    stager: Stager,
    /// Since when something was taken in that no durable batch holds.
    dirty_since: Option<Instant>,
}

/// A batch to be committed.
#[derive(Debug)]
pub(super) struct Prepared {
    staged: StagedBatch,
    durable: bool,
    /// Whether there may be more to read at once.
    full: bool,
    /// The foreign messages up to there.
    foreign: ForeignMet,
}

impl Intake {
    /// The last item that was taken in.
    pub(super) const fn sequence(&self) -> u64 {
        self.chains.end().sequence
    }

    /// Checks the next items, up to one that does not fit, which is returned, and works out what they change, all or nothing.
    pub(super) fn take(&mut self, items: &[Item]) -> Result<(Prepared, Option<ChainError>), Fault> {
        let (mut records, mut misfit) = (Vec::new(), None);
        for item in items {
            let frame = match self.chains.take_item(item) {
                Ok(Step::Next(frame)) => frame,
                // A foreign message changes nothing but where the view stands.
                Ok(Step::Foreign | Step::Repeat) => continue,
                Err(error) => {
                    misfit = Some(error);
                    break;
                }
            };
            let (sequence, org) = (item.sequence(), frame.head.org);
            let placed = (0..).zip(frame.records).map(|(index, record)| Recorded {
                position: Position::of(sequence, index),
                org,
                record,
            });
            records.extend(placed);
        }
        let durable = self.is_due();
        let staged = self.stage(&records, durable)?;
        self.dirty_since = if durable { None } else { self.dirty_since.or_else(|| Some(Instant::now())) };
        let foreign = self.foreign();
        Ok((Prepared { staged, durable, full: is_much(items), foreign }, misfit))
    }

    /// Whether there is something to make durable by now.
    pub(super) fn is_due(&self) -> bool {
        self.dirty_since.is_some_and(|since| since.elapsed() >= DURABLE_EVERY)
    }

    /// What makes everything durable; nothing if everything is.
    fn rest(&mut self) -> Result<Option<Prepared>, Fault> {
        if self.dirty_since.take().is_none() {
            return Ok(None);
        }
        self.settled().map(Some)
    }

    /// Nothing but what makes everything durable.
    fn settled(&mut self) -> Result<Prepared, Fault> {
        let (staged, foreign) = (self.stage(&[], true)?, self.foreign());
        Ok(Prepared { staged, durable: true, full: false, foreign })
    }

    const fn foreign(&self) -> ForeignMet {
        self.chains.end().foreign
    }

    fn stage(&mut self, records: &[Recorded], durable: bool) -> Result<StagedBatch, Fault> {
        let checkpoint = Checkpoint::of(&self.chains, durable).encode().map_err(ViewError::from)?;
        let batch = Batch { records, last_sequence: self.sequence(), checkpoint: &checkpoint };
        Ok(self.stager.stage(&batch)?)
    }
}

/// A view that is being written.
#[derive(Debug)]
pub(super) struct View {
    writer: ViewWriter,
    /// Whether readers have an image, which then changes with every batch. A view that is filled for the first time has
    /// none before it has caught up: until then nobody reads, and building one from all rows costs less than changing it
    /// with every batch.
    published: bool,
    marks: Marks,
    foreign: ForeignMet,
}

impl View {
    /// A view with what takes in its next frames; `chains` stand where the view stands. Builds the image of what it holds.
    pub(super) fn new(writer: ViewWriter, chains: Chains) -> Result<(Self, Intake), Fault> {
        let intake = Intake { chains, stager: writer.stager(), dirty_since: None };
        let marks = Marks::new(writer.sequence(), writer.digest());
        let foreign = intake.foreign();
        let mut view = Self { writer, published: false, marks, foreign };
        if view.sequence() > 0 {
            view.publish()?;
        }
        Ok((view, intake))
    }

    pub(super) fn sequence(&self) -> u64 {
        self.writer.sequence()
    }

    /// What it holds and held.
    pub(super) const fn marks(&self) -> Marks {
        self.marks
    }

    /// The foreign messages up to where it stands.
    pub(super) const fn foreign(&self) -> ForeignMet {
        self.foreign
    }

    /// A handle for reading.
    pub(super) fn reader(&self) -> ViewReader {
        self.writer.reader()
    }

    /// Whether readers have an image.
    pub(super) const fn is_published(&self) -> bool {
        self.published
    }

    /// Commits durably, with the ends of all chains beside the rows, and gives the view as of then. Everything that was
    /// taken in is committed already.
    pub(super) fn settled(&mut self, intake: &mut Intake) -> Result<Snapshot, Fault> {
        let rest = intake.settled()?;
        intake.dirty_since = None;
        self.commit(rest)?;
        Ok(self.writer.reader().snapshot()?)
    }

    /// Commits a batch; batches come in the order in which they were taken in.
    pub(super) fn commit(&mut self, batch: Prepared) -> Result<(), Fault> {
        self.writer.commit(batch.staged, batch.durable)?;
        self.foreign = batch.foreign;
        self.marks.note(self.writer.sequence(), self.writer.digest());
        if self.published || !batch.full { self.publish() } else { Ok(()) }
    }

    /// Makes everything durable.
    pub(super) fn flush(&mut self, intake: &mut Intake) -> Result<(), Fault> {
        match intake.rest()? {
            Some(rest) => self.commit(rest),
            None => Ok(()),
        }
    }

    /// Gives readers an image of what it holds.
    pub(super) fn publish(&mut self) -> Result<(), Fault> {
        if !self.published {
            self.writer.keep_image()?;
            self.published = true;
        }
        self.writer.publish_image();
        Ok(())
    }
}
