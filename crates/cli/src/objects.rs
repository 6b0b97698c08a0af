//! `grantbook object`

use anyhow::Context;
use clap::Subcommand;
use grantbook_api::objects::{Object, ObjectQuery, RegisterObject};

use crate::{
    names::{Kind, NameBook},
    output::or_dash,
    reference::ObjectArg,
    session::Session,
};

#[derive(Debug, Subcommand)]
pub(crate) enum ObjectVerb {
    /// Make an object of your own known.
    #[command(alias = "register")]
    Create {
        /// Its type in the catalog and your own id of it.
        #[arg(value_name = "TYPE:ID")]
        object: ObjectArg,
        /// Its project, by name or id: needed for types below project.
        #[arg(long)]
        project: Option<String>,
    },
    /// List the registered objects of a type that the key may see.
    List {
        /// Which type.
        #[arg(long = "type", value_name = "TYPE")]
        object_type: String,
    },
    /// Remove an object; the grants on it are dead for ever.
    #[command(alias = "remove")]
    Delete {
        /// Its type and id.
        #[arg(value_name = "TYPE:ID")]
        object: ObjectArg,
    },
}

pub(crate) async fn run(session: &Session, verb: ObjectVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        ObjectVerb::Create { object: ObjectArg { object_type, name }, project } => {
            let project = match project {
                Some(project) => Some(session.id(Kind::Project, &project).await?),
                None => None,
            };
            let id = name.context("an object is registered with its id: write TYPE:ID")?;
            let answer = client.register_object(&RegisterObject { object_type, id, project }).await?;
            out.done(&answer, &format!("{}:{}", answer.value.object_type, answer.value.id), "registered")?;
        }
        ObjectVerb::List { object_type } => {
            let query = ObjectQuery { object_type: Some(object_type), ..ObjectQuery::default() };
            let objects: Vec<Object> = client.every(&["v1", "objects"], &query).await?;
            list(session, &objects).await?;
        }
        ObjectVerb::Delete { object: ObjectArg { object_type, name } } => {
            let id = name.context("an object is removed by its id: write TYPE:ID")?;
            let answer = client.remove_object(&object_type, &id).await?;
            out.done(&answer, &format!("{object_type}:{id}"), "removed")?;
        }
    }
    Ok(())
}

async fn list(session: &Session, objects: &[Object]) -> anyhow::Result<()> {
    if session.out.is_json() {
        session.out.items(objects)?;
        return Ok(());
    }
    let names = NameBook::new(session);
    let mut rows = Vec::new();
    for Object { object_type, id, project, created_at, .. } in objects {
        let project = match project {
            Some(project) => Some(names.full(Kind::Project, project).await),
            None => None,
        };
        rows.push(vec![object_type.clone(), id.clone(), or_dash(project.as_deref()), created_at.clone()]);
    }
    session.out.table(&["TYPE", "ID", "PROJECT", "REGISTERED"], &rows)?;
    Ok(())
}
