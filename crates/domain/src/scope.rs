//! Where a grant applies: the organization, a live selector of projects, or one object.

mod atoms;
pub(crate) mod patterns;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use self::atoms::is_within;
pub use self::{atoms::Atoms, patterns::glob_matches};
use crate::id::ProjectId;

/// Most atoms in the include or exclude list of a selector.
pub const SELECTOR_MAX: usize = 1000;
/// Most labels of a project, and of one label atom.
pub const LABELS_MAX: usize = 64;

/// Labels of a project: key to value.
pub type Labels = BTreeMap<String, String>;

/// An object by type name and id. The id of a project, group or role is its own; the id of a singleton is the
/// organization's.
///
/// The ids of registered objects are the callers' own, so that two projects may use the same one: an object of a type below
/// `project` is identified by its project too. References sort by type, id, project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectRef {
    /// Name of the type in the catalog.
    #[serde(rename = "type")]
    pub object_type: String,
    /// The object's id.
    pub id: String,
    /// The project that an object of a type below `project` lies in. Absent in what a caller has not said, and in records
    /// of schema 1, which knew one project for each type and id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
}

impl ObjectRef {
    /// An object of a type that lies in no project, or whose project is not said.
    pub fn new(object_type: impl Into<String>, id: impl Into<String>) -> Self {
        Self { object_type: object_type.into(), id: id.into(), project: None }
    }

    /// The project itself as an object.
    pub fn of_project(id: ProjectId) -> Self {
        Self::new("project", id.to_string())
    }

    /// The same object in a project.
    #[must_use]
    pub fn within(self, project: Option<ProjectId>) -> Self {
        Self { project, ..self }
    }

    /// Whether type and id are the same, whatever the project.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.object_type, &self.id) == (&other.object_type, &other.id)
    }
}

/// Where a grant, or a key's narrowing, applies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything in the organization.
    Organization,
    /// The projects selected, and what lies below them.
    Projects(Selector),
    /// One object, and what lies below it.
    Object(ObjectRef),
}

/// A live choice of projects: `include` minus `exclude`, each "any of".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// At least one.
    pub include: Atoms,
    /// Often none.
    #[serde(default, skip_serializing_if = "<[Atom]>::is_empty")]
    pub exclude: Atoms,
}

/// One condition on a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Atom {
    /// Every project.
    All,
    /// The project with this id.
    Id(ProjectId),
    /// Projects whose whole name matches: `*` matches any run of characters, nothing else is special; bytewise.
    Name(String),
    /// Projects that carry all these labels.
    Label(Labels),
}

/// What a selector looks at.
#[derive(Debug, Clone, Copy)]
pub struct ProjectView<'a> {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a Labels,
}

impl Selector {
    /// Whether the selector takes the project.
    pub fn covers(&self, project: ProjectView<'_>) -> bool {
        self.include.matches_any(project) && !self.exclude.matches_any(project)
    }

    /// The project ids it names.
    pub fn ids(&self) -> impl Iterator<Item = ProjectId> {
        self.include.iter().chain(&self.exclude).filter_map(|atom| match atom {
            Atom::Id(id) => Some(*id),
            Atom::All | Atom::Name(_) | Atom::Label(_) => None,
        })
    }
}

impl Atom {
    /// Whether the project meets the condition.
    pub fn matches(&self, project: ProjectView<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Id(id) => *id == project.id,
            Self::Name(pattern) => glob_matches(pattern, project.name),
            Self::Label(wanted) => is_within(wanted, project.labels),
        }
    }

    /// Whether it is a name with a star.
    pub fn is_pattern(&self) -> bool {
        matches!(self, Self::Name(name) if name.contains('*'))
    }
}
