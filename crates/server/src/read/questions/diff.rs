//! `GET /v1/diff`: who gained and lost what between two moments

use axum::{
    http::Uri,
    response::{IntoResponse, Response},
};
use grantbook_api::questions::diff::{Diff, DiffQuery};
use grantbook_domain::{access::rights::Ask, id::ProjectId, principal::Principal};
use grantbook_views::Comparison;

use crate::{
    http::{problem::Failure, query, respond::with_position},
    read::{
        context::{
            ReadContext,
            authz::{Authorizer, Resource},
            paging::{PAGE_WORK, PageRoom, size},
        },
        questions::{
            access::known,
            changes::{self, Asked, ChangePlace, MomentRange},
        },
    },
};

/// Most principals looked at for one page.
const LOOKS_MAX: u64 = 5_000;
/// How many are looked up together.
const FETCH: usize = 256;

/// A question that was understood.
#[derive(Debug)]
struct Question {
    between: MomentRange,
    only: Option<Principal>,
    project: Option<ProjectId>,
    limit: usize,
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
    let DiffQuery { from, to, principal, project, limit, cursor } = query::read(uri)?;
    let limit = size(limit)?;
    let permit = Authorizer::new(&reading)?.require(Ask::Diff, &Resource::Whole)?;
    let list = format!("diff\n{principal:?}\n{project:?}");
    let only = principal.map(|text| known(permit, &text)).transpose()?;
    let wrong = |_| Failure::invalid("the parameter project must be an id");
    let project = project.map(|text| text.parse().map_err(wrong)).transpose()?;
    let asked = Asked { list, from: Some(from), to, cursor };
    let (reading, between) = MomentRange::of(reading, asked).await?;
    Ok((reading, Question { between, only, project, limit }))
}

fn answer(reading: &ReadContext, question: &Question) -> Result<Diff, Failure> {
    let Question { between, only, project, limit } = question;
    let MomentRange { from, to, .. } = between;
    let mut authorizer = Authorizer::new(reading)?;
    let permit = authorizer.require(Ask::Diff, &Resource::Whole)?;
    let then = permit.rows_of_today().as_of(from.position);
    let (before, after) = ((&then, from.at), (permit.rows(), to.at));
    let mut comparison = Comparison::between(reading.org, before, after, *project)?;
    let types = comparison.types();
    let (mut room, mut items) = (PageRoom::of(*limit), Vec::new());
    let mut place = ChangePlace::unpacked(&between.after)?;
    let mut next = None;
    'pages: loop {
        let some = match only {
            Some(one) if place.beyond.is_none() => vec![*one],
            Some(_) => Vec::new(),
            None => permit.rows_of_today().principals(reading.org, place.beyond, FETCH)?,
        };
        if some.is_empty() {
            break;
        }
        for principal in some {
            let tally = comparison.tally();
            if tally.principals == LOOKS_MAX || tally.work >= PAGE_WORK {
                next = Some(place);
                break 'pages;
            }
            let change = comparison.of(principal)?;
            if !change.is_empty() {
                if !room.begins() {
                    next = Some(place);
                    break 'pages;
                }
                let one = (principal, change.as_ref());
                let (item, cut) = changes::change(&mut authorizer, &mut room, one, types, place.lines)?;
                items.extend(item);
                if let Some(lines) = cut {
                    next = Some(ChangePlace { lines, ..place });
                    break 'pages;
                }
            }
            place = ChangePlace { beyond: Some(principal), lines: 0 };
        }
    }
    let next = next.map(|place| between.next(reading, *from, &place.packed()));
    Ok(Diff { from: changes::moment(reading, *from), to: changes::moment(reading, *to), items, next })
}
