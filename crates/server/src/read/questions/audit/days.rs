//! `GET /v1/audit/days`: how many records each day has

use axum::{http::Uri, response::Response};
use chrono::{DateTime, Days, NaiveDate};
use grantbook_api::questions::audit::{AuditDay, AuditDays, AuditDaysQuery, DAYS_MAX};
use grantbook_domain::{access::rights::Ask, time::Timestamp};

use crate::{
    http::{problem::Failure, query},
    read::context::{
        Permit, ReadContext,
        authz::{Authorizer, Resource},
    },
};

pub(crate) async fn get(reading: ReadContext, uri: Uri) -> Response {
    let answer = reading.respond_blocking(move |reading| {
        let query: AuditDaysQuery = query::read(&uri)?;
        let permit = Authorizer::new(reading)?.require(Ask::Audit, &Resource::Whole)?;
        let (from, to) = (day("from", query.from.as_deref())?, day("to", query.to.as_deref())?);
        days(permit, from, to)
    });
    answer.await
}

fn days(permit: Permit<'_>, from: Option<NaiveDate>, to: Option<NaiveDate>) -> Result<AuditDays, Failure> {
    let (rows, org) = (permit.rows(), permit.reading().org);
    let (first, last) = life(permit)?;
    let to = to.unwrap_or(last);
    let from = from.unwrap_or_else(|| before(to, DAYS_MAX - 1).max(first.min(to)));
    let span = to.signed_duration_since(from).num_days();
    if !(0..i64::from(DAYS_MAX)).contains(&span) {
        return Err(Failure::invalid(format!("from and to must be 1 to {DAYS_MAX} days, in this order")));
    }
    // Nothing lies outside of its life.
    let (mut day, end) = (from.max(first), to.min(last));
    let mut known = rows.records_until(org, just_before(day))?;
    let mut days = Vec::new();
    while day <= end {
        let next = day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
        let until = rows.records_until(org, just_before(next))?;
        if until > known {
            days.push(AuditDay { day: day.to_string(), records: until - known });
        }
        (day, known) = (next, until);
    }
    Ok(AuditDays { first: first.to_string(), last: last.to_string(), days })
}

/// The days of the first record and of the newest one.
fn life(permit: Permit<'_>) -> Result<(NaiveDate, NaiveDate), Failure> {
    let (rows, org) = (permit.rows(), permit.reading().org);
    let last = rows.moment_after(org, permit.reading().position)?;
    let first = rows.first_record(org)?;
    Ok((date(first.unwrap_or(last.at)), date(last.at)))
}

fn date(at: Timestamp) -> NaiveDate {
    DateTime::from_timestamp_millis(at.millis()).map_or(NaiveDate::MIN, |at| at.date_naive())
}

/// So many days earlier.
fn before(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_sub_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MIN)
}

/// The last millisecond before a day begins.
fn just_before(day: NaiveDate) -> Timestamp {
    let start = day.and_time(chrono::NaiveTime::MIN).and_utc();
    Timestamp::from_millis(start.timestamp_millis()).plus_millis(-1)
}

fn day(name: &str, text: Option<&str>) -> Result<Option<NaiveDate>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let found = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| day.to_string() == text);
    found
        .map(Some)
        .ok_or_else(|| Failure::invalid(format!("the parameter {name} must be a day such as 2026-01-31")))
}
