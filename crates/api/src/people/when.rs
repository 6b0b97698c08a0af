//! Times as people write them: `90d`, `12h`, `30m`, `45s`, combinations such as `1d12h`, or RFC 3339.

use std::{
    str::FromStr,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};

const SECONDS: [(char, i64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A time that cannot be reckoned with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that time is too far away")]
pub struct TooFar;

/// A length of time, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub i64);

/// How often something is done: a length of time that is not nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every(pub Duration);

/// When something ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expiry {
    /// So long from now.
    In(Span),
    /// At an instant, RFC 3339.
    At(String),
    /// Not by itself.
    Never,
}

/// A bound of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// So long ago.
    Ago(Span),
    /// An instant or a position, which the server tells apart.
    At(String),
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}` is not a duration: write 90d, 12h, 30m, 45s or 1d12h");
        let mut seconds = 0_i64;
        let mut number: Option<i64> = None;
        for c in text.chars() {
            if let Some(digit) = c.to_digit(10) {
                let grown = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(i64::from(digit)));
                number = Some(grown.ok_or_else(fault)?);
                continue;
            }
            let unit = SECONDS.iter().find(|(letter, _)| *letter == c).ok_or_else(fault)?.1;
            let part = number.take().and_then(|n| n.checked_mul(unit)).ok_or_else(fault)?;
            seconds = seconds.checked_add(part).ok_or_else(fault)?;
        }
        if text.is_empty() || number.is_some() { Err(fault()) } else { Ok(Self(seconds)) }
    }
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Span(seconds) = text.parse()?;
        let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
        seconds.map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(|| "at least 1s".to_owned())
    }
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        if DateTime::parse_from_rfc3339(text).is_ok() {
            return Ok(Self::At(text.to_owned()));
        }
        text.parse()
            .map(Self::In)
            .map_err(|fault: String| format!("{fault}; or write `never`, or a time in RFC 3339"))
    }
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(text.parse().map_or_else(|_: String| Self::At(text.to_owned()), Self::Ago))
    }
}

impl Expiry {
    /// As the server takes it: RFC 3339, or `never`.
    pub fn instant(&self) -> Result<String, TooFar> {
        match self {
            Self::In(span) => from_now(span.0),
            Self::At(text) => Ok(text.clone()),
            Self::Never => Ok("never".to_owned()),
        }
    }
}

impl Bound {
    /// As the server takes it, for a moment that is looked back to: a date is its last instant, UTC.
    pub fn moment(&self) -> Result<String, TooFar> {
        match self {
            Self::At(text) if NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok() => {
                Ok(format!("{text}T23:59:59.999Z"))
            }
            Self::At(_) | Self::Ago(_) => self.text(),
        }
    }

    /// As the server takes it.
    pub fn text(&self) -> Result<String, TooFar> {
        match self {
            Self::Ago(span) => from_now(-span.0),
            Self::At(text) => Ok(text.clone()),
        }
    }
}

/// An optional expiry as the server takes it.
pub fn instant(expiry: Option<&Expiry>) -> Result<Option<String>, TooFar> {
    expiry.map(Expiry::instant).transpose()
}

fn from_now(seconds: i64) -> Result<String, TooFar> {
    let moved = TimeDelta::try_seconds(seconds).and_then(|delta| now().checked_add_signed(delta));
    let moved = moved.ok_or(TooFar)?;
    Ok(moved.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a length of time on the command line counts from when it is typed"
)]
/// What time it is.
pub fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        for (text, seconds) in
            [("90d", 7_776_000), ("12h", 43_200), ("30m", 1_800), ("45s", 45), ("1d12h", 129_600), ("0s", 0)]
        {
            assert_eq!(text.parse(), Ok(Span(seconds)), "{text}");
        }
        for text in
            ["", "90", "d", "1y", "-1d", "1 d", "1.5h", "99999999999999999999s", "9223372036854775807w"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_expiry_is_a_length_an_instant_or_never() {
        assert_eq!("90d".parse(), Ok(Expiry::In(Span(7_776_000))));
        assert_eq!("2027-01-01T00:00:00Z".parse(), Ok(Expiry::At("2027-01-01T00:00:00Z".to_owned())));
        assert_eq!("never".parse(), Ok(Expiry::Never));
        assert!("2027-01-01".parse::<Expiry>().is_err());
        assert!(Expiry::In(Span(i64::MAX)).instant().is_err());
    }

    #[test]
    fn a_bound_that_is_no_length_is_left_to_the_server() {
        assert_eq!("30d".parse(), Ok(Bound::Ago(Span(2_592_000))));
        assert_eq!("3jK9".parse(), Ok(Bound::At("3jK9".to_owned())));
    }

    #[test]
    fn a_day_that_is_looked_back_to_is_over() {
        let moment = |text: &str| text.parse::<Bound>().unwrap().moment().unwrap();
        assert_eq!(moment("2026-06-30"), "2026-06-30T23:59:59.999Z");
        assert_eq!(moment("2026-06-30T12:00:00Z"), "2026-06-30T12:00:00Z");
        assert_eq!(moment("3jK9"), "3jK9");
    }

    #[test]
    fn ago_is_before_now_and_in_is_after() {
        let (past, future) = (from_now(-60).unwrap(), from_now(60).unwrap());
        let present = now().to_rfc3339_opts(SecondsFormat::Millis, true);
        assert!(past < present && present < future);
    }
}
