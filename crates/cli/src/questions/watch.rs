//! `grantbook watch`: records and changes of access as they come.

use clap::{Args, ValueEnum};
use grantbook_api::{
    client::WatchMessage,
    people::{
        names::{Kind, NameBook},
        reference::PrincipalArg,
        text::clean,
    },
    questions::{
        feed::{AccessChange, ChangeType, ChangedAccess, ProjectIds, Who},
        watch::{WatchKind, WatchQuery, WatchStale},
    },
    words::reference::{GranteeType, NamedGrantee, ObjectRef, PrincipalRef},
};
use serde_json::json;

use crate::{questions::audit, shared::session::Session};

/// Most accounts or projects that a line for people lists.
const LISTED_MAX: usize = 8;

const EXAMPLES: &str = "\
Examples:
  grantbook watch
  grantbook watch --from start --kind change --principal token:ci-bot
  grantbook watch --event GrantCreated,AccessLost --project production
  grantbook watch --json --from POSITION      # one message a line, with the id to go on from

A connection that breaks off is made again, and nothing is lost or shown twice.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WatchArgs {
    /// Beyond this position, or `start`; without it, what comes from now on.
    #[arg(long, value_name = "POSITION", allow_hyphen_values = true)]
    from: Option<String>,
    /// Only these events, such as `KeyRevoked` or `AccessLost`, separated by commas.
    #[arg(long, value_name = "NAMES")]
    event: Option<String>,
    /// Only concerning `token:NAME` or `user:EMAIL`.
    #[arg(long)]
    principal: Option<PrincipalArg>,
    /// Only concerning this project.
    #[arg(long)]
    project: Option<String>,
    /// Only records, or only changes of access.
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KindArg {
    /// What was decided.
    Record,
    /// Who gained and lost what.
    Change,
}

pub(crate) async fn run(session: &Session, args: WatchArgs) -> anyhow::Result<()> {
    let WatchArgs { from, event, principal, project, kind } = args;
    let mut query = WatchQuery { from, event, ..WatchQuery::default() };
    query.kind = kind.map(|kind| match kind {
        KindArg::Record => WatchKind::Record,
        KindArg::Change => WatchKind::Change,
    });
    if let Some(principal) = &principal {
        let principal = session.principal(principal).await?;
        query.principal = Some(format!("{}:{}", principal.kind, principal.id));
    }
    if let Some(project) = &project {
        query.project = Some(session.id(Kind::Project, project).await?);
    }
    let mut watch = session.client.watch(query);
    loop {
        let watched = watch.next().await?;
        if session.out.is_json() {
            let line = match &watched.message {
                WatchMessage::Record(record) => json!({"id": watched.id, "event": "record", "data": record}),
                WatchMessage::Change(change) => json!({"id": watched.id, "event": "change", "data": change}),
                WatchMessage::Stale(stale) => json!({"id": watched.id, "event": "stale", "data": stale}),
            };
            session.out.json_line(&line)?;
            continue;
        }
        // A stream may go on for months: names are looked up anew for each message.
        let names = NameBook::new(&session.client);
        match &watched.message {
            WatchMessage::Record(record) => {
                audit::print(session, &names, std::slice::from_ref(record)).await?;
            }
            WatchMessage::Stale(stale) => session.out.note(&stale_line(stale)),
            WatchMessage::Change(change) => {
                for line in change_lines(change, &names).await {
                    session.out.line(&clean(&line))?;
                }
            }
        }
    }
}

/// For who looks on: it is no message.
fn stale_line(told: &WatchStale) -> String {
    if told.stale {
        let WatchStale { lag_frames, age_ms, .. } = told;
        format!("this node is stale: {lag_frames} frames behind, {age_ms} ms without proof of more")
    } else {
        "what comes is fresh again".to_owned()
    }
}

/// A change in words: one line for each row of what was gained or lost.
async fn change_lines(change: &AccessChange, names: &NameBook<'_>) -> Vec<String> {
    let verb = match change.kind {
        ChangeType::AccessGained => "gained",
        ChangeType::AccessLost => "lost",
    };
    let who = who(&change.who, names).await;
    let expired = change.causes.iter().any(|cause| cause.expiry);
    let why = if expired { "  (a time passed)" } else { "" };
    let mut lines = Vec::new();
    for row in &change.access {
        let (permissions, places) = (row.permissions.join(", "), places(row, names).await);
        let types = row.object_types.join(", ");
        lines.push(format!("{}  {who} {verb} {permissions} on {types} {places}{why}", change.at));
    }
    lines
}

async fn who(who: &Who, names: &NameBook<'_>) -> String {
    match who {
        Who::Only(list) => people(list, names).await,
        Who::Group(group) => {
            let name = names.full(Kind::Group, &group.id).await;
            if group.except.is_empty() {
                format!("everybody in {name}")
            } else {
                format!("everybody in {name} but {}", people(&group.except, names).await)
            }
        }
    }
}

async fn people(list: &[PrincipalRef], names: &NameBook<'_>) -> String {
    let mut shown = Vec::new();
    for one in list.iter().take(LISTED_MAX) {
        let kind = GranteeType::from(one.kind);
        shown.push(names.grantee(&NamedGrantee { kind, id: one.id.clone(), name: None }).await);
    }
    listed(&shown, list.len())
}

async fn places(row: &ChangedAccess, names: &NameBook<'_>) -> String {
    let mut places = Vec::new();
    if row.organization {
        places.push("in the organization".to_owned());
    }
    match &row.projects {
        ProjectIds::Only(ids) if ids.is_empty() => {}
        ProjectIds::Only(ids) => places.push(format!("in {}", projects(ids, names).await)),
        ProjectIds::AllBut(ids) if ids.is_empty() => places.push("in all projects".to_owned()),
        ProjectIds::AllBut(ids) => {
            places.push(format!("in all projects but {}", projects(ids, names).await));
        }
    }
    let objects = |objects: &[ObjectRef]| {
        let shown: Vec<String> = objects
            .iter()
            .take(LISTED_MAX)
            .map(|object| match &object.project {
                Some(project) => format!("{}:{} of {project}", object.object_type, object.id),
                None => format!("{}:{}", object.object_type, object.id),
            })
            .collect();
        listed(&shown, objects.len())
    };
    if !row.objects.is_empty() {
        places.push(format!("on {}", objects(&row.objects)));
    }
    if !row.except_objects.is_empty() {
        places.push(format!("not on {}", objects(&row.except_objects)));
    }
    places.join(", ")
}

async fn projects(ids: &[String], names: &NameBook<'_>) -> String {
    let mut shown = Vec::new();
    for id in ids.iter().take(LISTED_MAX) {
        shown.push(names.name(Kind::Project, id).await);
    }
    listed(&shown, ids.len())
}

fn listed(shown: &[String], count: usize) -> String {
    let more = count.saturating_sub(shown.len());
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
