//! One line of the listing, and what lines mean together.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use grantbook_domain::{
    access::{
        coverage::Cover,
        effective::{CoverRow, Extent, ProjectSet},
    },
    id::{GroupId, OrgId, ProjectId, TokenId, UserId},
    principal::Grantee,
    scope::ObjectRef,
};
use serde::{Deserialize, Serialize};

/// Who has something. In the order of the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A permission group.
    Group(GroupId),
    /// A person.
    User(UserId),
    /// A service token.
    Token(TokenId),
}

/// What somebody has: a line of the listing, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessParts {
    /// Where.
    pub org: OrgId,
    /// Who.
    pub holder: Holder,
    /// The groups with a line that a principal is in, also through other groups, by id. A group's line names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupId>,
    /// What grants to exactly this one allow, by permission in the catalog's order, then by first type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<CoverPart>,
    /// What they deny.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<CoverPart>,
}

/// What is covered of objects of some types, for one permission: [`Cover`] as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoverPart {
    /// The permission's name.
    pub permission: String,
    /// The names of the types.
    pub types: Vec<String>,
    /// [`Cover::organization`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub organization: bool,
    /// These projects, if `but` is absent.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub projects: BTreeSet<ProjectId>,
    /// All projects but these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub but: Option<BTreeSet<ProjectId>>,
    /// Objects that grants name, and the project that each lies in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<(ObjectRef, Option<ProjectId>)>,
}

/// What somebody may do: where, by permission and type.
pub type Access = BTreeMap<(String, String), Extent>;

/// The lines of an organization's groups.
pub type Groups = BTreeMap<GroupId, AccessParts>;

/// Why lines are no listing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// A line is not understood.
    #[error("a line of the listing is not understood: {0}")]
    Line(String),
    /// A line does not come after the one before it.
    #[error("the line of {0} is not where it belongs")]
    Order(Holder),
    /// A line names a group that has none.
    #[error("the line of {0} names group {1}, which has none")]
    Group(Holder, GroupId),
}

impl AccessParts {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.allow.is_empty() && self.deny.is_empty()
    }

    /// Its line, without an end.
    pub fn line(&self) -> Result<String, ListingError> {
        serde_json::to_string(self).map_err(|error| ListingError::Line(error.to_string()))
    }

    /// Reads a line.
    ///
    /// Up to form 2 an object did not say its project, which stands beside it in every form.
    pub fn parse(line: &str) -> Result<Self, ListingError> {
        let mut parts: Self =
            serde_json::from_str(line).map_err(|error| ListingError::Line(error.to_string()))?;
        for part in parts.allow.iter_mut().chain(&mut parts.deny) {
            for (object, home) in &mut part.objects {
                object.project = object.project.or(*home);
            }
        }
        Ok(parts)
    }

    /// Where it stands in a listing.
    pub fn place(&self) -> (OrgId, Holder) {
        (self.org, self.holder)
    }

    /// What the holder may do, of its own and through its groups; what gives nothing is absent.
    pub fn expand(&self, groups: &Groups) -> Result<Access, ListingError> {
        let mut sides: BTreeMap<(&str, &str), [Cover; 2]> = BTreeMap::new();
        let missing = |id: &GroupId| ListingError::Group(self.holder, *id);
        let above = self.groups.iter().map(|id| groups.get(id).ok_or_else(|| missing(id)));
        for parts in std::iter::once(Ok(self)).chain(above) {
            let parts = parts?;
            let (allow, deny) = (parts.allow.iter().zip(std::iter::repeat(0)), parts.deny.iter());
            for (part, side) in allow.chain(deny.zip(std::iter::repeat(1_usize))) {
                let cover = part.cover();
                for type_name in &part.types {
                    let both = sides.entry((part.permission.as_str(), type_name.as_str())).or_default();
                    if let Some(one) = both.get_mut(side) {
                        one.join(&cover);
                    }
                }
            }
        }
        let extents = sides.into_iter().map(|((permission, type_name), [allow, deny])| {
            ((permission.to_owned(), type_name.to_owned()), allow.without(&deny))
        });
        Ok(extents.filter(|(_, extent)| !extent.is_empty()).collect())
    }
}

impl CoverPart {
    fn cover(&self) -> Cover {
        let projects = match &self.but {
            Some(ids) => ProjectSet::AllBut(ids.clone()),
            None => ProjectSet::Only(self.projects.clone()),
        };
        Cover { organization: self.organization, projects, objects: self.objects.iter().cloned().collect() }
    }
}

impl From<CoverRow> for CoverPart {
    fn from(CoverRow { permission, types, cover }: CoverRow) -> Self {
        let Cover { organization, projects, objects } = cover;
        let (projects, but) = match projects {
            ProjectSet::Only(ids) => (ids, None),
            ProjectSet::AllBut(ids) => (BTreeSet::new(), Some(ids)),
        };
        Self { permission, types, organization, projects, but, objects: objects.into_iter().collect() }
    }
}

impl From<Grantee> for Holder {
    fn from(grantee: Grantee) -> Self {
        match grantee {
            Grantee::Group(id) => Self::Group(id),
            Grantee::User(id) => Self::User(id),
            Grantee::Token(id) => Self::Token(id),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(id) => write!(f, "group:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Token(id) => write!(f, "token:{id}"),
        }
    }
}

/// Access in words, a line for each permission and extent: `<permission> on <types> [organization] projects only|all-but <ids>
/// [objects <type>:"<id>" [of <project>]..] [except ..]`.
pub fn access_lines(access: &Access) -> Vec<String> {
    let mut rows: Vec<(&str, &Extent, Vec<&str>)> = Vec::new();
    for ((permission, type_name), extent) in access {
        let same = rows.iter_mut().rev().take_while(|(known, ..)| known == permission);
        match same.into_iter().find(|(_, known, _)| *known == extent) {
            Some((.., types)) => types.push(type_name),
            None => rows.push((permission, extent, vec![type_name])),
        }
    }
    rows.sort_by(|(one, _, types), (other, _, others)| one.cmp(other).then_with(|| types.cmp(others)));
    rows.into_iter().map(|(permission, extent, types)| line(permission, &types, extent)).collect()
}

fn line(permission: &str, types: &[&str], extent: &Extent) -> String {
    let mut line = format!("{permission} on {}", types.join(","));
    // Writing into a string does not fail.
    let mut put = |text: fmt::Arguments<'_>| line.write_fmt(text).unwrap_or_default();
    if extent.organization {
        put(format_args!(" organization"));
    }
    let (word, ids) = match &extent.projects {
        ProjectSet::Only(ids) => ("only", ids),
        ProjectSet::AllBut(ids) => ("all-but", ids),
    };
    put(format_args!(" projects {word}"));
    for id in ids {
        put(format_args!(" {id}"));
    }
    for (word, objects) in [("objects", &extent.objects), ("except", &extent.except)] {
        if !objects.is_empty() {
            put(format_args!(" {word}"));
            // Ids are free text: quoted, so that a line stays a line.
            for one in objects {
                put(format_args!(" {}:{:?}", one.object_type, one.id));
                if let Some(project) = one.project {
                    put(format_args!(" of {project}"));
                }
            }
        }
    }
    line
}
