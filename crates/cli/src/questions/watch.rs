//! `grantbook watch`: records and changes of access as they come.

use clap::{Args, ValueEnum};
use grantbook_api::{
    client::WatchMessage,
    people::{
        changes::change_lines,
        names::{Kind, NameBook},
        reference::PrincipalArg,
        text::clean,
    },
    questions::watch::{WatchKind, WatchQuery, WatchStale},
};
use serde_json::json;

use crate::{questions::audit, shared::session::Session};

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
