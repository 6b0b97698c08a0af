//! `grantbook grant history`: what was ever granted, and what of it still holds.

use clap::Args;
use grantbook_api::{
    nouns::grants::Effect,
    people::{
        events::event_words,
        explanation::{by, grantee_words},
        names::Kind,
        reference::GranteeArg,
        text::clean,
    },
    questions::{
        audit::Order,
        grant_history::{GrantHistoryQuery, GrantState, GrantedItem, Reach},
    },
};

use crate::{questions::audit::actor_id, shared::session::Session};

const EXAMPLES: &str = "\
Examples:
  grantbook grant history --by user:ada@example.com --project P
  grantbook grant history --to group:apps --newest-first
  grantbook grant history --project P --json | jq '.items[] | select(.holds)'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HistoryArgs {
    /// Given by: `user:EMAIL`, `token:NAME`, `system` or `operator`.
    #[arg(long)]
    by: Option<String>,
    /// Given to this grantee: `token:NAME`, `user:EMAIL` or `group:NAME`.
    #[arg(long)]
    to: Option<GranteeArg>,
    /// Reaching into this project, or an object in it, while in force: by name or id.
    #[arg(long)]
    project: Option<String>,
    /// Newest first.
    #[arg(long)]
    newest_first: bool,
}

pub(crate) async fn run(session: &Session, args: HistoryArgs) -> anyhow::Result<()> {
    let mut query =
        GrantHistoryQuery { order: args.newest_first.then_some(Order::Desc), ..Default::default() };
    if let Some(by) = &args.by {
        query.by = Some(actor_id(session, by).await?);
    }
    if let Some(to) = &args.to {
        let to = session.grantee(to).await?;
        query.to = Some(format!("{}:{}", to.kind, to.id));
    }
    if let Some(project) = &args.project {
        query.project = Some(session.id(Kind::Project, project).await?);
    }
    let items: Vec<GrantedItem> = session.client.every(&["v1", "grants", "history"], &query).await?;
    if session.out.is_json() {
        session.out.items(&items)?;
        return Ok(());
    }
    for line in items.iter().flat_map(|item| lines(item, query.project.is_some())) {
        session.out.line(&clean(&line))?;
    }
    let holding = items.iter().filter(|item| item.holds).count();
    session.out.note(&format!("{} granted, {holding} of them still hold", items.len()));
    Ok(())
}

/// What was granted, who did it, and what has become of it.
fn lines(item: &GrantedItem, of_project: bool) -> Vec<String> {
    let GrantedItem { grant, given, .. } = item;
    let verb = match grant.effect {
        Effect::Allow => "is granted",
        Effect::Deny => "is denied",
    };
    let gives = match (&item.role, &grant.permissions) {
        (Some(role), _) if role.name.is_empty() => role.id.clone(),
        (Some(role), _) => role.name.clone(),
        (None, permissions) => permissions.as_deref().unwrap_or_default().join(", "),
    };
    let only = grant.object_type.as_ref().map(|name| format!(", for objects of type {name} only"));
    let until = grant.expires_at.as_ref().map(|at| format!(" until {at}"));
    let from = item.source_ip.as_ref().map(|ip| format!(", from {ip}"));
    let mut lines = vec![
        format!(
            "{} {verb} {gives} on {}{}{}",
            grantee_words(&grant.to),
            item.scope,
            only.unwrap_or_default(),
            until.unwrap_or_default()
        ),
        format!("  grant {} given {}{}", grant.id, by(given), from.unwrap_or_default()),
    ];
    lines.push(format!("  {}", state_words(item, of_project)));
    lines.extend(item.ended.as_ref().map(|end| format!("  {} {}", event_words(&end.event), by(end))));
    lines
}

fn state_words(item: &GrantedItem, of_project: bool) -> &'static str {
    match item.state {
        GrantState::InForce if item.holds && item.reach == Some(Reach::Below) => {
            "still holds, on an object in the project"
        }
        GrantState::InForce if item.holds => "still holds",
        GrantState::InForce if of_project => "in force, but no longer covers the project",
        GrantState::InForce => "in force",
        GrantState::Revoked => "revoked",
        GrantState::GranteeEnded => "over: whom it was given to has ended",
        GrantState::ObjectEnded => "over: what it was given on has ended",
        GrantState::Expired => "expired",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_grant_is_told_with_its_author_and_its_end() {
        let record = |event: &str| {
            json!({"position": "p7", "event": event, "about": "", "credential": "k1", "reason": "ci",
                "at": "2026-01-02T03:04:05.006Z", "actor": {"type": "user", "id": "u", "name": "ada@example.com"}})
        };
        let item = json!({
            "grant": {"id": "g1", "to": {"type": "group", "id": "gr", "name": "apps"}, "role": "r",
                "on": {"projects": {"include": "all"}}, "effect": "allow", "object_type": null, "expires_at": null,
                "reason": "ci", "created_at": "2026-01-02T03:04:05.006Z"},
            "role": {"id": "r", "name": "Engineer"}, "scope": "all projects", "given": record("GrantCreated"),
            "source_ip": "127.0.0.1", "reach": "project", "state": "revoked", "holds": false,
            "ended": record("GrantRevoked"),
        });
        let told = lines(&serde_json::from_value(item).unwrap(), true).join("\n");
        let expected = "\
group:apps is granted Engineer on all projects
  grant g1 given by user:ada@example.com at 2026-01-02T03:04:05.006Z with key k1 (position p7): \"ci\", from 127.0.0.1
  revoked
  grant revoked by user:ada@example.com at 2026-01-02T03:04:05.006Z with key k1 (position p7): \"ci\"";
        assert_eq!(told, expected);
    }
}
