//! What is there, as far as the file is about it, and the names of it.

use std::collections::HashMap;

use grantbook_api::{
    client::Client,
    nouns::{
        grants::{Grant, GrantQuery},
        groups::Group,
        members::Member,
        projects::Project,
        roles::Role,
        tokens::Token,
        users::User,
    },
    words::list::{ListQuery, PageQuery},
};

use crate::declare::file::Declared;

/// The present lists.
#[derive(Debug, Default)]
pub(super) struct Present {
    pub(super) projects: Vec<Project>,
    pub(super) users: Vec<User>,
    pub(super) tokens: Vec<Token>,
    pub(super) roles: Vec<Role>,
    pub(super) groups: Vec<Group>,
    /// By group id, of the groups whose members the file lists.
    pub(super) members: HashMap<String, Vec<Member>>,
    pub(super) grants: Vec<Grant>,
}

impl Present {
    /// Reads them, each complete; only whoever finds the head unmoved afterwards knows that they are of one moment.
    pub(super) async fn read(client: &Client, declared: &Declared) -> anyhow::Result<Self> {
        let all = ListQuery::default();
        let mut present = Self {
            projects: client.every(&["v1", "projects"], &all).await?,
            users: client.every(&["v1", "users"], &all).await?,
            tokens: client.every(&["v1", "tokens"], &all).await?,
            roles: client.every(&["v1", "roles"], &all).await?,
            groups: client.every(&["v1", "groups"], &all).await?,
            ..Self::default()
        };
        if !declared.grants.is_empty() || declared.groups.iter().any(|group| group.grants.is_some()) {
            present.grants = client.every(&["v1", "grants"], &GrantQuery::default()).await?;
        }
        for group in declared.groups.iter().filter(|group| group.members.is_some()) {
            let Some(known) = present.groups.iter().find(|known| known.name == group.name) else { continue };
            let path = ["v1", "groups", &known.id, "members"];
            let members = client.every(&path, &PageQuery::default()).await?;
            present.members.insert(known.id.clone(), members);
        }
        Ok(present)
    }
}
