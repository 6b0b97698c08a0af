//! Digests of the view at places where other nodes note theirs too, so that nodes can be compared however fast the journal grows.

use grantbook_views::ViewDigest;
use serde::{Deserialize, Serialize};

/// A batch ends at every multiple of this sequence.
pub const MARK_EVERY: u64 = 1024;
/// Marks are kept at multiples of 2 to the power of these: the coarsest at which two nodes have both been lately is common.
const LEVELS: [u32; 6] = [10, 12, 14, 16, 18, 20];

/// What the view held once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The sequence of the last frame in it.
    pub sequence: u64,
    /// The digest of its rows then.
    pub digest: ViewDigest,
}

/// The last mark of each level, and where the view stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    latest: Mark,
    levels: [Option<Mark>; LEVELS.len()],
}

impl Marks {
    /// Of a view that stands there.
    pub fn new(sequence: u64, digest: ViewDigest) -> Self {
        let mut marks = Self { latest: Mark { sequence, digest }, levels: [None; LEVELS.len()] };
        marks.note(sequence, digest);
        marks
    }

    /// The view has come there.
    pub fn note(&mut self, sequence: u64, digest: ViewDigest) {
        self.latest = Mark { sequence, digest };
        for (level, bits) in self.levels.iter_mut().zip(LEVELS) {
            if sequence > 0 && sequence.trailing_zeros() >= bits {
                *level = Some(self.latest);
            }
        }
    }

    /// Where the view stands.
    pub const fn latest(&self) -> Mark {
        self.latest
    }

    /// All of them, the latest first, each once.
    pub fn all(&self) -> Vec<Mark> {
        let mut all = vec![self.latest];
        for mark in self.levels.into_iter().flatten() {
            if !all.contains(&mark) {
                all.push(mark);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nodes_that_read_at_another_pace_have_marks_in_common() {
        let digest = |sequence: u64| ViewDigest::from_bytes([u8::try_from(sequence % 251).unwrap(); 32]);
        let at = |end: u64| {
            let mut marks = Marks::new(0, ViewDigest::default());
            (1..=end).step_by(1).for_each(|sequence| marks.note(sequence, digest(sequence)));
            marks.all()
        };
        for (one, other) in [(5000, 5000), (70_000, 66_000), (300_001, 270_123)] {
            let (one, other) = (at(one), at(other));
            assert!(one.iter().any(|mark| other.contains(mark)), "{one:?} {other:?}");
        }
        assert_eq!(at(5).len(), 1);
    }
}
