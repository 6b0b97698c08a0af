//! The audit log: records by filters, one record with what it changed, and all of them to take away.

use askama::Template;
use axum::{
    body::Body,
    extract::Path,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use grantbook_api::{
    client::{ClientError, Lines},
    people::{
        names::{NameBook, NameError},
        reference::PrincipalArg,
    },
    questions::{
        audit::{AuditDaysQuery, AuditQuery, NDJSON, Order},
        diff::DiffQuery,
    },
};

use crate::{
    frame::Frame,
    pages::ask::beginning,
    shown::{
        account,
        change::{self, ShownBoth},
        days::{self, HEIGHT, Plot},
        form::{Asked, Fields},
        paging::{self, ITEMS},
        record::{self, FEW, ShownRecord},
    },
    visit::{Stop, Visit, encoded, page_of, trouble},
};

const PART: &str = "/console/audit";
const FILTERS: [&str; 5] = ["actor", "event", "from", "to", "about"];

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    asked: Fields,
    plot: Option<Plot>,
    records: Vec<ShownRecord>,
    next: Option<String>,
    download: String,
}

/// The filters, as the API takes them.
async fn query(visit: &Visit, asked: &Fields) -> Result<AuditQuery, NameError> {
    let actor = match asked.text("actor") {
        Some(text) if matches!(text.as_str(), "system" | "operator") => Some(text),
        Some(text) => {
            let arg: PrincipalArg = text.parse().map_err(NameError::Malformed)?;
            let found = visit.client.principal_of(&arg).await?;
            Some(format!("{}:{}", found.kind, found.id))
        }
        None => None,
    };
    let mut query = AuditQuery {
        actor,
        event: asked.text("event"),
        from: beginning(asked, "from")?,
        to: beginning(asked, "to")?,
        ..AuditQuery::default()
    };
    match asked.text("about").as_deref().and_then(|about| about.split_once(':')) {
        Some(("group", id)) => query.group = Some(id.to_owned()),
        Some(("project", id)) => query.project = Some(id.to_owned()),
        Some((kind @ ("user" | "token"), id)) => query.principal = Some(format!("{kind}:{id}")),
        Some((kind, id)) => query.object = Some(format!("{kind}:{id}")),
        None => {}
    }
    Ok(query)
}

/// The days with records, and the fields with what the slider chose as the end. Who may not read the log has no use for its filters.
async fn with_day(visit: &Visit, asked: Fields) -> Result<(Option<Plot>, Fields), Stop> {
    let days = async |to: Option<String>| {
        let query = AuditDaysQuery { from: None, to };
        visit.client.audit_days(&query).await.map(|answer| answer.value)
    };
    let newest = days(None).await?;
    let day = asked.text("day").and_then(|after| days::chosen(&newest.first, &after));
    let Some(day) = day else { return Ok((days::plot(&newest, None), asked)) };
    let asked = match days::next(day) {
        Some(end) => asked.with("to", &end.to_string()),
        None => asked,
    };
    Ok((days::plot(&days(Some(day.to_string())).await?, Some(day)), asked))
}

pub(crate) async fn list(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    let mut frame = visit.frame("Audit", PART, "grantbook audit --since 30d");
    let (plot, asked) = with_day(&visit, asked).await?;
    let (mut records, mut cursor) = (Vec::new(), None);
    match found(&visit, &asked).await {
        Ok((rows, next, position)) => {
            (records, cursor) = (rows, next);
            frame.position = position;
        }
        Err(error) => frame.trouble = Some(trouble(&error)?),
    }
    let status = if frame.trouble.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let next = paging::next(PART, &asked, &FILTERS, cursor);
    let given = FILTERS.iter().filter_map(|name| Some(format!("{name}={}", encoded(&asked.text(name)?))));
    let download = format!("{PART}/download?{}", given.collect::<Vec<_>>().join("&"));
    Ok((status, page_of(&AuditPage { frame, asked, plot, records, next, download })).into_response())
}

type Rows = (Vec<ShownRecord>, Option<String>, Option<String>);

async fn found(visit: &Visit, asked: &Fields) -> Result<Rows, NameError> {
    let query = AuditQuery {
        order: Some(Order::Desc),
        limit: Some(ITEMS),
        cursor: asked.text("cursor"),
        ..query(visit, asked).await?
    };
    let answer = visit.client.audit(&query).await?;
    let names = NameBook::new(&visit.client);
    let mut rows = Vec::new();
    for item in &answer.value.items {
        rows.push(record::row(item, &names, FEW).await);
    }
    Ok((rows, answer.value.next, answer.position))
}

/// Events that the page of a record puts into words; below them is the whole record.
const EVENTS: usize = 200;

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    frame: Frame,
    record: ShownRecord,
    credential: String,
    request_id: String,
    changes: Vec<ShownBoth>,
    json: String,
}

pub(crate) async fn record(visit: Visit, Path(position): Path<String>) -> Result<Response, Stop> {
    let client = &visit.client;
    let query = AuditQuery {
        to: Some(position.clone()),
        order: Some(Order::Desc),
        limit: Some(2),
        ..AuditQuery::default()
    };
    let items = client.audit(&query).await?.value.items;
    let item = items.first().filter(|item| item.position == position);
    let Some(item) = item else {
        return Err(Stop::failed(StatusCode::NOT_FOUND, "not_found", "there is no record at this position"));
    };
    let mut changes = Vec::new();
    if let Some(before) = items.get(1) {
        let query = DiffQuery {
            from: before.position.clone(),
            to: Some(position.clone()),
            limit: Some(ITEMS),
            ..DiffQuery::default()
        };
        let found = account::seen(client.diff(&query).await.map(|answer| answer.value.items))?;
        changes = found.iter().map(change::both).collect();
    }
    let mut frame = visit.frame(format!("Record {position}"), PART, "grantbook audit --json");
    frame.position = Some(position);
    let page = RecordPage {
        frame,
        record: record::row(item, &NameBook::new(client), EVENTS).await,
        credential: item.credential.clone().unwrap_or_else(|| "-".to_owned()),
        request_id: item.request_id.clone(),
        changes,
        json: serde_json::to_string_pretty(item).unwrap_or_default(),
    };
    Ok(page_of(&page))
}

/// The whole answer to the filters, a record a line, as the API gives it; its last line says that it is whole.
pub(crate) async fn download(visit: Visit, Asked(asked): Asked) -> Result<Response, Stop> {
    let query = match query(&visit, &asked).await {
        Ok(query) => query,
        Err(error) => {
            return Err(Stop::failed(StatusCode::UNPROCESSABLE_ENTITY, "invalid", trouble(&error)?));
        }
    };
    let lines = visit.client.audit_lines(&query).await?;
    let body = Body::from_stream(stream::try_unfold(lines, async |mut lines: Lines| {
        let line = lines.next().await?;
        Ok::<_, ClientError>(line.map(|mut line| {
            line.push(b'\n');
            (line, lines)
        }))
    }));
    Ok(([(CONTENT_TYPE, NDJSON)], body).into_response())
}
