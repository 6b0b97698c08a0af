//! Scopes on the command line and in words.

use grantbook_api::{
    nouns::{
        grants::{Effect, Grant},
        keys::Narrowing,
    },
    words::scope::{All, Atom, Scope, Selection, Selector},
};
use std::{collections::BTreeMap, str::FromStr};

use clap::{ArgGroup, Args};

use crate::shared::{
    exit::Usage,
    names::{Kind, NameBook},
    reference::{ObjectArg, pair},
    session::Session,
};

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

/// One condition on a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AtomArg {
    All,
    /// An id, or a name that is looked up now.
    Id(String),
    /// A pattern that is matched at each check.
    Name(String),
    Label(BTreeMap<String, String>),
}

impl FromStr for AtomArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("id", id)) if !id.is_empty() => Ok(Self::Id(id.to_owned())),
            Some(("name", glob)) if !glob.is_empty() => Ok(Self::Name(glob.to_owned())),
            Some(("label", pairs)) => Ok(Self::Label(pairs.split(',').map(pair).collect::<Result<_, _>>()?)),
            _ => Err(format!("`{text}`: write all, id:ID, name:GLOB or label:KEY=VALUE[,KEY=VALUE]")),
        }
    }
}

impl ScopeArgs {
    /// As a request says it.
    pub(crate) async fn scope(&self, session: &Session) -> anyhow::Result<Scope> {
        match &self.object {
            Some(object) => Ok(Scope::Object(session.object(object, self.project.as_deref()).await?)),
            None if self.organization => Ok(Scope::ORGANIZATION),
            None => Ok(Scope::Projects(selector(session, &self.projects, &self.except).await?)),
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
            None => Some(Scope::Projects(selector(session, &self.projects, &self.except).await?)),
        };
        Ok((permissions.is_some() || on.is_some()).then_some(Narrowing { permissions, on }))
    }
}

async fn selector(session: &Session, include: &[AtomArg], exclude: &[AtomArg]) -> anyhow::Result<Selector> {
    let include = selection(session, include).await?;
    let exclude = if exclude.is_empty() { None } else { Some(selection(session, exclude).await?) };
    Ok(Selector { include, exclude })
}

async fn selection(session: &Session, args: &[AtomArg]) -> anyhow::Result<Selection> {
    let mut atoms = Vec::new();
    for arg in args {
        atoms.push(match arg {
            AtomArg::All if args.len() == 1 => return Ok(Selection::All(All::All)),
            AtomArg::All => return Err(Usage("`all` leaves nothing to add: give it alone".to_owned()).into()),
            AtomArg::Id(text) => Atom::Id(session.id(Kind::Project, text).await?),
            AtomArg::Name(glob) => Atom::Name(glob.clone()),
            AtomArg::Label(labels) => Atom::Label(labels.clone()),
        });
    }
    Ok(Selection::Any(atoms))
}

/// A scope in words.
pub(crate) async fn words(scope: &Scope, names: &NameBook<'_>) -> String {
    match scope {
        Scope::Organization(_) => "the organization".to_owned(),
        Scope::Object(object) => match object.object_type.as_str() {
            "project" => names.full(Kind::Project, &object.id).await,
            _ => format!("{}:{}", object.object_type, object.id),
        },
        Scope::Projects(Selector { include, exclude }) => {
            let include = match include {
                Selection::All(_) => "all projects".to_owned(),
                Selection::Any(atoms) => format!("projects {}", any_of(atoms, names).await),
            };
            match exclude {
                None => include,
                Some(Selection::All(_)) => format!("{include} except all"),
                Some(Selection::Any(atoms)) => format!("{include} except {}", any_of(atoms, names).await),
            }
        }
    }
}

async fn any_of(atoms: &[Atom], names: &NameBook<'_>) -> String {
    let mut words = Vec::new();
    for atom in atoms {
        words.push(match atom {
            Atom::Id(id) => names.name(Kind::Project, id).await,
            Atom::Name(glob) => format!("named {glob}"),
            Atom::Label(labels) => format!("labelled {}", label_words(labels)),
        });
    }
    words.join(" or ")
}

/// Labels as they are written: `a=b,c=d`.
pub(crate) fn label_words(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// What a grant gives, in words.
pub(crate) async fn gives(grant: &Grant, names: &NameBook<'_>) -> String {
    match (&grant.role, &grant.permissions) {
        (Some(role), _) => names.name(Kind::Role, role).await,
        (None, Some(permissions)) => permissions.join(","),
        (None, None) => "nothing".to_owned(),
    }
}

pub(crate) fn effect_word(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read() {
        assert_eq!("all".parse(), Ok(AtomArg::All));
        assert_eq!("id:staging".parse(), Ok(AtomArg::Id("staging".to_owned())));
        assert_eq!("name:web-*".parse(), Ok(AtomArg::Name("web-*".to_owned())));
        let labels = [("env", "prod"), ("tier", "a=b")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!("label:env=prod,tier=a=b".parse(), Ok(AtomArg::Label(labels.into())));
        for text in ["", "staging", "id:", "name:", "label:", "label:env", "project:x"] {
            assert!(text.parse::<AtomArg>().is_err(), "{text}");
        }
    }
}
