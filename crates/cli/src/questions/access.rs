//! `grantbook access`

use clap::Args;
use grantbook_api::{
    questions::access::{AccessEntry, AccessQuery, ProjectChoice, TypeChoice},
    words::{
        list::LIMIT_MAX,
        reference::{Named, NamedObject},
    },
};

use crate::shared::{reference::PrincipalArg, session::Session};

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

pub(crate) fn types(choice: &TypeChoice) -> String {
    match choice {
        TypeChoice::Only(names) => listed(names),
        TypeChoice::AllBut(names) if names.is_empty() => "all".to_owned(),
        TypeChoice::AllBut(names) => format!("all but {}", names.join(", ")),
    }
}

pub(crate) fn projects(choice: &ProjectChoice) -> String {
    let names = |list: &[Named]| list.iter().map(|project| project.name.clone()).collect::<Vec<_>>();
    match choice {
        ProjectChoice::Only(list) => listed(&names(list)),
        ProjectChoice::AllBut(list) if list.is_empty() => "all".to_owned(),
        ProjectChoice::AllBut(list) => format!("all but {}", names(list).join(", ")),
    }
}

pub(crate) fn objects(only: &[NamedObject], except: &[NamedObject]) -> String {
    let name = |object: &NamedObject| {
        format!("{}:{}", object.object_type, object.name.as_ref().unwrap_or(&object.id))
    };
    let only: Vec<String> = only.iter().map(name).collect();
    let except: Vec<String> = except.iter().map(name).collect();
    if except.is_empty() { listed(&only) } else { format!("{}; not {}", listed(&only), except.join(", ")) }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_none_and_exceptions_are_told_apart() {
        let project = |name: &str| Named { id: "i".into(), name: name.into() };
        assert_eq!(projects(&ProjectChoice::AllBut(vec![])), "all");
        assert_eq!(projects(&ProjectChoice::AllBut(vec![project("production")])), "all but production");
        assert_eq!(projects(&ProjectChoice::Only(vec![])), "-");
        assert_eq!(projects(&ProjectChoice::Only(vec![project("a"), project("b")])), "a, b");
        assert_eq!(types(&TypeChoice::AllBut(vec!["group".into()])), "all but group");
    }
}
