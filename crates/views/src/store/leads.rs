//! What the last page of a question the other way round went through, for the next page.

use std::collections::BTreeSet;

use grantbook_domain::{
    catalog::Permission,
    id::{OrgId, ProjectId},
    position::Position,
    principal::Grantee,
    scope::ObjectRef,
};

/// Everybody to whom a grant leads that could give what is asked for: they do not depend on what time it is.
#[derive(Debug)]
pub(crate) struct Leads {
    pub(crate) of: LeadsOf,
    pub(crate) to: BTreeSet<Grantee>,
}

/// What they are for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeadsOf {
    pub(crate) org: OrgId,
    pub(crate) at: Position,
    pub(crate) permission: Permission,
    pub(crate) object: ObjectRef,
    pub(crate) project: Option<ProjectId>,
}
