//! Whether a journal is the one that was seen, and holds what was seen of it.

use std::time::Duration;

use crate::{
    Journal, ReadError,
    follow::{
        burned::{self, Burned},
        doubt::JournalDoubt,
        known_head::{HEAD_FILE, KnownHead},
    },
};
use tokio::time::{Instant, sleep};

/// A journal that does not answer for so long cannot be compared.
const TIMEOUT: Duration = Duration::from_secs(30);
/// For so long the servers of a shared journal may not show what they have: a leader that was just elected may not have
/// applied everything yet.
const SHORTER: Duration = Duration::from_secs(3);
/// Between two attempts.
const BACKOFF: Duration = Duration::from_millis(200);

/// What a comparison of a journal with what was seen of it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The journal holds what was seen.
    Holds,
    /// What was seen was lost, and an operator gave it up.
    GivenUp(Burned),
    /// It does not hold it.
    Doubt(JournalDoubt),
}

impl Verdict {
    /// What it says against the journal.
    pub fn doubt(self) -> Option<JournalDoubt> {
        match self {
            Self::Doubt(doubt) => Some(doubt),
            Self::Holds | Self::GivenUp(_) => None,
        }
    }
}

/// Compares a journal with what is known of it. A leader that was just elected gets some seconds to show what it has, and
/// of several copies one suffices that is what was seen.
///
/// # Errors
///
/// [`ReadError`] if it does not answer.
pub async fn compare<J: Journal>(journal: &J, known: &KnownHead) -> Result<Verdict, ReadError> {
    let identity = journal.identity();
    if identity != known.identity {
        let (known, found) = (known.identity.installation, identity.installation);
        return Ok(Verdict::Doubt(JournalDoubt::OtherJournal { known, found, file: HEAD_FILE }));
    }
    let sequence = known.end.sequence;
    if sequence == 0 {
        return Ok(Verdict::Holds);
    }
    let deadline = Instant::now() + TIMEOUT;
    let mut absent_since: Option<Instant> = None;
    loop {
        match look(journal, known).await {
            Ok(Look::There) => return Ok(Verdict::Holds),
            Ok(Look::Another) => {
                let given_up = burned::accepted(journal, sequence).await?;
                let exchanged = JournalDoubt::Exchanged { sequence };
                return Ok(given_up.map_or(Verdict::Doubt(exchanged), Verdict::GivenUp));
            }
            Ok(Look::Absent) => {
                let since = *absent_since.get_or_insert_with(Instant::now);
                if !journal.is_shared() || since.elapsed() >= SHORTER {
                    return ends(journal, known, deadline).await.map(Verdict::Doubt);
                }
            }
            Err(error) => {
                if let Some(doubt) = JournalDoubt::of_reading(&error) {
                    return Ok(Verdict::Doubt(doubt));
                }
                if Instant::now() >= deadline {
                    return Err(error);
                }
            }
        }
        sleep(BACKOFF).await;
    }
}

enum Look {
    There,
    Another,
    Absent,
}

/// What the store has at the sequence. Of several copies one suffices that is what was seen.
async fn look<J: Journal>(journal: &J, known: &KnownHead) -> Result<Look, ReadError> {
    let sequence = known.end.sequence;
    let found = journal.read_one(sequence).await?;
    if found.as_ref().is_some_and(|item| item.hash() == known.end.hash) {
        return Ok(Look::There);
    }
    // A journal that ends before it lacks it, whatever a copy that lags behind still has.
    let reaches = found.is_some() || journal.head().await? >= sequence;
    if reaches && journal.copies(sequence).await?.iter().any(|item| item.hash() == known.end.hash) {
        return Ok(Look::There);
    }
    Ok(if found.is_some() { Look::Another } else { Look::Absent })
}

/// Where a journal ends that does not hold what was seen.
async fn ends<J: Journal>(
    journal: &J,
    known: &KnownHead,
    deadline: Instant,
) -> Result<JournalDoubt, ReadError> {
    let known = known.end.sequence;
    loop {
        match journal.head().await {
            Ok(found) if found < known => return Ok(JournalDoubt::Shorter { known, found }),
            Ok(_) => return Ok(JournalDoubt::Exchanged { sequence: known }),
            Err(error) if JournalDoubt::of_reading(&error).is_none() && Instant::now() < deadline => {
                sleep(BACKOFF).await;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Identity, hash::Hash, memory::MemoryJournal};
    use bytes::Bytes;
    use grantbook_domain::{
        id::{InstallationId, OrgId},
        time::Timestamp,
    };

    use super::*;
    use crate::follow::known_head::SeenEnd;

    fn identity(number: u128) -> Identity {
        Identity { installation: InstallationId::from_u128(number), created_at: Timestamp::EPOCH }
    }

    async fn journal(frames: &[&'static str]) -> MemoryJournal {
        let journal = MemoryJournal::new(identity(1));
        for (after, frame) in (0..).zip(frames) {
            journal.append(OrgId::from_u128(1), after, Bytes::from_static(frame.as_bytes())).await.unwrap();
        }
        journal
    }

    fn seen(sequence: u64, frame: &str) -> KnownHead {
        KnownHead::new(identity(1), SeenEnd { sequence, hash: Hash::of(frame.as_bytes()) })
    }

    #[tokio::test(start_paused = true)]
    async fn a_journal_holds_what_was_seen_or_is_doubted() {
        let journal = journal(&["a", "b", "c"]).await;
        let doubt = async |known: &KnownHead| compare(&journal, known).await.unwrap().doubt();
        assert_eq!(doubt(&seen(3, "c")).await, None);
        assert_eq!(doubt(&seen(2, "b")).await, None, "it may have gone on");
        assert_eq!(doubt(&seen(0, "")).await, None);
        let exchanged = |sequence| Some(JournalDoubt::Exchanged { sequence });
        assert_eq!(doubt(&seen(2, "x")).await, exchanged(2));
        assert_eq!(doubt(&seen(5, "e")).await, Some(JournalDoubt::Shorter { known: 5, found: 3 }));
        let other = KnownHead::new(identity(2), seen(3, "c").end);
        assert!(matches!(doubt(&other).await, Some(JournalDoubt::OtherJournal { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_waited_out_and_says_nothing() {
        let journal = journal(&["a", "b"]).await;
        journal.silence_reads(5);
        assert_eq!(compare(&journal, &seen(2, "b")).await.unwrap(), Verdict::Holds);
        journal.silence_reads(10_000);
        assert!(matches!(compare(&journal, &seen(2, "b")).await, Err(ReadError::Unavailable(_))));
    }
}
