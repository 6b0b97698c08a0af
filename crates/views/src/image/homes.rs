//! The objects of one type and id: for types that lie in projects each project may have one.

use grantbook_domain::id::ProjectId;

use crate::store::row::ObjectRow;

/// The registrations, by project. Nearly always there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Homes(Vec<(Option<ProjectId>, ObjectRow)>);

impl Homes {
    pub(super) fn put(&mut self, project: Option<ProjectId>, row: ObjectRow) {
        match self.place(project) {
            Ok(at) => {
                if let Some(known) = self.0.get_mut(at) {
                    known.1 = row;
                }
            }
            Err(at) => self.0.insert(at, (project, row)),
        }
    }

    /// The living object in this project, or in none.
    pub(super) fn living(&self, project: Option<ProjectId>) -> Option<ObjectRow> {
        let found = self.place(project).ok().and_then(|at| self.0.get(at));
        found.map(|(_, row)| *row).filter(|row| !row.ended)
    }

    /// The projects with a living object.
    pub(super) fn projects(&self) -> impl Iterator<Item = ProjectId> {
        self.0.iter().filter(|(_, row)| !row.ended).filter_map(|(project, _)| *project)
    }

    fn place(&self, project: Option<ProjectId>) -> Result<usize, usize> {
        self.0.binary_search_by_key(&project, |(known, _)| *known)
    }
}
