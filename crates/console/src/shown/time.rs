//! Times, as pages show them.

/// An instant of the API (RFC 3339, UTC), to the minute: `2026-11-30 17:44`. Anything else is shown as it is.
pub(crate) fn minute(text: &str) -> String {
    match (text.get(..10), text.get(10..11), text.get(11..16)) {
        (Some(day), Some("T"), Some(minute)) => format!("{day} {minute}"),
        _ => text.to_owned(),
    }
}

/// The same of what may be left out.
pub(crate) fn minute_or_dash(text: Option<&str>) -> String {
    text.map_or_else(|| "-".to_owned(), minute)
}

/// Whether an instant of the API has passed.
pub(crate) fn has_passed(text: &str) -> bool {
    let now = grantbook_api::people::when::now();
    chrono::DateTime::parse_from_rfc3339(text).is_ok_and(|time| time <= now)
}

/// The next millisecond: the end of a range that has the instant in it, where ends are exclusive.
pub(crate) fn just_after(text: &str) -> Option<String> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    let next = time.checked_add_signed(chrono::TimeDelta::milliseconds(1))?;
    Some(next.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_to_the_minute() {
        assert_eq!(minute("2026-11-30T17:44:11.123Z"), "2026-11-30 17:44");
        assert_eq!(just_after("2026-11-30T17:44:11.999Z").as_deref(), Some("2026-11-30T17:44:12.000Z"));
        assert_eq!(minute("never"), "never");
        assert_eq!(minute_or_dash(None), "-");
        assert!(
            has_passed("2020-01-01T00:00:00Z") && !has_passed("2999-01-01T00:00:00Z") && !has_passed("x")
        );
    }
}
