//! `grantbook access`

use clap::Args;
use grantbook_api::{
    people::{
        access::{objects, projects, types},
        reference::PrincipalArg,
    },
    questions::access::{AccessEntry, AccessQuery},
    words::list::LIMIT_MAX,
};

use crate::shared::session::Session;

#[derive(Debug, Args)]
pub(crate) struct AccessArgs {
    /// `token:NAME` or `user:EMAIL`.
    principal: PrincipalArg,
}

pub(crate) async fn run(session: &Session, args: AccessArgs) -> anyhow::Result<()> {
    let principal = session.principal(&args.principal).await?;
    let mut query = AccessQuery {
        principal: format!("{}:{}", principal.kind, principal.id),
        limit: Some(LIMIT_MAX),
        cursor: None,
        as_of: None,
    };
    let mut access = session.client.access(&query).await?.value;
    let mut table =
        session.out.open_table(&["PERMISSION", "ON TYPES", "ORGANIZATION", "PROJECTS", "OBJECTS"]);
    loop {
        query.cursor = access.next.take();
        if !session.out.is_json() {
            table.rows(&access.permissions.drain(..).map(|entry| row(&entry)).collect::<Vec<_>>())?;
        }
        if query.cursor.is_none() {
            break;
        }
        let more = session.client.access(&query).await?.value;
        access.permissions.extend(more.permissions);
        access.next = more.next;
    }
    if session.out.is_json() {
        session.out.json(&access)?;
    } else {
        table.end();
    }
    Ok(())
}

fn row(entry: &AccessEntry) -> Vec<String> {
    vec![
        entry.permission.clone(),
        types(&entry.object_types),
        if entry.organization { "yes" } else { "-" }.to_owned(),
        projects(&entry.projects),
        objects(&entry.objects, &entry.except_objects),
    ]
}
