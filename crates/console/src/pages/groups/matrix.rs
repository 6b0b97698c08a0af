//! What the grants of a group give, as a matrix of permissions: shown, and ticked anew.

use std::collections::{BTreeMap, BTreeSet};

use grantbook_api::{
    client::Client,
    nouns::{
        batch::{BatchCommand, BatchMethod},
        grants::{CreateGrant, Effect, Grant, GrantQuery},
    },
    people::{names::NameBook, scope, text::clean},
};
use serde_json::{Value, json};

use crate::{
    pages::{grants::permissions, groups::group_ref, tokens::ALL},
    review::command,
    shown::{
        account::{self, ShownMembership},
        form::Fields,
    },
    visit::Stop,
};

/// Groups above a group whose grants a page shows.
const ABOVE: usize = 20;

/// What a grant does to a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    None,
    Direct,
    Inherited,
    Denied,
}

/// A grant as a row of the matrix.
pub(super) struct MatrixRow {
    /// Id of the grant.
    pub(super) grant: String,
    /// Whether its boxes can be ticked: a grant to the group itself, not built in, of permissions on every type.
    pub(super) is_open: bool,
    pub(super) on: String,
    pub(super) source: Option<String>,
    pub(super) is_deny: bool,
    pub(super) cells: Vec<Cell>,
}

/// The grants to a group, and to the groups that it is in, each with the name of where it comes from.
pub(super) async fn gathered(
    client: &Client,
    id: &str,
    name: &str,
    parents: &[ShownMembership],
) -> Result<Vec<(Grant, Option<String>)>, Stop> {
    let mut found = Vec::new();
    let mut open: Vec<(String, Option<String>)> = vec![(id.to_owned(), None)];
    open.extend(parents.iter().map(|group| (group.id.clone(), Some(group.name.clone()))));
    let mut seen: BTreeSet<String> = open.iter().map(|(id, _)| id.clone()).collect();
    let mut next = 0;
    while let Some((group, source)) = open.get(next).cloned() {
        next += 1;
        let query = GrantQuery { to: Some(format!("group:{group}")), limit: ALL, ..GrantQuery::default() };
        let grants = account::seen(client.grants(&query).await.map(|answer| answer.value.items))?;
        found.extend(grants.into_iter().map(|grant| (grant, source.clone())));
        if source.is_some() && open.len() < ABOVE {
            for above in account::memberships(client, &group_ref(&group)).await? {
                if seen.insert(above.id.clone()) {
                    open.push((above.id, Some(above.name)));
                }
            }
        }
    }
    tracing::trace!(group = name, grants = found.len(), "grants gathered");
    Ok(found)
}

/// Which permissions appear, and what each grant does to them.
pub(super) async fn matrix(
    client: &Client,
    grants: &[(Grant, Option<String>)],
    names: &NameBook<'_>,
    with_all: bool,
) -> Result<(Vec<String>, Vec<MatrixRow>), Stop> {
    let mut roles = Roles::new();
    let mut given = Vec::new();
    for (grant, _) in grants {
        given.push(gives(client, grant, &mut roles).await?);
    }
    let mut columns = permissions(client).await?;
    // The caller may not read the catalog: the permissions of the grants are columns all the same.
    let of_grants = given.iter().flat_map(|gives| &gives.permissions);
    let unlisted: BTreeSet<String> = of_grants.filter(|one| !columns.contains(one)).cloned().collect();
    columns.extend(unlisted);
    columns.retain(|one| with_all || given.iter().any(|gives: &Gives| gives.permissions.contains(one)));
    let mut rows = Vec::new();
    for ((grant, source), gives) in grants.iter().zip(given) {
        let is_deny = grant.effect == Effect::Deny;
        let full = match (is_deny, source) {
            (true, _) => Cell::Denied,
            (false, None) => Cell::Direct,
            (false, Some(_)) => Cell::Inherited,
        };
        let cells = columns
            .iter()
            .map(|one| if gives.permissions.contains(one) { full } else { Cell::None })
            .collect();
        rows.push(MatrixRow {
            grant: grant.id.clone(),
            is_open: source.is_none() && !grant.builtin && gives.is_plain,
            on: clean(&scope::words(&grant.on, names).await),
            source: source.clone(),
            is_deny,
            cells,
        });
    }
    Ok((columns, rows))
}

