//! Organizations that are costly to ask about, each made in a few batches.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::tenant::{Tenant, id, post};

/// Conditions that are looked up: a label of its own each.
pub fn labels(count: usize) -> Vec<Value> {
    (0..count).map(|number| json!({"label": {format!("l{number}"): "x"}})).collect()
}

/// Conditions that are not: name patterns with six stars each, different for each `first`.
pub fn patterns(first: usize, count: usize) -> Vec<Value> {
    (0..count).map(|number| json!({"name": format!("*a*b*c*d*{first}-{number}*")})).collect()
}

/// A long project name in which these patterns search for long, and find nothing.
pub fn long_name(number: u64) -> String {
    format!("{}{number}", "abcd".repeat(58))
}

/// A service token that holds a grant on a selector, and may grant on it.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The token's id.
    pub token: String,
    /// Its key.
    pub key: String,
    /// The id of its grant.
    pub grant: String,
    /// Conditions that the grant includes.
    pub include: Vec<Value>,
    /// Conditions that it excludes.
    pub exclude: Vec<Value>,
}

impl Holder {
    /// Makes it.
    pub fn make(tenant: &Tenant, name: &str, include: Vec<Value>, exclude: Vec<Value>) -> Result<Self> {
        let on = json!({"projects": {"include": include, "exclude": exclude}});
        let grant = json!({"to": {"type": "token", "id": "$0.id"}, "on": on,
            "permissions": ["read", "create_acls", "read_acls"]});
        let made = tenant.batch(&[
            post("/v1/tokens", json!({"name": name})),
            post("/v1/tokens/$0.id/keys", json!({})),
            post("/v1/grants", grant),
        ])?;
        let [token, key, grant] = made.as_slice() else { anyhow::bail!("three results") };
        let secret = key["secret"].as_str().context("a new key shows its secret")?.to_owned();
        Ok(Self { token: id(token)?, key: secret, grant: id(grant)?, include, exclude })
    }

    /// A grant of what the holder holds, without the last of the excludes if it is to exceed that.
    pub fn grant(&self, exceeding: bool, expires_at: Option<&str>) -> Value {
        let count = self.exclude.len() - usize::from(exceeding);
        let exclude = self.exclude.get(..count).unwrap_or_default();
        let mut grant = json!({"to": {"type": "token", "id": self.token}, "permissions": ["read"],
            "on": {"projects": {"include": self.include, "exclude": exclude}}});
        if let Some(at) = expires_at {
            grant["expires_at"] = at.into();
        }
        grant
    }
}

/// Nested groups with a grant each, and a service token at the bottom.
#[derive(Debug, Clone)]
pub struct Nested {
    /// The groups; the token is in the last of a chain, and in the first of a nest.
    pub groups: Vec<String>,
    /// The token's id.
    pub token: String,
    /// Its key.
    pub key: String,
    /// The project that all grants are on.
    pub project: String,
}

impl Nested {
    /// Groups of which each is in the one before.
    pub fn chain(tenant: &Tenant, name: &str, groups: usize) -> Result<Self> {
        let made = Self::unlinked(tenant, name, groups)?;
        made.link(tenant, &|above, below| below == above + 1, groups - 1)?;
        Ok(made)
    }

    /// Groups of which each is in all later ones: paths double with each group.
    pub fn nest(tenant: &Tenant, name: &str, groups: usize) -> Result<Self> {
        let made = Self::unlinked(tenant, name, groups)?;
        made.link(tenant, &|above, below| below < above, 0)?;
        Ok(made)
    }

    fn unlinked(tenant: &Tenant, name: &str, groups: usize) -> Result<Self> {
        let commands = [
            post("/v1/projects", json!({"name": format!("{name} project")})),
            post("/v1/tokens", json!({"name": format!("{name} token")})),
            post("/v1/tokens/$1.id/keys", json!({})),
        ];
        let made = tenant.batch(&commands)?;
        let [project, token, key] = made.as_slice() else { anyhow::bail!("three results") };
        let secret = key["secret"].as_str().context("a new key shows its secret")?.to_owned();
        let named: Vec<Value> = (0..groups)
            .map(|number| post("/v1/groups", json!({"name": format!("{name} {number}")})))
            .collect();
        let groups = tenant.batch_ids(&named)?;
        let project = id(project)?;
        let grants: Vec<Value> = groups.iter().map(|group| grant_on(group, &project)).collect();
        tenant.batch(&grants)?;
        Ok(Self { groups, token: id(token)?, key: secret, project })
    }

