//! `grantbook object`

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use grantbook_api::{
    nouns::objects::{IfTaken, Object, ObjectProjectQuery, ObjectQuery, RegisterObject, UpdateObject},
    people::{
        names::{Kind, NameBook},
        reference::ObjectArg,
    },
};

use crate::shared::{output::or_dash, session::Session};

#[derive(Debug, Subcommand)]
pub(crate) enum ObjectVerb {
    /// Make an object of your own known, or create one by its name.
    #[command(alias = "register")]
    Create {
        /// Its type in the catalog and your own id of it. Without the id, Grantbook chooses one, and --name is needed.
        #[arg(value_name = "TYPE[:ID]", value_parser = new_object)]
        object: ObjectArg,
        /// Its project, by name or id: needed for types below project.
        #[arg(long)]
        project: Option<String>,
        /// A label for people.
        #[arg(long)]
        name: Option<String>,
        /// Without an id: what if an object of this type in the project has the name. `number` takes NAME-2 and so on, `use`
        /// answers with that object; `number` if absent.
        #[arg(long)]
        if_taken: Option<Taken>,
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
        /// Only those with exactly this name.
        #[arg(long)]
        name: Option<String>,
        /// Only those in this project, by name or id.
        #[arg(long)]
        project: Option<String>,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Taken {
    Number,
    Use,
}

/// `type:id`, or a type alone.
fn new_object(text: &str) -> Result<ObjectArg, String> {
    if text.is_empty() || text.contains(':') {
        return text.parse();
    }
    Ok(ObjectArg { object_type: text.to_owned(), name: None })
}

pub(crate) async fn run(session: &Session, verb: ObjectVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        ObjectVerb::Create { object: ObjectArg { object_type, name: id }, project, name, if_taken } => {
            let project = home(session, project).await?.project;
            if id.is_none() && name.is_none() {
                bail!("an object is registered with its id, TYPE:ID, or created with a --name");
            }
            let if_taken = if_taken.map(|taken| match taken {
                Taken::Number => IfTaken::Number,
                Taken::Use => IfTaken::Use,
            });
            let is_minted = id.is_none();
            let body = RegisterObject { object_type, id, project, name, if_taken };
            let answer = client.register_object(&body).await?;
            let Object { object_type, id, name, .. } = &answer.value;
            let name = name.as_deref().filter(|_| is_minted);
            let what = name.map_or_else(String::new, |name| format!(" `{name}`"));
            out.done(&answer, &format!("{object_type}:{id}{what}"), "registered")?;
        }
        ObjectVerb::List { object_type, name, project } => {
            let ObjectProjectQuery { project } = home(session, project).await?;
            let query =
                ObjectQuery { object_type: Some(object_type), name, project, ..ObjectQuery::default() };
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
    let names = NameBook::new(&session.client);
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
