//! `grantbook project`

use clap::{Args, Subcommand};
use grantbook_api::{
    nouns::projects::{CreateProject, Project, UpdateProject},
    people::{names::Kind, reference::pair, scope::label_words},
    words::list::ListQuery,
};

use crate::shared::{output::or_dash, session::Session};

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectVerb {
    /// Make a project; prints its id.
    Create {
        /// Unique among the living projects.
        name: String,
        /// A label that grants may select by; repeat for several.
        #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
        labels: Vec<(String, String)>,
    },
    /// List the projects that the key may see.
    List {
        /// Only the one with exactly this name.
        #[arg(long)]
        name: Option<String>,
    },
    /// Show a project.
    Show {
        /// Name or id.
        project: String,
    },
    /// Rename or relabel a project. Grants that select by name or label follow at once.
    Update(UpdateArgs),
    /// End a project, with its objects and the grants on them, for ever.
    Delete {
        /// Name or id.
        project: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Name or id.
    project: String,
    /// New name.
    #[arg(long)]
    name: Option<String>,
    /// New labels, replacing all; repeat for several.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair, conflicts_with = "no_labels")]
    labels: Vec<(String, String)>,
    /// Take all labels away.
    #[arg(long)]
    no_labels: bool,
}

/// A table of projects, or JSON.
pub(crate) fn list(session: &Session, projects: &[Project]) -> anyhow::Result<()> {
    session.out.list(projects, &["NAME", "LABELS", "ID", "CREATED"], row)?;
    Ok(())
}

pub(crate) async fn run(session: &Session, verb: ProjectVerb) -> anyhow::Result<()> {
    let Session { client, out, .. } = session;
    match verb {
        ProjectVerb::Create { name, labels } => {
            let body = CreateProject { name, labels: labels.into_iter().collect() };
            let answer = client.create_project(&body).await?;
            out.made(&answer, &answer.value.id, &format!("project:{}", answer.value.name))?;
        }
        ProjectVerb::List { name } => {
            let query = ListQuery { name, ..ListQuery::default() };
            let projects: Vec<Project> = client.every(&["v1", "projects"], &query).await?;
            list(session, &projects)?;
        }
        ProjectVerb::Show { project } => {
            let id = session.id(Kind::Project, &project).await?;
            out.thing(&client.project(&id).await?.value)?;
        }
        ProjectVerb::Update(args) => update(session, args).await?,
        ProjectVerb::Delete { project } => {
            let id = session.id(Kind::Project, &project).await?;
            out.done(&client.delete_project(&id).await?, &format!("project:{project}"), "deleted")?;
        }
    }
    Ok(())
}

async fn update(session: &Session, args: UpdateArgs) -> anyhow::Result<()> {
    let UpdateArgs { project, name, labels, no_labels } = args;
    let id = session.id(Kind::Project, &project).await?;
    let labels = (no_labels || !labels.is_empty()).then(|| labels.into_iter().collect());
    let answer = session.client.update_project(&id, &UpdateProject { name, labels }).await?;
    session.out.done(&answer, &format!("project:{}", answer.value.name), "updated")?;
    Ok(())
}

fn row(project: &Project) -> Vec<String> {
    let labels = Some(label_words(&project.labels)).filter(|words| !words.is_empty());
    vec![project.name.clone(), or_dash(labels.as_deref()), project.id.clone(), project.created_at.clone()]
}
