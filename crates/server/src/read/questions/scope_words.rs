//! Scopes in words, for the people who read explanations.

use grantbook_api::{questions::explain::Matched, words::reference::NamedObject};
use grantbook_domain::scope::{Atom, ObjectRef, Scope, Selector};
use grantbook_views::Coverage;

use crate::{http::problem::Failure, read::context::authz::Authorizer};

/// Conditions of a selector's list that [`brief`] names.
const BRIEF: usize = 5;

/// How a scope stands to the object of a question.
pub(crate) fn matched(
    authorizer: &mut Authorizer<'_>,
    scope: &Scope,
    coverage: &Coverage,
    object: &ObjectRef,
) -> Result<Matched, Failure> {
    let (covers, why) = self::coverage(authorizer, scope, coverage, object)?;
    Ok(Matched { scope: words(authorizer, scope)?, covers, why })
}

/// What of the object's ancestors a scope covers, and in words why.
pub(crate) fn coverage(
    authorizer: &mut Authorizer<'_>,
    scope: &Scope,
    coverage: &Coverage,
    object: &ObjectRef,
) -> Result<(NamedObject, String), Failure> {
    Ok(match coverage {
        Coverage::Organization => {
            let covers =
                authorizer.object(&ObjectRef::new("organization", authorizer.reading().org.to_string()))?;
            (covers, "the scope is the whole organization".to_owned())
        }
        Coverage::Object(ancestor) => {
            let covers = authorizer.object(ancestor)?;
            let title = title(&covers);
            let why = if ancestor == object {
                format!("the scope is {title}")
            } else {
                format!("it lies below {title}")
            };
            (covers, why)
        }
        Coverage::Included { project, by, .. } => {
            let covers = authorizer.object(&ObjectRef::of_project(*project))?;
            let why = included(scope, by, covers.name.as_deref().unwrap_or(&covers.id));
            (covers, why)
        }
        Coverage::Excluded { project, by, .. } => {
            let covers = authorizer.object(&ObjectRef::of_project(*project))?;
            let name = covers.name.as_deref().unwrap_or(&covers.id);
            let why = format!("{name} is excluded: {}", meets(by));
            (covers, why)
        }
        Coverage::Outside => {
            (authorizer.object(object)?, "the scope has nothing to do with the object".to_owned())
        }
    })
}

/// A scope, such as `all projects except those labelled env=production`.
pub(crate) fn words(authorizer: &mut Authorizer<'_>, scope: &Scope) -> Result<String, Failure> {
    in_words(authorizer, scope, usize::MAX)
}

/// The same, of long lists only the first conditions and how many more there are.
pub(crate) fn brief(authorizer: &mut Authorizer<'_>, scope: &Scope) -> Result<String, Failure> {
    in_words(authorizer, scope, BRIEF)
}

fn in_words(authorizer: &mut Authorizer<'_>, scope: &Scope, most: usize) -> Result<String, Failure> {
    Ok(match scope {
        Scope::Organization => "the whole organization".to_owned(),
        Scope::Object(object) => title(&authorizer.object(object)?),
        Scope::Projects(Selector { include, exclude }) => {
            let included = if include.contains(&Atom::All) {
                "all projects".to_owned()
            } else {
                format!("the projects {}", any_of(authorizer, include, most)?)
            };
            if exclude.is_empty() {
                included
            } else if exclude.contains(&Atom::All) {
                format!("{included} except all")
            } else {
                format!("{included} except those {}", any_of(authorizer, exclude, most)?)
            }
        }
    })
}

fn any_of(authorizer: &mut Authorizer<'_>, atoms: &[Atom], most: usize) -> Result<String, Failure> {
    let one = |atom: &Atom| {
        Ok(match atom {
            Atom::All => "all".to_owned(),
            Atom::Id(id) => {
                let project = authorizer.project(*id)?;
                format!("named {}", if project.name.is_empty() { project.id } else { project.name })
            }
            Atom::Name(pattern) => format!("matching {pattern}"),
            Atom::Label(labels) => format!("labelled {}", pairs(labels)),
        })
    };
    let mut words = atoms.iter().take(most).map(one).collect::<Result<Vec<String>, Failure>>()?;
    let more = atoms.len().saturating_sub(most);
    words.extend((more > 0).then(|| format!("{more} more")));
    Ok(words.join(" or "))
}

fn included(scope: &Scope, by: &Atom, name: &str) -> String {
    let why = match by {
        Atom::All => "every project is included".to_owned(),
        Atom::Id(_) | Atom::Name(_) | Atom::Label(_) => format!("{name} is included: {}", meets(by)),
    };
    let excludes = matches!(scope, Scope::Projects(selector) if !selector.exclude.is_empty());
    if excludes { format!("{why}, and {name} meets no exclusion") } else { why }
}

fn meets(atom: &Atom) -> String {
    match atom {
        Atom::All => "every project is".to_owned(),
        Atom::Id(_) => "the scope names it".to_owned(),
        Atom::Name(pattern) => format!("its name matches {pattern}"),
        Atom::Label(labels) => format!("it is labelled {}", pairs(labels)),
    }
}

fn pairs(labels: &grantbook_domain::scope::Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

fn title(object: &NamedObject) -> String {
    format!("{} {}", object.object_type, object.name.as_deref().unwrap_or(&object.id))
}
