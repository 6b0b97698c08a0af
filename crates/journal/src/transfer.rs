//! Copying a journal, with every frame at its sequence: between a file and NATS, either way, or by way of a text.

mod target;
mod text;

use std::{num::NonZeroUsize, time::Duration};

use crate::{
    Journal, ReadError, Tail,
    chain::{ChainError, Chains},
    embedded::EmbeddedError,
    jetstream::JetStreamError,
    verify::{Report, verify},
};

pub use target::Target;
pub use text::{export, import};

/// Most frames under way at once.
const FRAMES: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(frames) => frames,
    None => NonZeroUsize::MIN,
};
/// A journal that gives nothing for so long, although its head lies further, is not copied.
const PATIENCE: Duration = Duration::from_secs(30);
/// So often what was appended meanwhile is copied too.
const ROUNDS: usize = 5;

/// Why a journal was not copied. The target is not opened by any service then.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A journal does not answer.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// The source is broken.
    #[error("the journal to be copied is broken: {0}")]
    Chain(#[from] ChainError),
    /// The target is a file that cannot be used.
    #[error("{0}")]
    Embedded(#[from] EmbeddedError),
    /// The target is a stream that cannot be used.
    #[error("{0}")]
    JetStream(#[from] JetStreamError),
    /// Source or target is a file that cannot be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A frame did not land where it belongs.
    #[error("the frame of sequence {sequence} was not copied: {fault}")]
    Append {
        /// Which.
        sequence: u64,
        /// Why.
        fault: String,
    },
    /// The two journals are not the same.
    #[error("source and target differ at sequence {sequence}")]
    Differ {
        /// Where.
        sequence: u64,
    },
    /// The source grows faster than it is copied.
    #[error("the journal is being written to: stop its command services first")]
    Moving,
    /// The text is not an export, or not a whole one.
    #[error("line {line}: {fault}")]
    Text {
        /// Where.
        line: u64,
        /// What is wrong.
        fault: String,
    },
}

/// Copies the whole journal, and proves at the end that both are the same, by reading both. `progress` gets the last
/// sequence and the head.
pub async fn copy<J: Journal>(
    source: &J,
    mut target: Target,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Report, TransferError> {
    let mut chains = Chains::new(source.identity().installation);
    let mut tail = source.tail(0);
    let mut head = source.head().await?;
    for _ in 0..ROUNDS {
        while chains.end().sequence < head {
            let frames = tail.next(FRAMES, PATIENCE).await?;
            if frames.is_empty() {
                return Err(ReadError::Damaged { sequence: chains.end().sequence.saturating_add(1) }.into());
            }
            for stored in &frames {
                chains.take(stored)?;
            }
            target.take(&frames).await?;
            progress(chains.end().sequence, head);
        }
        let now = source.head().await?;
        if now == head {
            let report = prove(source, &target).await?;
            target.finish().await?;
            return Ok(report);
        }
        head = now;
    }
    Err(TransferError::Moving)
}

/// That both hold the very same frames.
async fn prove<J: Journal>(source: &J, target: &Target) -> Result<Report, TransferError> {
    let one = verify(source, |_, _| {}).await?;
    let other = target.verify().await?;
    for report in [&one, &other] {
        if let Some(violation) = report.violations.first() {
            return Err(TransferError::Append { sequence: violation.sequence, fault: violation.why.clone() });
        }
    }
    // An organization's hash covers all of its frames, and the sequences say how they lie among the others'.
    if (one.frames, one.records, &one.organizations) != (other.frames, other.records, &other.organizations) {
        return Err(TransferError::Differ { sequence: one.frames.min(other.frames) });
    }
    Ok(other)
}
