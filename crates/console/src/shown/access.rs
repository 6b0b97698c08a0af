//! Effective access as a table.

use grantbook_api::{
    client::{Client, ClientError},
    people::{
        access::{objects, projects, types},
        text::clean,
    },
    questions::access::{AccessEntry, AccessQuery},
};

/// Rows that a page shows at once.
const ROWS: u32 = 100;

/// A permission, and where a principal has it.
#[derive(Debug)]
pub(crate) struct AccessRow {
    pub(crate) permission: String,
    pub(crate) types: String,
    pub(crate) organization: bool,
    pub(crate) projects: String,
    pub(crate) objects: String,
}

/// What a principal may do.
#[derive(Debug, Default)]
pub(crate) struct ShownAccess {
    pub(crate) rows: Vec<AccessRow>,
    /// Whether there is more than the page shows.
    pub(crate) is_cut: bool,
}

/// Asks what a principal may do, now or at an earlier moment.
pub(crate) async fn of(
    client: &Client,
    principal: &str,
    as_of: Option<String>,
) -> Result<ShownAccess, ClientError> {
    let query = AccessQuery { principal: principal.to_owned(), limit: Some(ROWS), cursor: None, as_of };
    let access = client.access(&query).await?.value;
    Ok(ShownAccess { rows: access.permissions.iter().map(row).collect(), is_cut: access.next.is_some() })
}

fn row(entry: &AccessEntry) -> AccessRow {
    AccessRow {
        permission: clean(&entry.permission),
        types: clean(&types(&entry.object_types)),
        organization: entry.organization,
        projects: clean(&projects(&entry.projects)),
        objects: clean(&objects(&entry.objects, &entry.except_objects)),
    }
}
