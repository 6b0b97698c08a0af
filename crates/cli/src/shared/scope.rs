//! Scopes on the command line.

use clap::{ArgGroup, Args};
use grantbook_api::{
    nouns::keys::Narrowing,
    people::{
        reference::ObjectArg,
        scope::{AtomArg, selector},
    },
    words::scope::Scope,
};

use crate::shared::{names::named, session::Session};

/// Where a grant applies: exactly one of the three.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("scope").required(true).args(["projects", "organization", "object"]))]
pub(crate) struct ScopeArgs {
    /// Projects, also of the future: `all`, `id:ID`, `name:GLOB` or `label:K=V[,K=V]`; repeat for "or".
    #[arg(long, value_name = "SELECTOR")]
    projects: Vec<AtomArg>,
    /// Projects left out of --projects, in the same forms.
    #[arg(long, value_name = "SELECTOR", conflicts_with_all = ["organization", "object"])]
    except: Vec<AtomArg>,
    /// The whole organization.
    #[arg(long)]
    organization: bool,
    /// One object, and what lies below it.
    #[arg(long, value_name = "TYPE:ID")]
    object: Option<ObjectArg>,
    /// The project, by name or id, that --object lies in; needed where several have such an object.
    #[arg(long, requires = "object")]
    project: Option<String>,
}

/// What a key is cut down to.
#[derive(Debug, Clone, Args)]
pub(crate) struct NarrowArgs {
    /// Let the key do only these, separated by commas.
    #[arg(
        long = "narrow-permissions",
        id = "narrow_permissions",
        value_name = "PERMISSIONS",
        value_delimiter = ','
    )]
    permissions: Vec<String>,
    /// Let the key reach only these projects; forms as of `grant create --projects`.
    #[arg(
        long = "narrow-projects",
        id = "narrow_projects",
        value_name = "SELECTOR",
        conflicts_with = "narrow_object"
    )]
    projects: Vec<AtomArg>,
    /// Projects left out of --narrow-projects.
    #[arg(
        long = "narrow-except",
        id = "narrow_except",
        value_name = "SELECTOR",
        requires = "narrow_projects"
    )]
    except: Vec<AtomArg>,
    /// Let the key reach only this object, and what lies below it.
    #[arg(long = "narrow-object", id = "narrow_object", value_name = "TYPE:ID")]
    object: Option<ObjectArg>,
    /// The project, by name or id, that --narrow-object lies in; needed where several have such an object.
    #[arg(
        long = "narrow-project",
        id = "narrow_project",
        value_name = "PROJECT",
        requires = "narrow_object"
    )]
    project: Option<String>,
}

impl ScopeArgs {
    /// As a request says it.
    pub(crate) async fn scope(&self, session: &Session) -> anyhow::Result<Scope> {
        match &self.object {
            Some(object) => Ok(Scope::Object(session.object(object, self.project.as_deref()).await?)),
            None if self.organization => Ok(Scope::ORGANIZATION),
            None => Ok(Scope::Projects(
                selector(&session.client, &self.projects, &self.except).await.map_err(named)?,
            )),
        }
    }
}

impl NarrowArgs {
    /// As a request says it; none if nothing is narrowed.
    pub(crate) async fn narrowing(&self, session: &Session) -> anyhow::Result<Option<Narrowing>> {
        let permissions = (!self.permissions.is_empty()).then(|| self.permissions.clone());
        let on = match &self.object {
            Some(object) => Some(Scope::Object(session.object(object, self.project.as_deref()).await?)),
            None if self.projects.is_empty() => None,
            None => Some(Scope::Projects(
                selector(&session.client, &self.projects, &self.except).await.map_err(named)?,
            )),
        };
        Ok((permissions.is_some() || on.is_some()).then_some(Narrowing { permissions, on }))
    }
}
