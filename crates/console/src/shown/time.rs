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

/// How much of the time between two instants of the API is left, in per cent, rounded up.
pub(crate) fn share_left(from: &str, to: &str) -> Option<u32> {
    let [from, to] = [from, to].map(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    share_left_at(
        grantbook_api::people::when::now().timestamp_millis(),
        from?.timestamp_millis(),
        to?.timestamp_millis(),
    )
}

fn share_left_at(now: i64, from: i64, to: i64) -> Option<u32> {
    let (left, whole) = (to.saturating_sub(now).max(0), to.saturating_sub(from));
    let share = left.checked_mul(100)?.checked_add(whole.saturating_sub(1))?.checked_div(whole)?;
    u32::try_from(share.clamp(0, 100)).ok()
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
    fn a_share_is_of_the_whole_time_and_never_more() {
        for (now, share) in [(0, 100), (1_000, 100), (1_250, 75), (1_999, 1), (2_000, 0), (9_000, 0)] {
            assert_eq!(share_left_at(now, 1_000, 2_000), Some(share), "{now}");
        }
        assert_eq!(share_left_at(5, 5, 5), None);
        assert_eq!(share_left("2020-01-01T00:00:00Z", "never"), None);
    }

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
