//! `grantbook audit`

use std::{borrow::Borrow, path::PathBuf};

use clap::Args;
use grantbook_api::{
    people::{
        events,
        explanation::actor_words,
        names::{Kind, NameBook},
        reference::{ObjectArg, PrincipalArg},
        text::clean,
        when::Bound,
    },
    questions::audit::{AuditItem, AuditQuery, Order},
    words::{
        list::LIMIT_MAX,
        reference::{Actor, ActorType},
    },
};

use crate::{
    questions::audit_export,
    shared::{exit::Usage, session::Session},
};

const EXAMPLES: &str = "\
Examples:
  grantbook audit --since 30d
  grantbook audit --event GrantCreated --group not-production
  grantbook audit --actor user:ada@example.com --newest-first --limit 20
  grantbook audit --json | jq -r '.events[].type'
  grantbook audit --output audit.ndjson            # whole, or: go on with --resume
  grantbook audit --output audit.ndjson --resume

With --json and in a file, one record per line.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AuditArgs {
    /// Made by: `user:EMAIL`, `token:NAME`, `system` or `operator`.
    #[arg(long)]
    actor: Option<String>,
    /// Made with the key of this id.
    #[arg(long, value_name = "KEY")]
    credential: Option<String>,
    /// Concerning `token:NAME` or `user:EMAIL`.
    #[arg(long)]
    principal: Option<PrincipalArg>,
    /// Concerning this group.
    #[arg(long)]
    group: Option<String>,
    /// Concerning this project.
    #[arg(long)]
    project: Option<String>,
    /// Concerning this object.
    #[arg(long, value_name = "TYPE:ID")]
    object: Option<ObjectArg>,
    /// The project, by name or id, that --object lies in: two projects may use the same id.
    #[arg(long, requires = "object", value_name = "PROJECT")]
    object_project: Option<String>,
    /// Holding an event of one of these names, such as `KeyRevoked`, separated by commas.
    #[arg(long)]
    event: Option<String>,
    /// Since: 30d, 12h, RFC 3339 or a position.
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    since: Option<Bound>,
    /// Until: 30d (ago), RFC 3339 or a position.
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    until: Option<Bound>,
    /// Newest first.
    #[arg(long)]
    newest_first: bool,
    /// At most so many records.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Write all records found to this file, one a line as JSON.
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["newest_first", "limit"])]
    output: Option<PathBuf>,
    /// Go on where the file ends, with the filters that it was begun with: after an interruption, or for what came since.
    #[arg(long, requires = "output")]
    resume: bool,
}

pub(crate) async fn run(session: &Session, args: AuditArgs) -> anyhow::Result<()> {
    let mut query = query(session, &args).await?;
    if let Some(path) = &args.output {
        return audit_export::run(session, query, path, args.resume).await;
    }
    let names = NameBook::new(&session.client);
    let mut left = args.limit;
    loop {
        query.limit = Some(left.unwrap_or(LIMIT_MAX).min(LIMIT_MAX));
        let page = session.client.audit(&query).await?.value;
        print(session, &names, &page.items).await?;
        let shown = u32::try_from(page.items.len())?;
        left = left.map(|left| left.saturating_sub(shown));
        match page.next {
            Some(next) if left != Some(0) => query.cursor = Some(next),
            _ => return Ok(()),
        }
    }
}

async fn query(session: &Session, args: &AuditArgs) -> anyhow::Result<AuditQuery> {
    let mut query = AuditQuery {
        credential: args.credential.clone(),
        event: args.event.clone(),
        from: args.since.as_ref().map(Bound::text).transpose()?,
        to: args.until.as_ref().map(Bound::text).transpose()?,
        order: args.newest_first.then_some(Order::Desc),
        ..AuditQuery::default()
    };
    if let Some(actor) = &args.actor {
        query.actor = Some(actor_id(session, actor).await?);
    }
    if let Some(principal) = &args.principal {
        query.principal = Some(id_of(session, principal).await?);
    }
    if let Some(group) = &args.group {
        query.group = Some(session.id(Kind::Group, group).await?);
    }
    if let Some(project) = &args.project {
        query.project = Some(session.id(Kind::Project, project).await?);
    }
    if let Some(object) = &args.object {
        let object = session.object(object, args.object_project.as_deref()).await?;
        query.object = Some(format!("{}:{}", object.object_type, object.id));
        query.object_project = object.project;
    }
    Ok(query)
}

/// An actor as a query names it.
pub(crate) async fn actor_id(session: &Session, text: &str) -> anyhow::Result<String> {
    if matches!(text, "system" | "operator") {
        return Ok(text.to_owned());
    }
    id_of(session, &text.parse::<PrincipalArg>().map_err(Usage)?).await
}

async fn id_of(session: &Session, arg: &PrincipalArg) -> anyhow::Result<String> {
    let principal = session.principal(arg).await?;
    Ok(format!("{}:{}", principal.kind, principal.id))
}

pub(crate) async fn print(
    session: &Session,
    names: &NameBook<'_>,
    items: &[impl Borrow<AuditItem>],
) -> anyhow::Result<()> {
    for item in items {
        let item = item.borrow();
        if session.out.is_json() {
            session.out.json_line(item)?;
            continue;
        }
        let who = actor(&item.actor, names).await;
        let reason = item.reason.as_ref().map(|reason| format!("  \"{reason}\"")).unwrap_or_default();
        for event in &item.events {
            let what = events::words(event, names).await;
            session.out.line(&clean(&format!("{}  {who}  {what}{reason}", item.at)))?;
        }
    }
    Ok(())
}

async fn actor(actor: &Actor, names: &NameBook<'_>) -> String {
    let kind = match actor.kind {
        ActorType::User => Kind::User,
        ActorType::Token => Kind::Token,
        ActorType::System | ActorType::Operator => return actor_words(actor),
    };
    match (&actor.name, &actor.id) {
        (None, Some(id)) => names.full(kind, id).await,
        _ => actor_words(actor),
    }
}
