//! `GET /v1/diff`: who gained and lost what between two moments

use axum::{
    http::Uri,
    response::{IntoResponse, Response},
};
use grantbook_api::questions::diff::{Diff, DiffQuery};
use grantbook_domain::{
    access::rights::Ask,
    id::{Id, ProjectId},
    principal::Principal,
};
use grantbook_views::Comparison;

use crate::{
    http::{problem::Failure, query, respond::with_position},
    read::{
        context::{
            ReadContext,
            authz::{Authorizer, Resource},
            paging::size,
        },
        questions::{
            access::known,
            changes::{self, Asked, MomentRange},
        },
    },
};

/// Most principals looked at for one page.
const LOOKS_MAX: usize = 5_000;
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
    match understand(reading, &uri).await {
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
    let mut items = Vec::new();
    let mut last = unpacked(&between.after)?;
    let mut next = None;
    let mut looked = 0;
    'pages: loop {
        let some = match only {
            Some(one) if last.is_none() => vec![*one],
            Some(_) => Vec::new(),
            None => permit.rows_of_today().principals(reading.org, last, FETCH)?,
        };
        if some.is_empty() {
            break;
        }
        for principal in some {
            let change = comparison.of(principal)?;
            let is_full = !change.is_empty() && items.len() == *limit;
            if is_full || looked == LOOKS_MAX {
                next = last.map(|last| between.next(reading, *from, &packed(last)));
                break 'pages;
            }
            if !change.is_empty() {
                items.push(changes::change(&mut authorizer, principal, change)?);
            }
            last = Some(principal);
            looked += 1;
        }
    }
    Ok(Diff { from: changes::moment(reading, *from), to: changes::moment(reading, *to), items, next })
}

/// A principal as cursors have it: 1 user or 2 token, and the id.
fn packed(principal: Principal) -> Vec<u8> {
    let (kind, id) = match principal {
        Principal::User(id) => (1, id.bytes()),
        Principal::Token(id) => (2, id.bytes()),
    };
    let mut bytes = vec![kind];
    bytes.extend(id);
    bytes
}

fn unpacked(bytes: &[u8]) -> Result<Option<Principal>, Failure> {
    let Some((kind, id)) = bytes.split_first() else { return Ok(None) };
    match (kind, id.try_into()) {
        (1, Ok(id)) => Ok(Some(Principal::User(Id::from_bytes(id)))),
        (2, Ok(id)) => Ok(Some(Principal::Token(Id::from_bytes(id)))),
        _ => Err(Failure::invalid("the parameter cursor is not one of this list")),
    }
}
