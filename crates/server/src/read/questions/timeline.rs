//! `GET /v1/timeline`: how effective access changed, and by which records

use axum::{
    http::Uri,
    response::{IntoResponse, Response},
};
use grantbook_api::questions::timeline::{Cause, StepRecord, Timeline, TimelineQuery, TimelineStep};
use grantbook_domain::{access::rights::Ask, id::ProjectId, position::Position, principal::Principal};
use grantbook_views::{AccessStep, TimelinePart, ViewError};

use crate::{
    http::{problem::Failure, query, respond::with_position},
    read::{
        context::{
            Permit, ReadContext,
            authz::{Authorizer, Resource},
            paging::{PAGE_BYTES, PAGE_WORK, PageRoom, size},
        },
        questions::{
            access::known,
            changes::{self, Asked, ChangePlace, MomentRange},
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
    let understood = reading.understood(move |reading| async move { understand(reading, &uri).await });
    match understood.await {
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
    let MomentRange { from, to, after, .. } = between;
    let mut authorizer = Authorizer::new(reading)?;
    let (ask, resource) = match about {
        About::Principal(_) => (Ask::Timeline, Resource::Whole),
        About::Project(id) => (Ask::ProjectTimeline, Resource::Project(*id)),
    };
    let permit = authorizer.require(ask, &resource)?;
    let rows = permit.rows_of_today();
    let mut place = ChangePlace::unpacked(after)?;
    let (from, to) = (*from, *to);
    let part =
        TimelinePart { from, to, after: place.beyond, steps: *limit, bytes: PAGE_BYTES, work: PAGE_WORK };
    let found = match about {
        About::Principal(id) => rows.timeline(reading.org, *id, &part)?,
        About::Project(id) => rows.project_timeline(reading.org, *id, &part)?,
    };
    let mut next = found.next.map(|next| (next.moment, ChangePlace { beyond: next.after, lines: 0 }));
    let (mut items, mut room, mut before) = (Vec::new(), PageRoom::of(*limit), from);
    for found in found.steps {
        let (item, cut) = step(&mut authorizer, permit, (&found, place), &mut room)?;
        items.extend(item);
        if let Some(place) = cut {
            next = Some((before, place));
            break;
        }
        (before, place) = (found.moment, ChangePlace::default());
    }
    Ok(Timeline {
        items,
        from: changes::moment(reading, from),
        to: changes::moment(reading, to),
        next: next.map(|(moment, place)| between.next(reading, moment, &place.packed())),
    })
}

/// A step beyond a place, as far as the page has room; and where it goes on, if not all of it fits.
fn step(
    authorizer: &mut Authorizer<'_>,
    permit: Permit<'_>,
    (step, mut place): (&AccessStep, ChangePlace),
    room: &mut PageRoom,
) -> Result<(Option<TimelineStep>, Option<ChangePlace>), Failure> {
    let AccessStep { moment, by_time, causes, types, changes } = step;
    let records = causes.iter().map(|position| record(authorizer, permit, *position));
    let records = records.collect::<Result<_, _>>()?;
    let mut item = TimelineStep {
        at: moment.at.to_string(),
        position: authorizer.reading().web.position_text(moment.position),
        cause: if *by_time { Cause::Expiry } else { Cause::Record },
        records,
        changes: Vec::new(),
    };
    if !room.takes_head(&item)? {
        return Ok((None, Some(place)));
    }
    for (who, change) in changes {
        let one = (*who, change.as_ref());
        let (change, cut) = changes::change(authorizer, room, one, *types, place.lines)?;
        item.changes.extend(change);
        if let Some(lines) = cut {
            let item = (!item.changes.is_empty()).then_some(item);
            return Ok((item, Some(ChangePlace { lines, ..place })));
        }
        place = ChangePlace { beyond: Some(*who), lines: 0 };
    }
    Ok((Some(item), None))
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
