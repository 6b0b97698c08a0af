//! Records as they come, and how this node is.

use std::convert::Infallible;

use askama::Template;
use axum::response::{
    IntoResponse as _, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::stream;
use grantbook_api::{
    client::{Client, ClientError, Watch, WatchMessage},
    people::{changes::change_lines, names::NameBook, text::clean},
    questions::{
        audit::{AuditQuery, Order},
        feed::ChangeType,
        watch::WatchQuery,
    },
};

use crate::{
    frame::Frame,
    shown::{
        account,
        form::Asked,
        record::{self, FEW, ShownRecord},
    },
    visit::{Stop, Visit, page_of},
};

const PART: &str = "/console/live";
/// Records that the page begins with.
const BEGINNING: u32 = 30;

/// How a node is.
struct Node {
    name: String,
    state: String,
    position: String,
    lag: String,
    digest: String,
    heard: String,
}

#[derive(Template)]
#[template(path = "live.html")]
struct LivePage {
    frame: Frame,
    problems: Vec<String>,
    /// This node, then the others.
    nodes: Vec<Node>,
    /// Whether the caller may read the audit log.
    may_watch: bool,
    records: Vec<ShownRecord>,
    from: String,
}

#[derive(Template)]
#[template(path = "live_record.html")]
struct RecordPart {
    record: ShownRecord,
}

#[derive(Template)]
#[template(path = "live_change.html")]
struct ChangePart {
    gained: bool,
    lines: Vec<String>,
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Stop> {
    let client = &visit.client;
    let query = AuditQuery { order: Some(Order::Desc), limit: Some(BEGINNING), ..AuditQuery::default() };
    let found = account::seen(client.audit(&query).await.map(|answer| Some(answer.value.items)))?;
    let (may_watch, items) = (found.is_some(), found.unwrap_or_default());
    let names = NameBook::new(client);
    let mut records = Vec::new();
    for item in &items {
        records.push(record::row(item, &names, FEW).await);
    }
    let (nodes, problems) = nodes(client).await;
    let mut frame = visit.frame("Live", PART, "grantbook watch");
    frame.position = items.first().map(|item| item.position.clone());
    let from = frame.position.clone().unwrap_or_default();
    Ok(page_of(&LivePage { frame, problems, nodes, may_watch, records, from }))
}

/// This node and the others, and what ails this one.
async fn nodes(client: &Client) -> (Vec<Node>, Vec<String>) {
    let unknown = || "-".to_owned();
    match client.readiness().await {
        Ok(answer) => {
            let found = answer.value;
            let own = Node {
                name: format!("this node ({})", found.role),
                state: found.state,
                position: found.position.unwrap_or_else(unknown),
                lag: frames(found.lag_frames),
                digest: found.view_digest.unwrap_or_else(unknown),
                heard: unknown(),
            };
            let others = found.peers.into_iter().map(|peer| Node {
                name: clean(&peer.name.unwrap_or(peer.node)),
                state: clean(&peer.state),
                position: peer.position.unwrap_or_else(unknown),
                lag: frames(peer.lag_frames),
                digest: peer.view_digest.unwrap_or_else(unknown),
                heard: format!("{} s ago", peer.heard_ms / 1000),
            });
            let problems = [found.reason, found.disagreement, found.journal_doubt];
            (std::iter::once(own).chain(others).collect(), problems.into_iter().flatten().collect())
        }
        Err(error) => (Vec::new(), vec![format!("This node does not answer: {error}")]),
    }
}

fn frames(count: u64) -> String {
    if count == 1 { "1 frame".to_owned() } else { format!("{count} frames") }
}

/// Records and changes of access from a position on, each as a part of the page (server-sent events, HTML standard, section 9.2). The event `ended`
/// says that the caller may watch no more.
pub(crate) async fn records(visit: Visit, Asked(asked): Asked) -> Response {
    let query = WatchQuery { from: asked.text("from"), ..WatchQuery::default() };
    let watch = visit.client.watch(query);
    let events = stream::unfold(Some((watch, visit.client)), async |going: Option<(Watch, Client)>| {
        let (mut watch, client) = going?;
        let (event, is_over) = next(&mut watch, &client).await;
        Some((Ok::<_, Infallible>(event), (!is_over).then_some((watch, client))))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

async fn next(watch: &mut Watch, client: &Client) -> (Event, bool) {
    match watch.next().await {
        Ok(watched) => match watched.message {
            WatchMessage::Record(item) => {
                let record = record::row(&item, &NameBook::new(client), FEW).await;
                let html = RecordPart { record }.render().unwrap_or_default();
                (Event::default().id(watched.id).data(html.trim_end()), false)
            }
            WatchMessage::Stale(told) => {
                (Event::default().event(if told.stale { "stale" } else { "fresh" }).data("-"), false)
            }
            WatchMessage::Change(change) => {
                let lines = change_lines(&change, &NameBook::new(client)).await;
                let lines = lines.iter().map(|line| clean(line)).collect();
                let gained = change.kind == ChangeType::AccessGained;
                let html = ChangePart { gained, lines }.render().unwrap_or_default();
                (Event::default().id(watched.id).data(html.trim_end()), false)
            }
        },
        Err(error) => (ended(&error), true),
    }
}

/// `ended`: the session is over, so that the page has to be asked for again. `stopped`: something else is in the way.
fn ended(error: &ClientError) -> Event {
    let is_over = matches!(error, ClientError::WatchEnded(_)) || error.status() == Some(401);
    Event::default()
        .event(if is_over { "ended" } else { "stopped" })
        .data(error.to_string().replace(['\r', '\n'], " "))
}
