//! Copying a journal, with every item at its sequence: between a file and NATS, either way, or by way of a text.

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

/// Most items under way at once.
const FRAMES: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(frames) => frames,
    None => NonZeroUsize::MIN,
};
/// A journal that gives nothing for so long, although its head lies further, is not copied.
const TIMEOUT: Duration = Duration::from_secs(30);
/// So often what was appended meanwhile is copied too.
const ATTEMPTS: usize = 5;

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
    /// An item did not land where it belongs.
    #[error("sequence {sequence} was not copied: {fault}")]
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
    for _ in 0..ATTEMPTS {
        while chains.end().sequence < head {
            let items = tail.next(FRAMES, TIMEOUT).await?;
            if items.is_empty() {
                return Err(ReadError::Damaged { sequence: chains.end().sequence.saturating_add(1) }.into());
            }
            for item in &items {
                chains.take_item(item)?;
            }
            target.take(&items).await?;
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

/// That both hold the very same items. What a foreign message says is compared as it is copied.
async fn prove<J: Journal>(source: &J, target: &Target) -> Result<Report, TransferError> {
    let one = verify(source, |_, _| {}).await?;
    let other = target.verify().await?;
    for report in [&one, &other] {
        if let Some(violation) = report.violations.first() {
            return Err(TransferError::Append { sequence: violation.sequence, fault: violation.why.clone() });
        }
    }
    // An organization's hash covers all of its frames, and the sequences say how they lie among the others'.
    let ends = |report: &Report| (report.head, report.frames, report.records, report.foreign);
    if ends(&one) != ends(&other)
        || one.organizations != other.organizations
        || one.foreign_listed != other.foreign_listed
    {
        return Err(TransferError::Differ { sequence: one.head.min(other.head) });
    }
    Ok(other)
}
