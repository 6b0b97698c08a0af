//! Where somebody is in the feed: between two records, or between two messages of one.

use grantbook_domain::{id::InstallationId, position::Position};

use crate::wire::position::{self, PositionError};

/// Everything up to here has been given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The record.
    pub position: Position,
    /// The last of its messages that has been given, counted from 0; none: all of them.
    pub given: Option<u32>,
}

impl Place {
    /// Behind all messages of a record.
    pub const fn behind(position: Position) -> Self {
        Self { position, given: None }
    }

    /// The records to look at next are those beyond this one.
    pub fn after(self) -> Position {
        match self.given {
            None => self.position,
            Some(_) => Position::from_u64(self.position.get().saturating_sub(1)),
        }
    }

    /// Which of a record's messages come next.
    pub fn first_of(self, position: Position) -> u32 {
        match self.given {
            Some(given) if position == self.position => given.saturating_add(1),
            Some(_) | None => 0,
        }
    }

    /// As clients see it: the position, and a dot and a number if not all of the record was given.
    pub fn text(self, installation: InstallationId) -> String {
        let position = position::encode(installation, self.position);
        self.given.map_or_else(|| position.clone(), |given| format!("{position}.{given}"))
    }

    /// Reads what [`Place::text`] wrote.
    pub fn parse(installation: InstallationId, text: &str) -> Result<Self, PositionError> {
        let Some((position, given)) = text.split_once('.') else {
            return position::decode(installation, text).map(Self::behind);
        };
        let position = position::decode(installation, position)?;
        let plain = !given.is_empty() && given.bytes().all(|byte| byte.is_ascii_digit());
        let given = given.parse().ok().filter(|_| plain).ok_or(PositionError::Malformed)?;
        Ok(Self { position, given: Some(given) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: InstallationId = InstallationId::from_u128(1);

    #[test]
    fn a_place_survives_its_text_and_nothing_else_is_one() {
        for given in [None, Some(0), Some(17), Some(u32::MAX)] {
            let place = Place { position: Position::of(7, 3), given };
            assert_eq!(Place::parse(HERE, &place.text(HERE)), Ok(place));
        }
        let good = position::encode(HERE, Position::of(7, 3));
        for text in [
            "",
            ".",
            "x.1",
            &format!("{good}."),
            &format!("{good}.+1"),
            &format!("{good}.1.1"),
            &format!("{good}.4294967296"),
        ] {
            assert_eq!(Place::parse(HERE, text), Err(PositionError::Malformed), "{text}");
        }
        let foreign = Place::behind(Position::of(7, 3)).text(InstallationId::from_u128(2));
        assert_eq!(Place::parse(HERE, &foreign), Err(PositionError::Foreign));
    }

    #[test]
    fn between_two_messages_the_record_is_looked_at_again() {
        let place = Place { position: Position::of(7, 3), given: Some(1) };
        assert_eq!((place.after(), place.first_of(place.position)), (Position::of(7, 2), 2));
        assert_eq!(place.first_of(Position::of(8, 0)), 0);
        assert_eq!(Place::behind(place.position).after(), place.position);
    }
}
