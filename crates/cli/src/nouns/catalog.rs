//! `grantbook catalog`

use clap::Subcommand;
use grantbook_api::nouns::catalog::{ExtendCatalog, NewObjectType};

use crate::shared::{exit::Usage, output::or_dash, session::Session};

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogVerb {
    /// Show the permissions and object types.
    Show,
    /// Add permissions and object types. They are never removed.
    Extend {
        /// A new permission; repeat for several. Until a role gives it, it belongs to Owner only.
        #[arg(long = "permission", value_name = "NAME")]
        permissions: Vec<String>,
        /// A new object type below `organization`, `project` or another type; repeat for several.
        #[arg(long = "type", value_name = "NAME:PARENT", value_parser = new_type)]
        types: Vec<NewObjectType>,
    },
}

pub(crate) async fn run(session: &Session, verb: CatalogVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        CatalogVerb::Show => {
            let catalog = client.catalog().await?.value;
            if out.is_json() {
                out.json(&catalog)?;
                return Ok(());
            }
            let types = catalog
                .object_types
                .into_iter()
                .map(|known| vec!["type".to_owned(), known.name, or_dash(known.parent.as_deref())]);
            let permissions = catalog.permissions.into_iter();
            let rows: Vec<_> = permissions
                .map(|name| vec!["permission".to_owned(), name, "-".to_owned()])
                .chain(types)
                .collect();
            out.table(&["KIND", "NAME", "PARENT"], &rows)?;
        }
        CatalogVerb::Extend { permissions, types } => {
            if permissions.is_empty() && types.is_empty() {
                return Err(Usage("nothing to add: give --permission or --type".to_owned()).into());
            }
            let body = ExtendCatalog { object_types: types, permissions };
            out.done(&client.extend_catalog(&body).await?, "catalog", "extended")?;
        }
    }
    Ok(())
}

fn new_type(text: &str) -> Result<NewObjectType, String> {
    let (name, parent) = text.split_once(':').ok_or_else(|| format!("`{text}`: write NAME:PARENT"))?;
    Ok(NewObjectType { name: name.to_owned(), parent: parent.to_owned() })
}
