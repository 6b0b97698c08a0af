//! What grants of one effect cover, as sets that can be put together: what reaches somebody through several groups is the
//! union of what each has, and access is what the allows cover without what the denies cover.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    access::effective::{Extent, ProjectSet},
    id::ProjectId,
    scope::ObjectRef,
};

/// What grants of one effect cover of the objects of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cover {
    /// Allows: everything of the type in the organization. Denies of a type that is or lies in projects: something of it that
    /// is not only named, so that nobody has everything of it.
    pub organization: bool,
    /// In these projects.
    pub projects: ProjectSet,
    /// These objects that grants name, with the project that each lies in.
    pub objects: BTreeMap<ObjectRef, Option<ProjectId>>,
}

impl Cover {
    /// Whether it covers nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what other grants of the same effect cover.
    pub fn join(&mut self, other: &Self) {
        self.organization |= other.organization;
        self.projects = self.projects.union(&other.projects);
        let objects = other.objects.iter().map(|(object, project)| (object.clone(), *project));
        self.objects.extend(objects);
    }

    /// What is allowed if this is what the allows cover, and `denied` what the denies do.
    pub fn without(&self, denied: &Self) -> Extent {
        let mut extent = Extent {
            organization: self.organization && !denied.organization,
            projects: self.projects.minus(&denied.projects),
            objects: BTreeSet::new(),
            except: BTreeSet::new(),
        };
        for (object, project) in &self.objects {
            let taken = denied.is_general(*project) || denied.objects.contains_key(object);
            if !taken && !extent.is_general(*project) {
                extent.objects.insert(object.clone());
            }
        }
        let general = denied.objects.iter().filter(|(_, project)| extent.is_general(**project));
        extent.except = general.map(|(object, _)| object.clone()).collect();
        extent
    }

    fn is_general(&self, project: Option<ProjectId>) -> bool {
        match project {
            Some(project) => self.projects.has(project),
            None => self.organization,
        }
    }
}

impl Default for ProjectSet {
    fn default() -> Self {
        Self::NONE
    }
}

impl ProjectSet {
    /// What is in one or the other.
    fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Only(one), Self::Only(other)) => Self::Only(one | other),
            (Self::AllBut(out), Self::Only(ids)) | (Self::Only(ids), Self::AllBut(out)) => {
                Self::AllBut(out - ids)
            }
            (Self::AllBut(one), Self::AllBut(other)) => Self::AllBut(one & other),
        }
    }

    /// What is in this and not in the other.
    fn minus(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Only(ids), Self::Only(taken)) => Self::Only(ids - taken),
            (Self::Only(ids), Self::AllBut(left)) => Self::Only(ids & left),
            (Self::AllBut(out), Self::Only(taken)) => Self::AllBut(out | taken),
            (Self::AllBut(out), Self::AllBut(left)) => Self::Only(left - out),
        }
    }
}
