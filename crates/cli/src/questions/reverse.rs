//! `grantbook who-can`, `grantbook accessible`, `grantbook permissions`

use anyhow::bail;
use clap::Args;
use grantbook_api::{
    people::reference::{ObjectArg, PrincipalArg},
    questions::{
        check::CheckObject,
        explain::Path,
        reverse::{AccessibleQuery, Holder, PermissionsQuery, WaysForm, WhoCan, WhoCanQuery},
    },
    words::reference::{NamedObject, NamedPrincipal},
};

use crate::shared::{output::or_dash, session::Session};

/// Items of a page: as many as there may be.
const LIMIT: Option<u32> = Some(1000);

#[derive(Debug, Args)]
pub(crate) struct WhoCanArgs {
    /// Which permission of the catalog.
    permission: String,
    /// On what: `project:NAME`, `group:NAME`, `role:NAME`, `type:id`, or a type that exists once.
    object: ObjectArg,
    /// Project, by name or id, of an object below a project that is not registered.
    #[arg(long)]
    project: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AccessibleArgs {
    /// `token:NAME` or `user:EMAIL`.
    principal: PrincipalArg,
    /// Which permission of the catalog.
    permission: String,
    /// Which type of objects.
    #[arg(value_name = "TYPE")]
    object_type: String,
}

#[derive(Debug, Args)]
pub(crate) struct PermissionsArgs {
    /// `token:NAME` or `user:EMAIL`.
    principal: PrincipalArg,
    /// On what: `project:NAME`, `group:NAME`, `role:NAME`, `type:id`, or a type that exists once.
    object: ObjectArg,
    /// Project, by name or id, of an object below a project that is not registered.
    #[arg(long)]
    project: Option<String>,
}

pub(crate) async fn who_can(session: &Session, args: WhoCanArgs) -> anyhow::Result<()> {
    let WhoCanArgs { permission, object, project } = args;
    let CheckObject { object_type, id, project } = session.asked_object(&object, project.as_deref()).await?;
    let object = format!("{object_type}:{id}");
    let ways = (!session.out.is_json()).then_some(WaysForm::Shared);
    let mut query =
        WhoCanQuery { permission, object, project, ways, limit: LIMIT, cursor: None, as_of: None };
    if session.out.is_json() {
        let holders: Vec<Holder> = session.client.every(&["v1", "who-can"], &query).await?;
        session.out.items(&holders)?;
        return Ok(());
    }
    let mut table = session.out.open_table(&["PRINCIPAL", "BY WAY OF", "GIVES", "ON", "GRANT"]);
    loop {
        let WhoCan { items, ways, next, .. } = session.client.who_can(&query).await?.value;
        let rows: Vec<_> = items.iter().filter_map(|one| holder(one, &ways)).collect();
        if rows.len() != items.len() {
            bail!("the server gave a holder without its way");
        }
        table.rows(&rows)?;
        query.cursor = next;
        if query.cursor.is_none() {
            break;
        }
    }
    table.end();
    Ok(())
}

pub(crate) async fn accessible(session: &Session, args: AccessibleArgs) -> anyhow::Result<()> {
    let AccessibleArgs { principal, permission, object_type } = args;
    let principal = session.principal(&principal).await?;
    let principal = format!("{}:{}", principal.kind, principal.id);
    let query =
        AccessibleQuery { principal, permission, object_type, limit: LIMIT, cursor: None, as_of: None };
    let objects: Vec<NamedObject> = session.client.every(&["v1", "accessible"], &query).await?;
    let row = |object: &NamedObject| {
        vec![object.object_type.clone(), or_dash(object.name.as_deref()), object.id.clone()]
    };
    session.out.list(&objects, &["TYPE", "NAME", "ID"], row)?;
    Ok(())
}

pub(crate) async fn permissions(session: &Session, args: PermissionsArgs) -> anyhow::Result<()> {
    let PermissionsArgs { principal, object, project } = args;
    let principal = session.principal(&principal).await?;
    let CheckObject { object_type, id, project } = session.asked_object(&object, project.as_deref()).await?;
    let principal = format!("{}:{}", principal.kind, principal.id);
    let query = PermissionsQuery { principal, object: format!("{object_type}:{id}"), project, as_of: None };
    let held = session.client.permissions(&query).await?.value;
    if session.out.is_json() {
        session.out.json(&held)?;
        return Ok(());
    }
    for permission in &held.permissions {
        session.out.line(permission)?;
    }
    if held.permissions.is_empty() {
        session.out.note("none");
    }
    Ok(())
}

/// A row for a holder; none if its way is missing.
fn holder(holder: &Holder, ways: &[Path]) -> Option<Vec<String>> {
    let Holder { principal, path, way, via, record: _ } = holder;
    let path = path.as_ref().or_else(|| ways.get((*way)?))?;
    let groups: Vec<String> = via
        .iter()
        .chain(&path.via)
        .map(|step| if step.group.name.is_empty() { &step.group.id } else { &step.group.name })
        .map(|name| format!("group:{name}"))
        .collect();
    let way = if groups.is_empty() { "itself".to_owned() } else { groups.join(" > ") };
    let gives = match (&path.role, &path.grant.permissions) {
        (Some(role), _) if role.name.is_empty() => role.id.clone(),
        (Some(role), _) => role.name.clone(),
        (None, permissions) => permissions.clone().unwrap_or_default().join(", "),
    };
    Some(vec![named(principal), way, gives, path.matched.scope.clone(), path.grant.id.clone()])
}

fn named(principal: &NamedPrincipal) -> String {
    format!("{}:{}", principal.kind, principal.name.as_ref().unwrap_or(&principal.id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_names_the_chain_and_what_is_granted_where() {
        let body = json!({
            "principal": {"type": "token", "id": "t", "name": "ci-bot"},
            "path": {
                "grant": {"id": "g1", "to": {"type": "group", "id": "b"}, "role": "r", "permissions": null,
                    "on": {"organization": true}, "effect": "allow", "object_type": null, "expires_at": null,
                    "reason": null, "created_at": "2026-01-02T03:04:05.006Z"},
                "role": {"id": "r", "name": "Engineer"},
                "via": [{"member": {"type": "token", "id": "t"}, "group": {"id": "a", "name": "low"}, "expires_at": null},
                    {"member": {"type": "group", "id": "a"}, "group": {"id": "b", "name": ""}, "expires_at": null}],
                "matched": {"scope": "the organization", "covers": {"type": "project", "id": "p"}, "why": ""},
                "records": [],
            },
        });
        let mut one: Holder = serde_json::from_value(body).unwrap();
        let expected = ["token:ci-bot", "group:low > group:b", "Engineer", "the organization", "g1"];
        assert_eq!(holder(&one, &[]).unwrap(), expected);
        let mut way = one.path.take().unwrap();
        assert_eq!(holder(&one, &[way.clone()]), None, "neither a path nor a way");
        (one.way, one.via) = (Some(0), Some(way.via.remove(0)));
        assert_eq!(holder(&one, &[way]).unwrap(), expected);
        assert_eq!(holder(&one, &[]), None, "a way that is not there");
    }
}
