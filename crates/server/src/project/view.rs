//! The view under the projector's hands: frames in, checked, and committed. Blocks; runs beside the runtime.

use std::time::Duration;

use grantbook_domain::{position::Position, record::Recorded};
use grantbook_journal::{
    ReadError, Stored,
    chain::{ChainError, Chains, Step},
};
use grantbook_views::{Batch, ViewError, ViewWriter};
use tokio::time::Instant;

use super::{FRAMES_MAX, checkpoint::Checkpoint};

/// At most so long are batches committed without being durable: a crash costs the replay of the rest.
const DURABLE_EVERY: Duration = Duration::from_secs(1);

/// Why the projector stops. Nothing is skipped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// A frame is missing, foreign, changed or not understood.
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
    /// The checkpoint is not of this view.
    #[error("the view's checkpoint is not understood")]
    Checkpoint,
    /// It was told to stop before it had begun.
    #[error("stopped")]
    Stopped,
    /// The task that applied frames has panicked.
    #[error("the projector's task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// A view that is being written.
#[derive(Debug)]
pub(super) struct View {
    writer: ViewWriter,
    chains: Chains,
    /// Since when something is committed that is not durable.
    dirty_since: Option<Instant>,
    /// Whether readers have an image, which then changes with every batch. A view that is filled for the first time has
    /// none before it has caught up: until then nobody reads, and no batch need leave the image before it whole.
    published: bool,
}

impl View {
    /// `chains` stand where the view stands. Builds the image of what the view holds.
    pub(super) fn new(mut writer: ViewWriter, chains: Chains) -> Result<Self, Fault> {
        writer.keep_image()?;
        let published = writer.sequence() > 0;
        if published {
            writer.publish_image();
        }
        Ok(Self { writer, chains, dirty_since: None, published })
    }

    pub(super) const fn sequence(&self) -> u64 {
        self.chains.end().sequence
    }

    /// Applies the next frames, up to one that does not fit, which is told.
    pub(super) fn apply(&mut self, frames: &[Stored]) -> Result<Option<ChainError>, Fault> {
        let (mut records, mut misfit) = (Vec::new(), None);
        for stored in frames {
            let frame = match self.chains.take(stored) {
                Ok(Step::Next(frame)) => frame,
                Ok(Step::Repeat) => continue,
                Err(error) => {
                    misfit = Some(error);
                    break;
                }
            };
            let placed = (0..).zip(frame.records).map(|(index, record)| Recorded {
                position: Position::of(stored.sequence, index),
                org: stored.org,
                record,
            });
            records.extend(placed);
        }
        self.commit(&records, self.is_due())?;
        self.published = self.published || frames.len() < FRAMES_MAX.get();
        if self.published {
            self.writer.publish_image();
        }
        Ok(misfit)
    }

    /// Whether there is something to make durable by now.
    pub(super) fn is_due(&self) -> bool {
        self.dirty_since.is_some_and(|since| since.elapsed() >= DURABLE_EVERY)
    }

    /// Makes everything durable.
    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        if self.dirty_since.is_some() { self.commit(&[], true) } else { Ok(()) }
    }

    fn commit(&mut self, records: &[Recorded], durable: bool) -> Result<(), Fault> {
        let checkpoint = Checkpoint::of(&self.chains, durable).encode().map_err(ViewError::from)?;
        let batch = Batch { records, last_sequence: self.sequence(), checkpoint: &checkpoint };
        self.writer.apply(&batch, durable)?;
        self.dirty_since = if durable { None } else { self.dirty_since.or_else(|| Some(Instant::now())) };
        Ok(())
    }
}
