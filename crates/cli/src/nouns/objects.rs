//! `grantbook object`

use anyhow::Context;
use clap::Subcommand;
use grantbook_api::nouns::objects::{Object, ObjectProjectQuery, ObjectQuery, RegisterObject, UpdateObject};

use crate::shared::{
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
        /// A label for people.
        #[arg(long)]
        name: Option<String>,
    },
    /// Give an object another name, or none.
    Update {
        /// Its type and id.
        #[arg(value_name = "TYPE:ID")]
        object: ObjectArg,
        /// Its project, by name or id; needed where several have such an object.
        #[arg(long)]
        project: Option<String>,
        /// The new name; empty for none.
        #[arg(long)]
        name: String,
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
        /// Its project, by name or id; needed where several have such an object.
        #[arg(long)]
        project: Option<String>,
    },
}

pub(crate) async fn run(session: &Session, verb: ObjectVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        ObjectVerb::Create { object: ObjectArg { object_type, name: id }, project, name } => {
            let project = home(session, project).await?.project;
            let id = id.context("an object is registered with its id: write TYPE:ID")?;
            let body = RegisterObject { object_type, id, project, name };
            let answer = client.register_object(&body).await?;
            out.done(&answer, &format!("{}:{}", answer.value.object_type, answer.value.id), "registered")?;
        }
        ObjectVerb::List { object_type } => {
            let query = ObjectQuery { object_type: Some(object_type), ..ObjectQuery::default() };
            let objects: Vec<Object> = client.every(&["v1", "objects"], &query).await?;
            list(session, &objects).await?;
        }
        ObjectVerb::Update { object: ObjectArg { object_type, name: id }, project, name } => {
            let id = id.context("an object is changed by its id: write TYPE:ID")?;
            let of = home(session, project).await?;
            let body = UpdateObject { name: Some((!name.is_empty()).then_some(name)) };
            let answer = client.update_object((&object_type, &id), &of, &body).await?;
            out.done(&answer, &format!("{object_type}:{id}"), "renamed")?;
        }
        ObjectVerb::Delete { object: ObjectArg { object_type, name }, project } => {
            let id = name.context("an object is removed by its id: write TYPE:ID")?;
            let of = home(session, project).await?;
            let answer = client.remove_object((&object_type, &id), &of).await?;
            out.done(&answer, &format!("{object_type}:{id}"), "removed")?;
        }
    }
    Ok(())
}

async fn home(session: &Session, project: Option<String>) -> anyhow::Result<ObjectProjectQuery> {
    let project = match project {
        Some(project) => Some(session.id(Kind::Project, &project).await?),
        None => None,
    };
    Ok(ObjectProjectQuery { project })
}

async fn list(session: &Session, objects: &[Object]) -> anyhow::Result<()> {
    if session.out.is_json() {
        session.out.items(objects)?;
        return Ok(());
    }
    let names = NameBook::new(session);
    let mut rows = Vec::new();
    for Object { object_type, id, project, name, created_at, .. } in objects {
        let project = match project {
            Some(project) => Some(names.full(Kind::Project, project).await),
            None => None,
        };
        let (project, name) = (or_dash(project.as_deref()), or_dash(name.as_deref()));
        rows.push(vec![object_type.clone(), id.clone(), project, name, created_at.clone()]);
    }
    session.out.table(&["TYPE", "ID", "PROJECT", "NAME", "REGISTERED"], &rows)?;
    Ok(())
}
