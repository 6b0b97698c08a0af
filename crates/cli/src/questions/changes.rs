//! `grantbook diff` and `grantbook timeline`: how access changed.

use std::str::FromStr;

use clap::Args;
use grantbook_api::{
    people::{
        access, explanation::actor_words, names::Kind, reference::PrincipalArg, text::clean, when::Bound,
    },
    questions::{
        access::AccessLine,
        diff::{Diff, DiffQuery, Moment, PrincipalChange},
        timeline::{Cause, StepRecord, Timeline, TimelineQuery, TimelineStep},
    },
    words::list::LIMIT_MAX,
};

use crate::shared::session::Session;

const DIFF_EXAMPLES: &str = "\
Examples:
  grantbook diff 30d
  grantbook diff 2026-01-01T00:00:00Z 2026-02-01T00:00:00Z --project production
  grantbook diff 7d --principal token:ci-bot --json";

/// Two moments.
#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub(crate) struct DiffArgs {
    /// The earlier moment: 30d (ago), RFC 3339 or a position.
    #[arg(allow_hyphen_values = true)]
    from: Bound,
    /// The later moment, likewise; now if absent.
    #[arg(allow_hyphen_values = true)]
    to: Option<Bound>,
    /// Only of `token:NAME` or `user:EMAIL`.
    #[arg(long)]
    principal: Option<PrincipalArg>,
    /// Only on this project, and in it.
    #[arg(long)]
    project: Option<String>,
}

/// Whose access, or to what.
#[derive(Debug, Clone)]
pub(crate) enum AboutArg {
    /// Of an account.
    Principal(PrincipalArg),
    /// Of everybody to a project, by name or id.
    Project(String),
}

impl FromStr for AboutArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("project", name)) if !name.is_empty() => Ok(Self::Project(name.to_owned())),
            _ => {
                text.parse().map(Self::Principal).map_err(|fault: String| format!("{fault}, or project:NAME"))
            }
        }
    }
}

/// Whose access, and since when.
#[derive(Debug, Args)]
pub(crate) struct TimelineArgs {
    /// `token:NAME` or `user:EMAIL`; or `project:NAME` for everybody's access to a project.
    about: AboutArg,
    /// Since: 30d, 12h, RFC 3339 or a position; from the beginning if absent.
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    since: Option<Bound>,
    /// Until: 30d (ago), RFC 3339 or a position.
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    until: Option<Bound>,
}

pub(crate) async fn diff(session: &Session, args: DiffArgs) -> anyhow::Result<()> {
    let mut query = DiffQuery {
        from: args.from.text()?,
        to: args.to.as_ref().map(Bound::text).transpose()?,
        limit: Some(LIMIT_MAX),
        ..DiffQuery::default()
    };
    if let Some(principal) = &args.principal {
        query.principal = Some(id_of(session, principal).await?);
    }
    if let Some(project) = &args.project {
        query.project = Some(session.id(Kind::Project, project).await?);
    }
    let mut whole: Option<Diff> = None;
    let mut last = None;
    loop {
        let Diff { from, to, items, next } = session.client.diff(&query).await?.value;
        query.cursor = next;
        if session.out.is_json() {
            let whole = whole.get_or_insert_with(|| Diff { from, to, items: Vec::new(), next: None });
            whole.items.extend(items);
        } else {
            if whole.is_none() {
                session.out.line(&clean(&format!("From {} to {}:", moment(&from), moment(&to))))?;
                whole = Some(Diff { from, to, items: Vec::new(), next: None });
            }
            for change in items {
                // What is longer than a page goes on under the same name.
                let lines = change_lines(&change);
                let shown = usize::from(last.as_ref() == Some(&change.principal));
                for line in lines.iter().skip(shown) {
                    session.out.line(&clean(line))?;
                }
                last = Some(change.principal);
            }
        }
        if query.cursor.is_none() {
            break;
        }
    }
    match whole {
        Some(diff) if session.out.is_json() => session.out.json(&diff)?,
        Some(_) if last.is_none() => session.out.line("nobody's access differs")?,
        Some(_) | None => {}
    }
    Ok(())
}

pub(crate) async fn timeline(session: &Session, args: TimelineArgs) -> anyhow::Result<()> {
    let (principal, project) = match &args.about {
        AboutArg::Principal(principal) => (Some(id_of(session, principal).await?), None),
        AboutArg::Project(name) => (None, Some(session.id(Kind::Project, name).await?)),
    };
    let mut query = TimelineQuery {
        principal,
        project,
        from: args.since.as_ref().map(Bound::text).transpose()?,
        to: args.until.as_ref().map(Bound::text).transpose()?,
        limit: Some(LIMIT_MAX),
        cursor: None,
    };
    loop {
        let Timeline { items, next, .. } = session.client.timeline(&query).await?.value;
        for step in &items {
            if session.out.is_json() {
                session.out.json_line(step)?;
                continue;
            }
            for line in step_lines(step) {
                session.out.line(&clean(&line))?;
            }
        }
        query.cursor = next;
        if query.cursor.is_none() {
            return Ok(());
        }
    }
}

