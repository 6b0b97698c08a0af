//! `grantbook who-can`, `grantbook accessible`, `grantbook permissions`

use clap::Args;
use grantbook_api::{
    questions::{
        check::CheckObject,
        reverse::{AccessibleQuery, Holder, PermissionsQuery, WhoCanQuery},
    },
    words::reference::{NamedObject, NamedPrincipal},
};

use crate::shared::{
    output::or_dash,
    reference::{ObjectArg, PrincipalArg},
    session::Session,
};

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
    let query = WhoCanQuery { permission, object, project, limit: LIMIT, cursor: None, as_of: None };
    let holders: Vec<Holder> = session.client.every(&["v1", "who-can"], &query).await?;
    session.out.list(&holders, &["PRINCIPAL", "BY WAY OF", "GIVES", "ON", "GRANT"], holder)?;
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

fn holder(holder: &Holder) -> Vec<String> {
    let Holder { principal, path } = holder;
    let groups: Vec<String> = path
        .via
        .iter()
        .map(|step| if step.group.name.is_empty() { &step.group.id } else { &step.group.name })
        .map(|name| format!("group:{name}"))
        .collect();
    let way = if groups.is_empty() { "itself".to_owned() } else { groups.join(" > ") };
    let gives = match (&path.role, &path.grant.permissions) {
        (Some(role), _) if role.name.is_empty() => role.id.clone(),
        (Some(role), _) => role.name.clone(),
        (None, permissions) => permissions.clone().unwrap_or_default().join(", "),
    };
    vec![named(principal), way, gives, path.matched.scope.clone(), path.grant.id.clone()]
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
        let row = holder(&serde_json::from_value(body).unwrap());
        assert_eq!(row, ["token:ci-bot", "group:low > group:b", "Engineer", "the organization", "g1"]);
    }
}
