//! `GET /v1/timeline`: how effective access changed, and by which records

use axum::{
    http::Uri,
    response::{IntoResponse, Response},
};
use grantbook_api::questions::timeline::{Cause, StepRecord, Timeline, TimelineQuery, TimelineStep};
use grantbook_domain::{access::rights::Ask, id::ProjectId, position::Position, principal::Principal};
use grantbook_views::{AccessStep, ViewError};

use crate::{
    http::{problem::Failure, query, respond::with_position},
    read::{
        context::{
            Permit, ReadContext,
            authz::{Authorizer, Resource},
            paging::size,
        },
        questions::{
            access::known,
            changes::{self, Asked, MomentRange},
        },
    },
};

/// A question that was understood.
#[derive(Debug)]
struct Question {
    between: MomentRange,
    about: About,
    limit: usize,
}

/// Whose access, or to what.
#[derive(Debug, Clone, Copy)]
enum About {
    Principal(Principal),
    Project(ProjectId),
}

pub(crate) async fn get(reading: ReadContext, uri: Uri) -> Response {
    let position = reading.position_text.clone();
    match understand(reading, &uri).await {
        Ok((reading, question)) => reading.respond_blocking(move |reading| answer(reading, &question)).await,
        Err(failure) => with_position(failure.into_response(), &position),
    }
}

async fn understand(reading: ReadContext, uri: &Uri) -> Result<(ReadContext, Question), Failure> {
    let TimelineQuery { principal, project, from, to, limit, cursor } = query::read(uri)?;
    let limit = size(limit)?;
    let list = format!("timeline\n{principal:?}\n{project:?}");
    let about = match (principal, project) {
        (Some(text), None) => {
            let permit = Authorizer::new(&reading)?.require(Ask::Timeline, &Resource::Whole)?;
            About::Principal(known(permit, &text)?)
        }
        (None, Some(text)) => About::Project(project_seen(&reading, &text)?),
        _ => {
            return Err(Failure::invalid(
                "exactly one of the parameters principal and project must be there",
            ));
        }
    };
    let (reading, between) = MomentRange::of(reading, Asked { list, from, to, cursor }).await?;
    Ok((reading, Question { between, about, limit }))
}

/// The project, living or ended, if the caller may see it and ask about access to it.
fn project_seen(reading: &ReadContext, text: &str) -> Result<ProjectId, Failure> {
    let id: ProjectId = text.parse().map_err(|_| Failure::invalid("the parameter project must be an id"))?;
    let mut authorizer = Authorizer::new(reading)?;
    let _permit = authorizer.project_seen(id)?;
    let _permit = authorizer.require(Ask::ProjectTimeline, &Resource::Project(id))?;
    Ok(id)
}

fn answer(reading: &ReadContext, question: &Question) -> Result<Timeline, Failure> {
    let Question { between, about, limit } = question;
    let span = (between.from, between.to);
    let mut authorizer = Authorizer::new(reading)?;
    let (ask, resource) = match about {
        About::Principal(_) => (Ask::Timeline, Resource::Whole),
        About::Project(id) => (Ask::ProjectTimeline, Resource::Project(*id)),
    };
    let permit = authorizer.require(ask, &resource)?;
    let rows = permit.rows_of_today();
    let part = match about {
        About::Principal(id) => rows.timeline(reading.org, *id, span, *limit)?,
        About::Project(id) => rows.project_timeline(reading.org, *id, span, *limit)?,
    };
    let items = part.steps.into_iter().map(|one| step(&mut authorizer, permit, one));
    Ok(Timeline {
        items: items.collect::<Result<_, _>>()?,
        from: changes::moment(reading, between.from),
        to: changes::moment(reading, between.to),
        next: part.next.map(|moment| between.next(reading, moment, &[])),
    })
}

fn step(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    step: AccessStep,
) -> Result<TimelineStep, Failure> {
    let AccessStep { moment, by_time, causes, changes } = step;
    let records = causes.into_iter().map(|position| record(authorizer, permit, position));
    let records = records.collect::<Result<_, _>>()?;
    let changes = changes.into_iter().map(|(who, change)| changes::change(authorizer, who, change));
    let changes = changes.collect::<Result<_, _>>()?;
    Ok(TimelineStep {
        at: moment.at.to_string(),
        position: authorizer.reading().web.position_text(moment.position),
        cause: if by_time { Cause::Expiry } else { Cause::Record },
        records,
        changes,
    })
}

fn record(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    position: Position,
) -> Result<StepRecord, Failure> {
    let reading = permit.reading();
    let record = permit.rows_of_today().record(reading.org, position)?;
    let record = record.ok_or_else(|| ViewError::BadRow {
        table: "history",
        detail: "a record that is pointed to is not there".to_owned(),
    })?;
    let seen = authorizer.may(Ask::Audit, &Resource::Whole)?;
    Ok(StepRecord {
        position: reading.web.position_text(position),
        at: record.at.to_string(),
        actor: authorizer.actor(record.actor)?,
        credential: record.credential.map(|id| id.to_string()),
        reason: record.reason.filter(|_| seen),
        events: record.events.iter().map(|event| event.kind().name().to_owned()).collect(),
    })
}
