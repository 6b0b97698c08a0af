//! `GET /v1/report`: who had what, by which grant, given by whom

mod form;
mod words;

use axum::{
    http::{
        HeaderMap, HeaderValue, Uri,
        header::{ACCEPT, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use grantbook_api::{
    questions::{
        audit::NDJSON,
        report::{CSV, Population, ReportEnd, ReportFormat, ReportHead, ReportQuery},
    },
    words::{header, reference::Named},
};
use grantbook_domain::{
    access::rights::Ask, id::ProjectId, model, principal::Principal, refusal::Kind, time::Timestamp,
};
use grantbook_views::{self as views, ReportFilter};

use self::{form::Form, words::Words};
use crate::{
    http::{problem::Failure, query, respond::with_position},
    read::{
        context::{
            Permit, ReadContext,
            authz::{Authorizer, Resource},
            streaming::{self, Sink, Streamed},
        },
        questions::access::known,
    },
    schedule::Class,
};

/// A chunk of the stream ends with the row that makes it this long, in bytes.
const CHUNK_BYTES: usize = 256 << 10;
/// How many principals are looked up together.
const FETCH: usize = 1_000;

/// A question that was understood.
#[derive(Debug)]
struct Question {
    format: ReportFormat,
    only: Option<Principal>,
    filter: ReportFilter,
    head: ReportHead,
    /// How many principals there are to be looked at.
    principals: u64,
}

pub(crate) async fn get(reading: ReadContext, uri: Uri, headers: HeaderMap) -> Response {
    let position = reading.position_text.clone();
    let accepted = accepted(&headers);
    let begun = reading.on_thread(Class::Questions, move |reading| {
        understand(&reading, &uri, accepted).map(|question| (reading, question))
    });
    let answer = begun.await.and_then(|(reading, question)| streamed(reading, question));
    with_position(answer.unwrap_or_else(IntoResponse::into_response), &position)
}

/// The first form that the caller accepts by name.
fn accepted(headers: &HeaderMap) -> ReportFormat {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let named = accept.split(',').filter_map(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        if is(CSV) {
            Some(ReportFormat::Csv)
        } else if is(NDJSON) {
            Some(ReportFormat::Ndjson)
        } else {
            is("application/json").then_some(ReportFormat::Json)
        }
    });
    named.into_iter().next().unwrap_or(ReportFormat::Json)
}

fn understand(reading: &ReadContext, uri: &Uri, accepted: ReportFormat) -> Result<Question, Failure> {
    let query: ReportQuery = query::read(uri)?;
    let mut authorizer = Authorizer::new(reading)?;
    let permit = authorizer.require(Ask::Report, &Resource::Whole)?;
    let only = query.principal.as_deref().map(|text| known(permit, text)).transpose()?;
    let filter = filter(permit, &query)?;
    let population = permit.rows().population(reading.org, reading.at())?;
    let organization = permit.rows_of_today().organization(reading.org)?;
    let named = |one: views::Organization| Named { id: one.id.to_string(), name: one.name };
    let format = query.format.unwrap_or(accepted);
    let head = ReportHead {
        organization: organization.map(named).ok_or_else(|| Failure::not_found(Kind::Organization))?,
        position: reading.position_text.clone(),
        at: (reading.at() != Timestamp::from_millis(i64::MIN)).then(|| reading.at().to_string()),
        filters: ReportQuery { format: None, ..query },
        generated_at: reading.now.to_string(),
        generated_by: authorizer.actor(reading.caller.principal.into())?,
        credential: reading.caller.key.map(|id| id.to_string()),
        population: shown(population),
    };
    let principals = if only.is_some() { 1 } else { population.users + population.tokens };
    Ok(Question { format, only, filter, head, principals })
}

/// What is not there is an error: a report about nothing would read like one in which nobody had anything.
fn filter(permit: Permit<'_>, query: &ReportQuery) -> Result<ReportFilter, Failure> {
    let (snapshot, org) = (permit.rows(), &permit.reading().org);
    let wrong = |name: &str| Failure::invalid(format!("the parameter {name} must be an id"));
    let group = query.group.as_deref().map(|text| text.parse().map_err(|_| wrong("group"))).transpose()?;
    if let Some(id) = &group {
        let found = snapshot.get::<model::Group>(*org, id)?;
        found.ok_or_else(|| Failure::not_found(Kind::Group))?;
    }
    let project: Option<ProjectId> =
        query.project.as_deref().map(|text| text.parse().map_err(|_| wrong("project"))).transpose()?;
    if let Some(id) = &project {
        let found = snapshot.get::<model::Project>(*org, id)?;
        found.filter(|one| one.ended_at.is_none()).ok_or_else(|| Failure::not_found(Kind::Project))?;
    }
    if let Some(name) = &query.permission {
        let known = snapshot.catalog(*org)?.permission(name).is_some();
        known.then_some(()).ok_or_else(|| {
            Failure::invalid(
                "the parameter permission must be one of the catalog's, as it was at the moment asked about",
            )
        })?;
    }
    Ok(ReportFilter { group, project, permission: query.permission.clone() })
}

fn shown(found: views::Population) -> Population {
    let views::Population {
        users,
        users_ended,
        tokens,
        tokens_ended,
        groups,
        projects,
        grants,
        grants_ended,
        records,
    } = found;
    Population { users, users_ended, tokens, tokens_ended, groups, projects, grants, grants_ended, records }
}

fn streamed(reading: ReadContext, question: Question) -> Result<Response, Failure> {
    let kind = match question.format {
        ReportFormat::Csv => "text/csv; charset=utf-8; header=present",
        ReportFormat::Json => "application/json",
        ReportFormat::Ndjson => NDJSON,
    };
    let principals = question.principals;
    let mut response = reading.stream(move |reading, sink| stream_all(reading, &question, sink))?;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::PRINCIPALS, principals.into());
    Ok(response)
}

/// Sends everything, some principals a chunk, until there is no more or nobody listens.
fn stream_all(reading: &ReadContext, question: &Question, sink: &Sink) -> Result<Streamed, Failure> {
    let Question { format, only, filter, head, principals: _ } = question;
    let form = Form(*format);
    let mut authorizer = Authorizer::new(reading)?;
    let permit = authorizer.require(Ask::Report, &Resource::Whole)?;
    let mut report = permit.rows().report(reading.org, reading.at(), filter.clone())?;
    let mut words = Words::new(authorizer, permit, form);
    let mut end = ReportEnd { rows: 0, principals: 0, position: head.position.clone() };
    let mut chunk = Vec::new();
    form.begin(&mut chunk, head)?;
    let mut last = None;
    loop {
        let some = match only {
            Some(one) if last.is_none() => vec![*one],
            Some(_) => Vec::new(),
            None => permit.rows_of_today().principals(reading.org, last, FETCH)?,
        };
        if some.is_empty() {
            break;
        }
        for principal in some {
            let lines = report.of(principal)?;
            end.principals += u64::from(!lines.is_empty());
            let taken = words.rows(principal, &lines, |row| {
                end.rows += 1;
                form.row(&mut chunk, row, end.rows)?;
                // A principal may have very many rows: somebody must still be there to take them.
                let is_full = chunk.len() >= CHUNK_BYTES;
                Ok(!is_full || streaming::send_bytes(sink, std::mem::take(&mut chunk)))
            })?;
            if !taken {
                return Ok(Streamed::NobodyListens);
            }
            last = Some(principal);
        }
    }
    form.end(&mut chunk, head, &end)?;
    let sent = streaming::send_bytes(sink, chunk);
    Ok(if sent { Streamed::Whole } else { Streamed::NobodyListens })
}
