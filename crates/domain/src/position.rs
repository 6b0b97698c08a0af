//! The place of a record in the journal.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many records one frame may hold: the index of a record in its frame takes ten bits.
pub const RECORDS_PER_FRAME: u64 = 1024;

/// The place of a record: `sequence * 1024 + index in its frame`. Zero is before every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// Before every record.
    pub const START: Self = Self(0);

    /// The place of record `index` (0-based, below 1024) of the frame at `sequence` (1-based).
    pub const fn of(sequence: u64, index: u64) -> Self {
        Self(sequence * RECORDS_PER_FRAME + index)
    }

    /// From its number.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// As a number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sequence of the frame that holds the record.
    pub const fn sequence(self) -> u64 {
        self.0 / RECORDS_PER_FRAME
    }

    /// The record's index in its frame.
    pub const fn index(self) -> u64 {
        self.0 % RECORDS_PER_FRAME
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
