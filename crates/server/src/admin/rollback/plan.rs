//! Plans a rollback: compares the known heads with the present journal, and finds the range of sequences that was
//! lost.

use grantbook_journal::{
    Journal,
    follow::{
        burned::{self, BURNED_MOST, Burned},
        doubt::JournalDoubt,
        known_head::{self, KnownHead},
        open::OpenError,
    },
};

use crate::admin::error::AdminError;
use grantbook_command::Fold;

/// What is done, and the head of the journal that it was planned on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) burned: Burned,
    pub(super) head: u64,
    /// A position that is known to name two records, the highest one.
    pub(super) reused: Option<u64>,
}

/// What is known of the lost journal.
#[derive(Debug, Default)]
struct Lost {
    /// Its highest sequence.
    sequence: u64,
    /// Whether the present journal lacks something of it.
    is_missed: bool,
    /// The highest one at which a record stands that is not the one that was seen.
    reused: Option<u64>,
    /// The range of an earlier attempt in which something was seen.
    begun: Option<Burned>,
}

/// Plans on a fold of the whole journal.
///
/// No organization's last record may lie in the burned range, because readers stop at a rollback record whose range
/// covers one. So what a burned message says is believed only as far as the fold agrees, and a range is extended only
/// while nothing stands behind it.
pub(super) async fn plan<J: Journal>(
    journal: &J,
    fold: &Fold,
    known: &[KnownHead],
    above: Option<u64>,
) -> Result<Plan, AdminError> {
    let head = fold.sequence();
    let lost = look(journal, fold, known, above).await?;
    if !lost.is_missed && lost.begun.is_none() {
        return Err(AdminError::NothingLost { head });
    }
    let burned = match (begun_at(journal, fold, head).await?, lost.begun) {
        // An attempt was interrupted before its first record.
        (Some(begun), _) => Burned { lost: begun.lost.max(lost.sequence), ..begun },
        // One was interrupted among its records, or before the new head was kept.
        (None, Some(begun)) if begun.lost >= lost.sequence => begun,
        _ if lost.is_missed => Burned { kept: head, lost: lost.sequence },
        _ => return Err(AdminError::NothingLost { head }),
    };
    let count = burned.lost.saturating_sub(head);
    if count > BURNED_MOST {
        return Err(AdminError::TooMuchLost { burned: count, limit: BURNED_MOST });
    }
    Ok(Plan { burned, head, reused: lost.reused })
}

async fn look<J: Journal>(
    journal: &J,
    fold: &Fold,
    known: &[KnownHead],
    above: Option<u64>,
) -> Result<Lost, AdminError> {
    let sequence = above.unwrap_or_default();
    let mut lost = Lost { sequence, is_missed: sequence > fold.sequence(), ..Lost::default() };
    for known in known {
        let sequence = known.end.sequence;
        if let Some(found) = begun_at(journal, fold, sequence).await? {
            if lost.begun.is_none_or(|begun| begun.lost < found.lost) {
                lost.begun = Some(found);
            }
            continue;
        }
        match known_head::doubt_of(journal, known).await? {
            None => {}
            Some(doubt @ (JournalDoubt::Shorter { .. } | JournalDoubt::Exchanged { .. })) => {
                lost.is_missed = true;
                let is_exchanged = matches!(doubt, JournalDoubt::Exchanged { .. });
                if is_exchanged
                    && burned::item(journal, sequence).await?.is_some_and(|item| item.frame().is_some())
                {
                    lost.reused = lost.reused.max(Some(sequence));
                }
                lost.sequence = lost.sequence.max(sequence);
            }
            Some(doubt) => return Err(OpenError::Doubted(doubt).into()),
        }
    }
    Ok(lost)
}

/// The range of an earlier attempt in which a sequence is. Anybody who may publish in the journal's stream can write
/// such a message: one whose range holds a record, or is longer than any that is burned, is of no attempt.
async fn begun_at<J: Journal>(journal: &J, fold: &Fold, sequence: u64) -> Result<Option<Burned>, AdminError> {
    let begun = burned::at(journal, sequence).await?;
    Ok(begun
        .filter(|begun| !is_occupied(fold, *begun) && begun.lost.saturating_sub(begun.kept) <= BURNED_MOST))
}

/// Whether an organization's last record is in the range.
pub(super) fn is_occupied(fold: &Fold, burned: Burned) -> bool {
    fold.organizations().any(|one| burned.covers(one.end().sequence))
}
