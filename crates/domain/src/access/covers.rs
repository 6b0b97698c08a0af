//! Whether a scope covers an object: the one rule, for the fold, for rows and for the image.

use crate::{
    catalog::{Catalog, ObjectType},
    id::ProjectId,
    scope::{ProjectView, Scope},
};

/// An object that was found, as scopes are held against it.
#[derive(Debug, Clone, Copy)]
pub struct ScopedObject<'a> {
    /// The name of its type.
    pub object_type: &'a str,
    /// Its id.
    pub id: &'a str,
    /// The project that is part of its reference: that of an object whose type lies in projects.
    pub home: Option<ProjectId>,
    /// The project that it is, or lies in.
    pub project: Option<ProjectView<'a>>,
}

impl Scope {
    /// Whether it covers the object or one of its ancestors.
    pub fn covers(&self, catalog: &Catalog, object: &ScopedObject<'_>) -> bool {
        match self {
            Self::Organization => true,
            Self::Projects(selector) => object.project.is_some_and(|project| selector.covers(project)),
            Self::Object(named) => {
                let is_itself = named.object_type == object.object_type
                    && named.id == object.id
                    && named.project == object.home;
                is_itself
                    || match catalog.object_type(&named.object_type) {
                        Some(ObjectType::ORGANIZATION) => true,
                        Some(ObjectType::ORG_PROJECT) => object.project.is_some(),
                        Some(ObjectType::PROJECT) => {
                            object.project.is_some_and(|project| named.id.parse() == Ok(project.id))
                        }
                        _ => false,
                    }
            }
        }
    }
}
