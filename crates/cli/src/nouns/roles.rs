//! `grantbook role`

use clap::{Args, Subcommand};
use grantbook_api::{
    nouns::roles::{CreateRole, Role, RolePermission, UpdateRole},
    people::names::{Kind, NameBook},
    words::list::ListQuery,
};

use crate::shared::{output::or_dash, session::Session};

#[derive(Debug, Subcommand)]
pub(crate) enum RoleVerb {
    /// Make a role; prints its id.
    Create {
        /// Unique among the living roles.
        name: String,
        /// What it gives, separated by commas: `read` on everything, `update:dataset` on that type only.
        #[arg(long, value_name = "PERMISSIONS", value_delimiter = ',', value_parser = role_permission)]
        permissions: Vec<RolePermission>,
        /// A role to include, by name or id; repeat for several.
        #[arg(long = "include", value_name = "ROLE")]
        includes: Vec<String>,
    },
    /// List the roles that the key may see.
    List,
    /// Show a role.
    Show {
        /// Name or id.
        role: String,
    },
    /// Change a role; everybody who has it follows at once.
    Update(UpdateArgs),
    /// Delete a role that nothing uses.
    Delete {
        /// Name or id.
        role: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Name or id.
    role: String,
    /// New name.
    #[arg(long)]
    name: Option<String>,
    /// New permissions, replacing all.
    #[arg(long, value_name = "PERMISSIONS", value_delimiter = ',', value_parser = role_permission)]
    permissions: Vec<RolePermission>,
    /// New includes, replacing all; repeat for several.
    #[arg(long = "include", value_name = "ROLE", conflicts_with = "no_includes")]
    includes: Vec<String>,
    /// Include no role any more.
    #[arg(long)]
    no_includes: bool,
}

pub(crate) async fn run(session: &Session, verb: RoleVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        RoleVerb::Create { name, permissions, includes } => {
            let includes = ids(session, &includes).await?;
            let answer = client.create_role(&CreateRole { name, permissions, includes }).await?;
            out.made(&answer, &answer.value.id, &format!("role:{}", answer.value.name))?;
        }
        RoleVerb::List => {
            let roles: Vec<Role> = client.every(&["v1", "roles"], &ListQuery::default()).await?;
            list(session, &roles).await?;
        }
        RoleVerb::Show { role } => {
            let id = session.id(Kind::Role, &role).await?;
            out.thing(&client.role(&id).await?.value)?;
        }
        RoleVerb::Update(args) => update(session, args).await?,
        RoleVerb::Delete { role } => {
            let id = session.id(Kind::Role, &role).await?;
            out.done(&client.delete_role(&id).await?, &format!("role:{role}"), "deleted")?;
        }
    }
    Ok(())
}

async fn update(session: &Session, args: UpdateArgs) -> anyhow::Result<()> {
    let UpdateArgs { role, name, permissions, includes, no_includes } = args;
    let id = session.id(Kind::Role, &role).await?;
    let includes =
        if no_includes || !includes.is_empty() { Some(ids(session, &includes).await?) } else { None };
    let body = UpdateRole { name, permissions: Some(permissions).filter(|list| !list.is_empty()), includes };
    let answer = session.client.update_role(&id, &body).await?;
    session.out.done(&answer, &format!("role:{}", answer.value.name), "updated")?;
    Ok(())
}

async fn ids(session: &Session, roles: &[String]) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for role in roles {
        ids.push(session.id(Kind::Role, role).await?);
    }
    Ok(ids)
}

async fn list(session: &Session, roles: &[Role]) -> anyhow::Result<()> {
    if session.out.is_json() {
        session.out.items(roles)?;
        return Ok(());
    }
    let names = NameBook::new(&session.client);
    for role in roles {
        names.learn(Kind::Role, &role.id, &role.name);
    }
    let mut rows = Vec::new();
    for role in roles {
        let mut includes = Vec::new();
        for id in &role.includes {
            includes.push(names.name(Kind::Role, id).await);
        }
        let includes = Some(includes.join(",")).filter(|words| !words.is_empty());
        rows.push(vec![role.name.clone(), gives(role), or_dash(includes.as_deref()), role.id.clone()]);
    }
    session.out.table(&["NAME", "PERMISSIONS", "INCLUDES", "ID"], &rows)?;
    Ok(())
}

/// Owner's permissions are every one of the catalog, also of the future: its list says nothing.
fn gives(role: &Role) -> String {
    if role.builtin && role.permissions.is_empty() {
        return "every permission".to_owned();
    }
    permission_words(&role.permissions)
}

fn permission_words(permissions: &[RolePermission]) -> String {
    let words: Vec<String> = permissions
        .iter()
        .map(|RolePermission { permission, object_type }| match object_type {
            Some(object_type) => format!("{permission}:{object_type}"),
            None => permission.clone(),
        })
        .collect();
    if words.is_empty() { "-".to_owned() } else { words.join(",") }
}

/// A permission of a role, as it is written: `read` or `update:dataset`.
#[expect(
    clippy::unnecessary_wraps,
    reason = "clap wants a parser that could fail; the server judges the words"
)]
pub(crate) fn role_permission(text: &str) -> Result<RolePermission, String> {
    let (permission, object_type) = match text.split_once(':') {
        Some((permission, object_type)) => (permission, Some(object_type.to_owned())),
        None => (text, None),
    };
    Ok(RolePermission { permission: permission.to_owned(), object_type })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_may_be_bound_to_a_type() {
        let bound = role_permission("update:dataset").unwrap();
        assert_eq!((bound.permission.as_str(), bound.object_type.as_deref()), ("update", Some("dataset")));
        assert_eq!(role_permission("read").unwrap().object_type, None);
        assert_eq!(permission_words(&[bound, role_permission("read").unwrap()]), "update:dataset,read");
    }
}