async fn id_of(session: &Session, arg: &PrincipalArg) -> anyhow::Result<String> {
    let principal = session.principal(arg).await?;
    Ok(format!("{}:{}", principal.kind, principal.id))
}

fn moment(moment: &Moment) -> String {
    match &moment.at {
        Some(at) => format!("{at} (position {})", moment.position),
        None => "before the beginning".to_owned(),
    }
}

fn step_lines(step: &TimelineStep) -> Vec<String> {
    let mut lines = vec![match step.cause {
        Cause::Record => format!("{}  (position {})", step.at, step.position),
        Cause::Expiry => format!("{}  a time passed that was set by", step.at),
    }];
    lines.extend(step.records.iter().map(|record| record_line(record, step.cause)));
    lines.extend(step.changes.iter().flat_map(change_lines));
    lines
}

fn record_line(record: &StepRecord, cause: Cause) -> String {
    let at = match cause {
        Cause::Record => String::new(),
        Cause::Expiry => format!(" at {} (position {})", record.at, record.position),
    };
    let key = record.credential.as_ref().map(|id| format!(" with key {id}")).unwrap_or_default();
    let reason = record.reason.as_ref().map(|reason| format!(": \"{reason}\"")).unwrap_or_default();
    format!("  {} by {}{at}{key}{reason}", record.events.join(", "), actor_words(&record.actor))
}

fn change_lines(change: &PrincipalChange) -> Vec<String> {
    let principal = &change.principal;
    let mut lines =
        vec![format!("  {}:{}", principal.kind, principal.name.as_ref().unwrap_or(&principal.id))];
    lines.extend(change.gained.iter().map(|row| format!("    + {}", row_words(row))));
    lines.extend(change.lost.iter().map(|row| format!("    - {}", row_words(row))));
    lines
}

/// A row on one line, such as `update on project, dataset in all but production`.
fn row_words(row: &AccessLine) -> String {
    let mut places = Vec::new();
    if row.organization {
        places.push("the whole organization".to_owned());
    }
    let projects = access::projects(&row.projects);
    if projects != "-" {
        places.push(format!("projects: {projects}"));
    }
    let objects = access::objects(&row.objects, &row.except_objects);
    if objects != "-" {
        places.push(format!("objects: {objects}"));
    }
    format!("{} on {} in {}", row.permissions.join(", "), access::types(&row.object_types), places.join("; "))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn step(cause: &str) -> TimelineStep {
        let row = |permission: &str, projects: Value| {
            json!({"permissions": [permission, "move"], "object_types": {"only": ["project", "dataset"]}, "organization": false,
                "projects": projects, "objects": []})
        };
        let production = json!({"all_but": [{"id": "p", "name": "production"}]});
        serde_json::from_value(json!({
            "at": "2026-01-02T03:04:05.006Z", "position": "p7", "cause": cause,
            "records": [{"position": "p3", "at": "2026-01-01T00:00:00.000Z", "credential": "k1", "reason": "for ci",
                "actor": {"type": "user", "id": "u", "name": "ada@example.com"}, "events": ["MemberAdded"]}],
            "changes": [{"principal": {"type": "token", "id": "t", "name": "ci-bot"},
                "gained": [row("update", production)], "lost": [row("read", json!({"only": []}))]}],
        }))
        .unwrap()
    }

    #[test]
    fn a_step_says_when_by_whom_and_what_changed() {
        let expected = "\
2026-01-02T03:04:05.006Z  (position p7)
  MemberAdded by user:ada@example.com with key k1: \"for ci\"
  token:ci-bot
    + update, move on project, dataset in projects: all but production
    - read, move on project, dataset in ";
        assert_eq!(step_lines(&step("record")).join("\n"), expected);
    }

    #[test]
    fn a_time_that_passed_names_the_record_that_set_it() {
        let lines = step_lines(&step("expiry"));
        assert_eq!(lines[0], "2026-01-02T03:04:05.006Z  a time passed that was set by");
        let record = "  MemberAdded by user:ada@example.com at 2026-01-01T00:00:00.000Z (position p3) with key k1: \"for ci\"";
        assert_eq!(lines[1], record);
    }
}
