//! Scopes as people write them and as they read them.

use std::{collections::BTreeMap, str::FromStr};

use crate::{
    client::Client,
    nouns::grants::{Effect, Grant},
    people::{
        names::{Kind, NameBook, NameError},
        reference::pair,
    },
    words::scope::{All, Atom, Scope, Selection, Selector},
};

/// One condition on a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtomArg {
    /// Every project.
    All,
    /// An id, or a name that is looked up now.
    Id(String),
    /// A pattern that is matched at each check.
    Name(String),
    /// Labels that the project carries, all of them.
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

/// Projects that meet one of the conditions to include and none of those to exclude, as a request says it.
pub async fn selector(
    client: &Client,
    include: &[AtomArg],
    exclude: &[AtomArg],
) -> Result<Selector, NameError> {
    let include = selection(client, include).await?;
    let exclude = if exclude.is_empty() { None } else { Some(selection(client, exclude).await?) };
    Ok(Selector { include, exclude })
}

async fn selection(client: &Client, args: &[AtomArg]) -> Result<Selection, NameError> {
    let mut atoms = Vec::new();
    for arg in args {
        atoms.push(match arg {
            AtomArg::All if args.len() == 1 => return Ok(Selection::All(All::All)),
            AtomArg::All => {
                return Err(NameError::Malformed("`all` leaves nothing to add: give it alone".to_owned()));
            }
            AtomArg::Id(text) => Atom::Id(client.id_of(Kind::Project, text).await?),
            AtomArg::Name(glob) => Atom::Name(glob.clone()),
            AtomArg::Label(labels) => Atom::Label(labels.clone()),
        });
    }
    Ok(Selection::Any(atoms))
}

/// A scope in words.
pub async fn words(scope: &Scope, names: &NameBook<'_>) -> String {
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
pub fn label_words(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// What a grant gives, in words.
pub async fn gives(grant: &Grant, names: &NameBook<'_>) -> String {
    match (&grant.role, &grant.permissions) {
        (Some(role), _) => names.name(Kind::Role, role).await,
        (None, Some(permissions)) => permissions.join(","),
        (None, None) => "nothing".to_owned(),
    }
}

/// `allow` or `deny`.
pub fn effect_word(effect: Effect) -> &'static str {
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
