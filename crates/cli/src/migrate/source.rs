//! An organization of Braintrust, as its public API tells it. Members that are not needed here are ignored.

use std::fmt;

use anyhow::{Context, bail};
use grantbook_api::client::Client;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::shared::bar::Bar;

/// Items of a page.
const PAGE: usize = 100;
/// Most items of one list.
const ITEMS_MAX: usize = 100_000;

/// What of an organization is about access.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) users: Vec<User>,
    pub(super) service_tokens: Vec<ServiceToken>,
    pub(super) groups: Vec<Group>,
    pub(super) roles: Vec<Role>,
    pub(super) projects: Vec<Named>,
    pub(super) project_groups: Vec<ProjectGroup>,
    pub(super) acls: Vec<Acl>,
}

/// A person or a service account.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    #[serde(default)]
    pub(super) email: Option<String>,
    #[serde(default)]
    pub(super) given_name: Option<String>,
    #[serde(default)]
    pub(super) family_name: Option<String>,
}

/// A key of a service account.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ServiceToken {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) service_account_id: Option<String>,
    #[serde(default)]
    pub(super) service_account_name: Option<String>,
}

/// A group.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) member_users: Option<Vec<String>>,
    #[serde(default)]
    pub(super) member_groups: Option<Vec<String>>,
}

/// A role; without an organization it is built in.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Role {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) org_id: Option<String>,
    #[serde(default)]
    pub(super) member_permissions: Option<Vec<RolePermission>>,
    #[serde(default)]
    pub(super) member_roles: Option<Vec<String>>,
}

/// A permission of a role.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RolePermission {
    pub(super) permission: String,
    #[serde(default)]
    pub(super) restrict_object_type: Option<String>,
}

/// A project.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

/// A project group.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ProjectGroup {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) member_projects: Option<Vec<String>>,
}

/// An ACL.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Acl {
    pub(super) id: String,
    pub(super) object_type: String,
    pub(super) object_id: String,
    #[serde(default)]
    pub(super) user_id: Option<String>,
    #[serde(default)]
    pub(super) group_id: Option<String>,
    #[serde(default)]
    pub(super) permission: Option<String>,
    #[serde(default)]
    pub(super) role_id: Option<String>,
    #[serde(default)]
    pub(super) restrict_object_type: Option<String>,
}

impl Source {
    /// Reads all lists, each to its end.
    pub(super) async fn read(client: &Client, bar: &mut Bar) -> anyhow::Result<Self> {
        let mut reading = Reading { client, bar, items: 0, lists: 0 };
        Ok(Self {
            users: reading.list(&["user"]).await?,
            service_tokens: reading.list(&["service_token"]).await?,
            groups: reading.list(&["group"]).await?,
            roles: reading.list(&["role"]).await?,
            projects: reading.list(&["project"]).await?,
            project_groups: reading.list(&["project_group"]).await?,
            acls: reading.list(&["acl", "list_org"]).await?,
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { users, groups, roles, projects, project_groups, acls, service_tokens } = self;
        write!(
            f,
            "{} users and service accounts, {} service tokens, {} groups, {} roles, {} projects, {} project groups, {} ACLs",
            users.len(),
            service_tokens.len(),
            groups.len(),
            roles.len(),
            projects.len(),
            project_groups.len(),
            acls.len()
        )
    }
}

/// How many lists are read.
const LISTS: u64 = 7;

struct Reading<'a> {
    client: &'a Client,
    bar: &'a mut Bar,
    items: u64,
    lists: u64,
}

impl Reading<'_> {
    /// A list, page by page until one is empty.
    async fn list<T: DeserializeOwned>(&mut self, path: &[&str]) -> anyhow::Result<Vec<T>> {
        let name = path.join("/");
        let path: Vec<&str> = ["v1"].into_iter().chain(path.iter().copied()).collect();
        let (mut all, mut after) = (Vec::<Value>::new(), None::<String>);
        loop {
            let mut query = Map::new();
            query.insert("limit".to_owned(), json!(PAGE));
            if let Some(after) = &after {
                query.insert("starting_after".to_owned(), json!(after));
            }
            let answer = self.client.get::<Value>(&path, &query).await;
            let page = items(answer.with_context(|| format!("the list {name}"))?.value);
            let page =
                page.with_context(|| format!("the list {name} is not of the form that was expected"))?;
            let last = page.last().and_then(|item| item.get("id")?.as_str()).map(str::to_owned);
            let Some(last) = last else { break };
            // A server that ignores `starting_after` repeats its first page: stop there.
            if after.as_ref() == Some(&last) || all.len() > ITEMS_MAX {
                bail!("the list {name} does not end");
            }
            self.items += page.len() as u64;
            self.bar.show_import(self.items, self.lists, LISTS);
            all.extend(page);
            after = Some(last);
        }
        self.lists += 1;
        let living = all.into_iter().filter(|item| item.get("deleted_at").is_none_or(Value::is_null));
        let read = living.map(serde_json::from_value).collect::<Result<_, _>>();
        read.with_context(|| format!("the list {name} is not of the form that was expected"))
    }
}

/// What is on a page, in an envelope or without.
fn items(mut page: Value) -> Option<Vec<Value>> {
    let list = if page.is_object() { page.get_mut("objects")?.take() } else { page };
    if let Value::Array(items) = list { Some(items) } else { None }
}
