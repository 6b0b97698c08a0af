//! Pages of answers that look at everything. All pages of one answer hold at one position and one instant, those of the
//! first: the cursor carries them.

use grantbook_domain::{position::Position, time::Timestamp};
use grantbook_views::{Checker, Snapshot};

use crate::http::{cursor::Cursor, problem::Failure, read::ReadContext};

/// Bytes of the instant.
const WORD: usize = 8;

/// A page of an answer, pinned to the position and the instant of the first page.
#[derive(Debug)]
pub(crate) struct PinnedPage {
    /// Where the answer was begun.
    at: Position,
    /// The instant asked about when it was begun.
    now: Timestamp,
    /// Everything as it was then.
    pub(crate) snapshot: Snapshot,
    /// What the page before left: its last place, in the words of whoever asks; none for the first page.
    pub(crate) after: Option<Vec<u8>>,
    /// Names the answer for its cursors.
    binding: String,
}

impl PinnedPage {
    /// The first page, or the one that a cursor of the same answer leads to. `list` names the question.
    pub(crate) fn of(reading: &ReadContext, list: &str, cursor: Option<&str>) -> Result<Self, Failure> {
        let binding = reading.binding(list);
        let Some(text) = cursor else {
            let snapshot = reading.rows().clone();
            return Ok(Self { at: reading.position, now: reading.at(), snapshot, after: None, binding });
        };
        let Cursor { at, after } = reading.web.cursors.decode(text, &binding, reading.now)?;
        let (instant, place) = after
            .split_first_chunk::<WORD>()
            .ok_or_else(|| Failure::invalid("the parameter cursor is not one of this list"))?;
        let now = Timestamp::from_millis(i64::from_be_bytes(*instant));
        if at > reading.position {
            return Err(Failure::behind(reading.position_text.clone()));
        }
        // What is there already is read faster than what was.
        let snapshot = if at == reading.position { reading.rows().clone() } else { reading.rows().as_of(at) };
        Ok(Self { at, now, snapshot, after: Some(place.to_vec()), binding })
    }

    /// Who answers, at the position and the instant of the first page.
    pub(crate) fn checker(&self, reading: &ReadContext) -> Result<Checker<'_>, Failure> {
        Ok(self.snapshot.checker(reading.org, self.now)?)
    }

    /// The position at which all pages hold, as clients see it.
    pub(crate) fn position(&self, reading: &ReadContext) -> String {
        reading.web.position_text(self.at)
    }

    /// The cursor of the page that goes on beyond a place.
    pub(crate) fn cursor(&self, reading: &ReadContext, place: &[u8]) -> String {
        let mut after = self.now.millis().to_be_bytes().to_vec();
        after.extend_from_slice(place);
        reading.web.cursors.encode(&Cursor { at: self.at, after }, &self.binding, reading.now)
    }
}
