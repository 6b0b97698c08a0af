//! `GET /v1/timeline`: how effective access changed, and by which records

use std::sync::Arc;

use axum::{
    http::Uri,
    response::{IntoResponse, Response},
};
use grantbook_api::timeline::{Cause, StepRecord, Timeline, TimelineQuery, TimelineStep};
use grantbook_domain::{position::Position, principal::Principal, rights::Ask};
use grantbook_views::{AccessStep, ViewError};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{
        Web,
        problem::Failure,
        query,
        read::{Reading, with_position},
    },
    routes::{
        access::known,
        changes::{self, Asked, Between},
        lists::size,
        render,
        sight::{Sight, Thing},
    },
};

pub(super) fn routes() -> OpenApiRouter<Arc<Web>> {
    OpenApiRouter::new().routes(routes!(get))
}

/// A question that was understood.
#[derive(Debug)]
struct Question {
    between: Between,
    principal: Principal,
    limit: usize,
}

/// How the access of a principal changed, oldest change first; no key considered.
#[utoipa::path(get, path = "/v1/timeline", tag = "access", operation_id = "timeline",
    params(TimelineQuery), responses((status = 200, body = Timeline, description = "One page.")))]
async fn get(reading: Reading, uri: Uri) -> Response {
    let position = reading.position_text.clone();
    match understand(reading, &uri).await {
        Ok((reading, question)) => reading.answer_at_leisure(move |reading| answer(reading, &question)).await,
        Err(failure) => with_position(failure.into_response(), &position),
    }
}

async fn understand(reading: Reading, uri: &Uri) -> Result<(Reading, Question), Failure> {
    let TimelineQuery { principal, from, to, limit, cursor } = query::read(uri)?;
    let limit = size(limit)?;
    Sight::new(&reading)?.require(Ask::Timeline, &Thing::Whole)?;
    let Some(text) = principal else {
        return Err(Failure::invalid("the parameter principal is missing"));
    };
    let principal = known(&reading, &text)?;
    let asked = Asked { list: format!("timeline\n{text}"), from, to, cursor };
    let (reading, between) = Between::of(reading, asked).await?;
    Ok((reading, Question { between, principal, limit }))
}

fn answer(reading: &Reading, question: &Question) -> Result<Timeline, Failure> {
    let Question { between, principal, limit } = question;
    let span = (between.from, between.to);
    let part = reading.today.timeline(reading.org, *principal, span, *limit)?;
    let mut sight = Sight::new(reading)?;
    let items = part.steps.into_iter().map(|one| step(&mut sight, *principal, one));
    Ok(Timeline {
        items: items.collect::<Result<_, _>>()?,
        from: changes::moment(reading, between.from),
        to: changes::moment(reading, between.to),
        next: part.next.map(|moment| between.next(reading, moment, &[])),
    })
}

fn step(sight: &mut Sight<'_>, principal: Principal, step: AccessStep) -> Result<TimelineStep, Failure> {
    let AccessStep { moment, by_time, causes, change } = step;
    let records = causes.into_iter().map(|position| record(sight, position));
    let records = records.collect::<Result<_, _>>()?;
    Ok(TimelineStep {
        at: moment.at.to_string(),
        position: sight.reading().web.position_text(moment.position),
        cause: if by_time { Cause::Expiry } else { Cause::Record },
        records,
        changes: vec![changes::change(sight, principal, change)?],
    })
}

fn record(sight: &mut Sight<'_>, position: Position) -> Result<StepRecord, Failure> {
    let reading = sight.reading();
    let record = reading.today.record(reading.org, position)?;
    let record = record.ok_or_else(|| ViewError::BadRow {
        table: "history",
        detail: "a record that is pointed to is not there".to_owned(),
    })?;
    let seen = sight.may(Ask::Audit, &Thing::Whole)?;
    Ok(StepRecord {
        position: reading.web.position_text(position),
        at: record.at.to_string(),
        actor: sight.actor(record.actor)?,
        credential: record.credential.map(|id| id.to_string()),
        reason: record.reason.filter(|_| seen),
        events: record.events.iter().map(|event| render::name_of(event).to_owned()).collect(),
    })
}
