//! Whether the journal must not be believed: what it holds contradicts what this process, or an earlier one with the same
//! data directory, saw of it. One doubt stops both sides of the process: no writes, no answers.

use crate::{ReadError, chain::ChainError, follow::head_watch::JournalFault};
use grantbook_domain::id::InstallationId;
use tokio::sync::watch;

/// What to do about a journal that is older than what is known of it.
const GO_ON: &str = "stop this process; put the newer journal back, or give up what was lost with `grantbook journal accept-rollback --reason TEXT`";

/// Why the journal must not be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalDoubt {
    /// It ends before what was seen of it.
    #[error(
        "the journal ends at sequence {found}, not at {known}, which was seen here: an older copy is in its place, or it lost its end; {}",
        GO_ON
    )]
    Shorter {
        /// The last sequence that was seen.
        known: u64,
        /// Where it ends.
        found: u64,
    },
    /// Another frame stands where one was seen.
    #[error(
        "the journal holds another frame at sequence {sequence} than was seen here: an older copy in its place was written to; {}",
        GO_ON
    )]
    Exchanged {
        /// Where.
        sequence: u64,
    },
    /// Another journal.
    #[error(
        "the journal is of installation {found}, but this data directory saw that of installation {known}: give each journal its own --data, or remove {file} from this one"
    )]
    OtherJournal {
        /// Which journal was seen.
        known: InstallationId,
        /// Which is there.
        found: InstallationId,
        /// The file that says so.
        file: &'static str,
    },
    /// It goes on without records that were seen.
    #[error(
        "an operator went on from sequence {kept} without what was seen here behind it: start this process again, without its view.redb if that holds it"
    )]
    Lost {
        /// The last sequence that was kept.
        kept: u64,
    },
    /// A frame is missing, changed, or does not continue the ones before it.
    #[error("the journal's chain is broken: {0}; run `grantbook journal verify`, and restore a backup")]
    Broken(ChainError),
    /// The store has lost what it held, or holds something else now.
    #[error("{0}; run `grantbook doctor` and `grantbook journal verify`")]
    Unreadable(String),
}

impl JournalDoubt {
    /// What a failure to read says against the journal: nothing if it merely does not answer.
    pub fn of_reading(error: &ReadError) -> Option<Self> {
        match error {
            ReadError::Unavailable(_) => None,
            ReadError::Damaged { .. } | ReadError::DamagedFile { .. } | ReadError::Replaced(_) => {
                Some(Self::Unreadable(error.to_string()))
            }
        }
    }
}

impl From<ChainError> for JournalDoubt {
    fn from(error: ChainError) -> Self {
        if let ChainError::Lost { kept, .. } = error { Self::Lost { kept } } else { Self::Broken(error) }
    }
}

impl From<JournalFault> for JournalDoubt {
    fn from(broken: JournalFault) -> Self {
        match broken {
            JournalFault::Unreadable(error) => Self::Unreadable(error.to_string()),
            JournalFault::Shorter { expected: known, found } => Self::Shorter { known, found },
        }
    }
}

/// The doubts of one process; clones share them. The first doubt stays until the process ends.
#[derive(Debug, Clone, Default)]
pub struct Doubts(watch::Sender<Standing>);

#[derive(Debug, Default)]
struct Standing {
    /// How many comparisons are under way.
    comparisons: usize,
    doubt: Option<JournalDoubt>,
}

/// A comparison of the journal with what is known of it; it is over when this is dropped.
#[derive(Debug)]
pub struct Comparison(Doubts);

impl Doubts {
    /// Raises a doubt. The first one counts.
    pub fn raise(&self, doubt: JournalDoubt) {
        let is_first = self.0.send_if_modified(|standing| {
            let is_first = standing.doubt.is_none();
            if is_first {
                standing.doubt = Some(doubt);
            }
            is_first
        });
        if let Some(doubt) = self.get().filter(|_| is_first) {
            tracing::error!(%doubt, "the journal is not believed any more: writes and reads are refused");
        }
    }

    /// The doubt, if there is one.
    pub fn get(&self) -> Option<JournalDoubt> {
        self.0.borrow().doubt.clone()
    }

    /// Begins a comparison: writes wait until it is over.
    pub fn comparing(&self) -> Comparison {
        self.0.send_modify(|standing| standing.comparisons += 1);
        Comparison(self.clone())
    }

    /// The verdict: returns once nothing is compared any more, or a doubt was raised.
    pub async fn settled(&self) -> Option<JournalDoubt> {
        let mut standing = self.0.subscribe();
        let settled =
            standing.wait_for(|standing| standing.comparisons == 0 || standing.doubt.is_some()).await;
        // The sender is this very value: it is there.
        settled.ok().and_then(|standing| standing.doubt.clone())
    }

    /// Returns once a doubt was raised.
    pub async fn raised(&self) {
        let mut standing = self.0.subscribe();
        if standing.wait_for(|standing| standing.doubt.is_some()).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Comparison {
    fn drop(&mut self) {
        self.0.0.send_modify(|standing| standing.comparisons = standing.comparisons.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_verdict_waits_for_all_comparisons_or_the_first_doubt() {
        let doubts = Doubts::default();
        assert_eq!(doubts.settled().await, None, "nothing is compared");
        let (one, other) = (doubts.comparing(), doubts.comparing());
        drop(one);
        assert!(timeout(Duration::from_secs(1), doubts.settled()).await.is_err(), "one is left");
        let shorter = JournalDoubt::Shorter { known: 7, found: 3 };
        doubts.raise(shorter.clone());
        assert_eq!(doubts.settled().await, Some(shorter.clone()));
        doubts.raise(JournalDoubt::Exchanged { sequence: 1 });
        drop(other);
        assert_eq!(doubts.settled().await, Some(shorter), "the first one counts");
        doubts.raised().await;
    }
}