    /// Nests the groups as `is_in` says, from the top, and puts the token into one of them.
    fn link(&self, tenant: &Tenant, is_in: &dyn Fn(usize, usize) -> bool, token_in: usize) -> Result<()> {
        let mut commands = Vec::new();
        for (above, group) in self.groups.iter().enumerate() {
            for (below, member) in self.groups.iter().enumerate() {
                if is_in(above, below) {
                    commands.push(member_of(group, "group", member));
                }
            }
        }
        let group = self.groups.get(token_in).context("the group of the token")?;
        commands.push(member_of(group, "token", &self.token));
        tenant.batch(&commands).map(drop)
    }

    /// The question why the token may read the project.
    pub fn question(&self) -> Value {
        json!({"principal": {"type": "token", "id": self.token}, "permission": "read",
            "object": {"type": "project", "id": self.project}})
    }
}

/// Many service tokens at the bottom of a chain of groups, with a grant on a project each.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// The groups; each is in the one before.
    pub groups: Vec<String>,
    /// Ids of the tokens, all in the last group.
    pub tokens: Vec<String>,
    /// Ids of the projects.
    pub projects: Vec<String>,
    /// A position from before the tokens were in the group.
    pub before: String,
}

impl Crowd {
    /// So many tokens, groups and projects.
    pub fn make(tenant: &Tenant, [people, groups, projects]: [usize; 3]) -> Result<Self> {
        let named = |path: &str, kind: &str, count: usize| -> Result<Vec<String>> {
            let one = |number| post(path, json!({"name": format!("{kind} {number}")}));
            tenant.batch_ids(&(0..count).map(one).collect::<Vec<_>>())
        };
        let projects = named("/v1/projects", "project", projects)?;
        let groups = named("/v1/groups", "group", groups)?;
        let tokens = named("/v1/tokens", "token", people)?;
        let mut commands: Vec<Value> =
            groups.iter().zip(&projects).map(|(group, project)| grant_on(group, project)).collect();
        let pairs = groups.iter().zip(groups.iter().skip(1));
        commands.extend(pairs.map(|(above, below)| member_of(above, "group", below)));
        tenant.batch(&commands)?;
        let before = tenant.position()?;
        let last = groups.last().context("a group")?;
        let members: Vec<Value> = tokens.iter().map(|token| member_of(last, "token", token)).collect();
        tenant.batch(&members)?;
        Ok(Self { groups, tokens, projects, before })
    }
}

/// Keys of so many service tokens that may do everything in the organization.
pub fn mighty(tenant: &Tenant, name: &str, count: usize) -> Result<Vec<String>> {
    let each = |number| -> Result<String> {
        let made = tenant.batch(&[
            post("/v1/tokens", json!({"name": format!("{name} {number}")})),
            post("/v1/tokens/$0.id/keys", json!({})),
            post(
                "/v1/grants",
                json!({"to": {"type": "token", "id": "$0.id"}, "role": "Owner", "on": {"organization": true}}),
            ),
        ])?;
        let secret = made.get(1).and_then(|key| key["secret"].as_str());
        Ok(secret.context("a new key shows its secret")?.to_owned())
    };
    (0..count).map(each).collect()
}

/// Ids of so many roles, from the oldest to the newest.
pub fn roles(tenant: &Tenant, name: &str, count: usize) -> Result<Vec<String>> {
    let one = |number| json!({"name": format!("{name} {number}"), "permissions": [{"permission": "read"}]});
    tenant.batch_ids(&(0..count).map(|number| post("/v1/roles", one(number))).collect::<Vec<_>>())
}

/// A batch that lets each role include the next newer one, in chains of so many inclusions; or none any more.
pub fn inclusions(roles: &[String], chain: usize, included: bool) -> Value {
    let pairs = roles.iter().zip(roles.iter().skip(1)).enumerate();
    let pairs = pairs.filter(|(number, _)| (number + 1) % (chain + 1) != 0);
    let commands: Vec<Value> = pairs
        .map(|(_, (older, newer))| {
            let newer = if included { json!([newer]) } else { json!([]) };
            json!({"method": "PATCH", "path": format!("/v1/roles/{older}"), "body": {"includes": newer}})
        })
        .collect();
    json!({"commands": commands})
}

fn grant_on(group: &str, project: &str) -> Value {
    let on = json!({"object": {"type": "project", "id": project}});
    post("/v1/grants", json!({"to": {"type": "group", "id": group}, "permissions": ["read"], "on": on}))
}

fn member_of(group: &str, kind: &str, member: &str) -> Value {
    post(&format!("/v1/groups/{group}/members"), json!({"member": {"type": kind, "id": member}}))
}
