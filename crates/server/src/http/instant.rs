//! Times in requests: RFC 3339, within the years that it can write.

use grantbook_domain::time::Timestamp;

/// 0000-01-01T00:00:00Z in milliseconds: RFC 3339, section 1, knows no year before it.
const FIRST: Timestamp = Timestamp::from_millis(-62_167_219_200_000);
/// 9999-12-31T23:59:59.999Z in milliseconds: the last instant with a year of four digits (RFC 3339, section 5.6).
const LAST: Timestamp = Timestamp::from_millis(253_402_300_799_999);

/// Why a text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoInstant {
    /// It does not have the form of RFC 3339.
    Malformed,
    /// Its offset takes it out of the years 0000 to 9999 in UTC, so it could not be written in an answer.
    OutOfRange,
}

impl NoInstant {
    /// What is wrong, behind the name of the value.
    pub(crate) const fn detail(self) -> &'static str {
        match self {
            Self::Malformed => "must be a time as in RFC 3339, such as 2026-01-31T00:00:00Z",
            Self::OutOfRange => "must be a time between the years 0000 and 9999 in UTC (RFC 3339)",
        }
    }
}

/// A time of a request: RFC 3339 with any offset; fractions finer than a millisecond are cut.
pub(crate) fn parse(text: &str) -> Result<Timestamp, NoInstant> {
    let at = Timestamp::parse_rfc3339(text).ok_or(NoInstant::Malformed)?;
    if (FIRST..=LAST).contains(&at) { Ok(at) } else { Err(NoInstant::OutOfRange) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_that_is_taken_can_be_written_with_four_digits_of_a_year() {
        for (text, expected) in [
            ("9999-12-31T23:59:59.999Z", Ok("9999-12-31T23:59:59.999Z")),
            ("0000-01-01T00:00:00Z", Ok("0000-01-01T00:00:00.000Z")),
            ("9999-12-31T23:59:59-00:01", Err(NoInstant::OutOfRange)),
            ("0000-01-01T00:00:00+00:01", Err(NoInstant::OutOfRange)),
            ("+10000-01-01T00:00:00Z", Err(NoInstant::Malformed)),
            ("10000-01-01T00:00:00Z", Err(NoInstant::Malformed)),
            ("-0001-01-01T00:00:00Z", Err(NoInstant::Malformed)),
            ("2026-01-31", Err(NoInstant::Malformed)),
        ] {
            let parsed = parse(text).map(|at| at.to_string());
            assert_eq!(parsed.as_deref().map_err(|error| *error), expected, "{text}");
        }
    }
}
