//! Changes of access as they come, in words.

use crate::{
    people::names::{Kind, NameBook},
    questions::feed::{AccessChange, ChangeType, ChangedAccess, ProjectIds, Who},
    words::reference::{GranteeType, NamedGrantee, ObjectRef, PrincipalRef},
};

/// Most accounts or projects that a line for people lists.
const LISTED_MAX: usize = 8;

/// A change in words: one line for each row of what was gained or lost.
pub async fn change_lines(change: &AccessChange, names: &NameBook<'_>) -> Vec<String> {
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

/// How many users and service tokens a plan affects without showing them; nothing if there are none.
pub fn others_not_shown(count: u64) -> Option<String> {
    let who = match count {
        0 => return None,
        1 => "1 user or service token gains or loses".to_owned(),
        more => format!("{more} users and service tokens gain or lose"),
    };
    Some(format!("{who} access; you need read_acls on the organization to see who, and what"))
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
