//! Where in the journal a message was made from.

use std::{fmt, num::ParseIntError, str::FromStr};

use grantbook_domain::position::Position;

/// The last part of a frame, whatever it holds.
const END: u32 = u32::MAX;

/// A place in the journal, finer than a position: a record has several events. Ordered as the journal is.
///
/// In text `SEQUENCE.RECORD.PART`, or `SEQUENCE` for the end of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// The frame's sequence, from 1.
    pub sequence: u64,
    /// The record's index in the frame, from 0.
    pub record: u32,
    /// The index of what it is about in the record, from 0.
    pub part: u32,
}

impl Place {
    /// Before everything.
    pub const START: Self = Self { sequence: 0, record: 0, part: 0 };

    /// Part `part` of the record at a position.
    pub fn of(position: Position, part: u32) -> Self {
        // An index is below 1024.
        let record = u32::try_from(position.index()).unwrap_or(END);
        Self { sequence: position.sequence(), record, part }
    }

    /// Behind everything that a frame holds.
    pub const fn end_of(sequence: u64) -> Self {
        Self { sequence, record: END, part: END }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, record, part } = self;
        if *self == Self::end_of(*sequence) {
            sequence.fmt(f)
        } else {
            write!(f, "{sequence}.{record}.{part}")
        }
    }
}

impl FromStr for Place {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let Some((sequence, rest)) = text.split_once('.') else {
            return Ok(Self::end_of(text.parse()?));
        };
        let (record, part) = rest.split_once('.').unwrap_or((rest, ""));
        Ok(Self { sequence: sequence.parse()?, record: record.parse()?, part: part.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_as_the_journal_and_read_as_they_are_written() {
        let places = [
            Place::START,
            Place::of(Position::of(1, 0), 0),
            Place::of(Position::of(1, 0), 7),
            Place::of(Position::of(1, 1023), 0),
            Place::end_of(1),
            Place::of(Position::of(2, 0), 0),
        ];
        assert!(places.is_sorted() && places.iter().all(|place| place.to_string().parse() == Ok(*place)));
        assert_eq!(Place::of(Position::of(17, 3), 2).to_string(), "17.3.2");
        assert_eq!(Place::end_of(17).to_string(), "17");
        for text in ["", "1.2", "1.2.", "1.2.3.4", "a", "-1", "1..2"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
