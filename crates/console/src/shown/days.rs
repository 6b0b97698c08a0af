//! How much was decided on each day, as a plot, and the slider over the organization's life.

use chrono::{Days, NaiveDate};
use grantbook_api::questions::audit::{AuditDay, AuditDays, DAYS_MAX};

/// Width of the column of a day.
const COLUMN: i64 = 3;
/// Days that a plot has at least.
const DAYS_LEAST: u32 = 90;
/// Height of the plot.
pub(crate) const HEIGHT: u64 = 60;
/// Height of a day with one record: it is seen beside one with thousands.
const LEAST: u64 = 2;

/// One day with records.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) x: i64,
    pub(crate) y: u64,
    pub(crate) height: u64,
    pub(crate) words: String,
}

/// Records a day, and which day was chosen.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) width: i64,
    pub(crate) bars: Vec<Bar>,
    /// What it shows, for who does not see it.
    pub(crate) words: String,
    /// The first day of the organization's life.
    pub(crate) first: String,
    /// How many days later the newest record was made.
    pub(crate) life: i64,
    /// How many days later the day is that was chosen, and which it is.
    pub(crate) chosen: i64,
    pub(crate) day: String,
}

/// The day that the slider chose: so many days after the first.
pub(crate) fn chosen(first: &str, days: &str) -> Option<NaiveDate> {
    date(first)?.checked_add_days(Days::new(days.parse().ok()?))
}

/// The day after, which a range ends with that has the day in it.
pub(crate) fn next(day: NaiveDate) -> Option<NaiveDate> {
    day.checked_add_days(Days::new(1))
}

/// The plot of the days up to the one chosen, else to the newest; nothing if these are no days.
pub(crate) fn plot(days: &AuditDays, day: Option<NaiveDate>) -> Option<Plot> {
    let (first, last) = (date(&days.first)?, date(&days.last)?);
    let day = day.unwrap_or(last);
    let since = |day: NaiveDate| day.signed_duration_since(first).num_days();
    let before = |days: u32| day.checked_sub_days(Days::new(u64::from(days - 1)));
    // The bars of a young organization are no wider than those of an old one.
    let start = before(DAYS_MAX)?.max(first).min(before(DAYS_LEAST)?);
    let width = (day.signed_duration_since(start).num_days() + 1) * COLUMN;
    let most = days.days.iter().map(|day| day.records).max().unwrap_or(0);
    let bar = |one: &AuditDay| {
        let height = LEAST.max(one.records.saturating_mul(HEIGHT).checked_div(most).unwrap_or(0));
        let x = date(&one.day)?.signed_duration_since(start).num_days() * COLUMN;
        let words = format!("{}: {}", one.day, counted(one.records));
        Some(Bar { x, y: HEIGHT.saturating_sub(height), height, words })
    };
    let all: u64 = days.days.iter().map(|day| day.records).sum();
    Some(Plot {
        width,
        bars: days.days.iter().filter_map(bar).collect(),
        words: format!("Records a day from {start} to {day}: {} in all, at most {most} a day", counted(all)),
        first: days.first.clone(),
        life: since(last),
        chosen: since(day),
        day: day.to_string(),
    })
}

fn counted(records: u64) -> String {
    if records == 1 { "1 record".to_owned() } else { format!("{records} records") }
}

fn date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(list: &[(&str, u64)]) -> AuditDays {
        let day = |(day, records): &(&str, u64)| AuditDay { day: (*day).to_owned(), records: *records };
        AuditDays {
            first: "2024-01-01".to_owned(),
            last: "2026-11-30".to_owned(),
            days: list.iter().map(day).collect(),
        }
    }

    #[test]
    fn a_year_ends_with_the_day_chosen() {
        let newest = plot(&days(&[("2026-11-29", 1), ("2026-11-30", 300)]), None).unwrap();
        assert_eq!((newest.width, newest.chosen, newest.life), (3 * 366, 1064, 1064));
        let bars: Vec<_> = newest.bars.iter().map(|bar| (bar.x, bar.y, bar.height)).collect();
        assert_eq!(bars, [(3 * 364, 58, 2), (3 * 365, 0, 60)]);
        assert_eq!(newest.bars[0].words, "2026-11-29: 1 record");
        assert!(
            newest
                .words
                .starts_with("Records a day from 2025-11-30 to 2026-11-30: 301 records in all, at most 300")
        );

        let early = plot(&days(&[]), chosen("2024-01-01", "2")).unwrap();
        assert_eq!((early.width, early.chosen, early.day.as_str()), (3 * 90, 2, "2024-01-03"));
        assert!(early.bars.is_empty() && early.words.contains("0 records in all, at most 0"));
    }

    #[test]
    fn what_is_no_number_of_days_chooses_nothing() {
        for wrong in ["", "-1", "x", "99999999999999999999"] {
            assert_eq!(chosen("2024-01-01", wrong), None, "{wrong}");
        }
        assert_eq!(chosen("2024-01-01", "366").and_then(next).unwrap().to_string(), "2025-01-02");
    }
}