/// What a grant gives, or takes.
#[derive(Debug, Clone)]
struct Gives {
    permissions: BTreeSet<String>,
    /// Whether these are all of it, on every type: then a grant of permissions can stand for it.
    is_plain: bool,
}

/// What roles give, once they were looked up.
type Roles = BTreeMap<String, Gives>;

async fn gives(client: &Client, grant: &Grant, roles: &mut Roles) -> Result<Gives, Stop> {
    match (&grant.permissions, &grant.role) {
        (Some(permissions), _) => {
            Ok(Gives { permissions: permissions.iter().cloned().collect(), is_plain: true })
        }
        (None, Some(role)) => of_role(client, role, roles).await,
        (None, None) => Ok(Gives { permissions: BTreeSet::new(), is_plain: false }),
    }
}

/// The permissions of a role and of the roles that it includes, as far as the caller may read them.
async fn of_role(client: &Client, role: &str, known: &mut Roles) -> Result<Gives, Stop> {
    if let Some(gives) = known.get(role) {
        return Ok(gives.clone());
    }
    let mut gives = Gives { permissions: BTreeSet::new(), is_plain: true };
    let (mut open, mut seen) = (vec![role.to_owned()], BTreeSet::new());
    while let Some(id) = open.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        match client.role(&id).await {
            Ok(answer) => {
                gives.is_plain &= answer.value.permissions.iter().all(|one| one.object_type.is_none());
                gives.permissions.extend(answer.value.permissions.into_iter().map(|one| one.permission));
                open.extend(answer.value.includes);
            }
            Err(error) if matches!(error.status(), Some(403 | 404)) => gives.is_plain = false,
            Err(error) => return Err(error.into()),
        }
    }
    known.insert(role.to_owned(), gives.clone());
    Ok(gives)
}

/// The commands for the matrix as it was ticked.
pub(super) async fn edited(client: &Client, id: &str, form: &Fields) -> Result<Vec<BatchCommand>, Stop> {
    let mut ticked: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (grant, permission) in form.all("cell").filter_map(|cell| cell.split_once(' ')) {
        ticked.entry(grant).or_default().insert(permission.to_owned());
    }
    let offered: BTreeSet<&str> = form.all("column").collect();
    let query = GrantQuery { to: Some(format!("group:{id}")), limit: ALL, ..GrantQuery::default() };
    let (mut commands, mut roles) = (Vec::new(), Roles::new());
    for grant in client.grants(&query).await?.value.items {
        let present = gives(client, &grant, &mut roles).await?;
        // A grant that was not in the form came later, and stays.
        if grant.builtin || !present.is_plain || !form.is_ticked("row", &grant.id) {
            continue;
        }
        let mut wanted = ticked.remove(grant.id.as_str()).unwrap_or_default();
        // What the form had no box for stays.
        wanted.extend(present.permissions.iter().filter(|one| !offered.contains(one.as_str())).cloned());
        if wanted == present.permissions {
            continue;
        }
        commands.push(command(BatchMethod::Delete, format!("/v1/grants/{}", grant.id), Value::Null));
        if !wanted.is_empty() {
            let body = CreateGrant {
                to: group_ref(id),
                role: None,
                permissions: Some(wanted.into_iter().collect()),
                on: grant.on,
                effect: grant.effect,
                object_type: grant.object_type,
                expires_at: grant.expires_at,
                reason: grant.reason,
            };
            commands.push(command(BatchMethod::Post, "/v1/grants", json!(body)));
        }
    }
    Ok(commands)
}
