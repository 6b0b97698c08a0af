//! Containment and overlap of live scopes, decided by form and not by today's projects, so that the answer also holds
//! for every project that may come. Both fail closed: doubt means "not contained" and "overlaps".
//!
//! Only ids are judged by evaluation, because an id names one project whose name and labels are known now; a later
//! change of those is judged on its own when it is made.

use std::sync::Arc;

use crate::{
    catalog::{Catalog, Lineage, ObjectType, TypeSet},
    id::ProjectId,
    model::Project,
    scope::{Atom, ObjectRef, Scope, Selector, glob_matches},
    state::project_view,
};

/// What is known of existing projects.
pub struct ScopeContext<'a> {
    /// The organization's catalog.
    pub catalog: &'a Catalog,
    /// A living project.
    pub project: &'a dyn Fn(ProjectId) -> Option<Arc<Project>>,
}

impl std::fmt::Debug for ScopeContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScopeContext").finish_non_exhaustive()
    }
}

impl ScopeContext<'_> {
    /// Whether everything that `given` can ever cover is covered by `held`.
    pub fn contains(&self, held: &Scope, given: &Scope) -> bool {
        match (held, given) {
            (Scope::Organization, _) => true,
            (_, Scope::Organization) => false,
            (Scope::Projects(held), Scope::Projects(given)) => self.selector_contains(held, given),
            (Scope::Projects(held), Scope::Object(object)) => {
                self.project_of(object).is_some_and(|id| self.selector_takes(held, id))
            }
            (Scope::Object(held), Scope::Projects(given)) => match self.type_of(held) {
                Some(ObjectType::ORG_PROJECT) => true,
                Some(ObjectType::PROJECT) => given.include.iter().all(|atom| self.atom_is_only(atom, held)),
                _ => false,
            },
            (Scope::Object(held), Scope::Object(given)) => self.object_contains(held, given),
        }
    }

    /// Whether some object, existing or possible, may lie under both.
    pub fn overlap(&self, one: &Scope, other: &Scope) -> bool {
        match (one, other) {
            (Scope::Projects(one), Scope::Projects(other)) => self.selectors_overlap(one, other),
            _ => self.contains(one, other) || self.contains(other, one),
        }
    }

    /// The types that objects under the scope can have, those of the future included.
    pub fn reach(&self, scope: &Scope) -> TypeSet {
        match scope {
            Scope::Organization => TypeSet::ALL,
            Scope::Projects(_) => self.catalog.project_types(),
            Scope::Object(object) => match self.type_of(object) {
                None => TypeSet::EMPTY,
                Some(ObjectType::ORGANIZATION) => TypeSet::ALL,
                Some(known @ ObjectType::ORG_PROJECT) => self.catalog.project_types().union(known.set()),
                Some(ObjectType::PROJECT) => self.catalog.project_types(),
                Some(known) => known.set(),
            },
        }
    }

    fn type_of(&self, object: &ObjectRef) -> Option<ObjectType> {
        self.catalog.object_type(&object.object_type)
    }

    /// The living project that the object is, or lies in.
    fn project_of(&self, object: &ObjectRef) -> Option<ProjectId> {
        let known = self.type_of(object)?;
        let id = match self.catalog.lineage(known) {
            Lineage::Project => object.id.parse().ok(),
            Lineage::InProject => object.project,
            Lineage::Singleton | Lineage::Organization => None,
        };
        id.filter(|id| (self.project)(*id).is_some())
    }

    fn object_contains(&self, held: &ObjectRef, given: &ObjectRef) -> bool {
        held == given
            || match self.type_of(held) {
                Some(ObjectType::ORG_PROJECT) => self.project_of(given).is_some(),
                Some(ObjectType::PROJECT) => {
                    self.project_of(given).is_some_and(|id| id.to_string() == held.id)
                }
                _ => false,
            }
    }

    fn selector_takes(&self, selector: &Selector, id: ProjectId) -> bool {
        (self.project)(id).is_some_and(|project| selector.covers(project_view(&project)))
    }

    /// Whether the atom can cover nothing but this one project.
    fn atom_is_only(&self, atom: &Atom, project: &ObjectRef) -> bool {
        matches!(atom, Atom::Id(id) if id.to_string() == project.id || (self.project)(*id).is_none())
    }

    /// Each include atom given lies in one include atom held; each exclude atom held lies in an exclude atom given, or
    /// is disjoint from that include atom.
    fn selector_contains(&self, held: &Selector, given: &Selector) -> bool {
        given.include.iter().all(|atom| match atom {
            Atom::Id(id) => (self.project)(*id).is_none() || self.selector_takes(held, *id),
            Atom::All | Atom::Name(_) | Atom::Label(_) => {
                held.include.iter().any(|wide| self.atom_within(atom, wide))
                    && held.exclude.iter().all(|hole| {
                        given.exclude.iter().any(|kept| self.atom_within(hole, kept))
                            || self.disjoint(hole, atom)
                    })
            }
        })
    }

    fn selectors_overlap(&self, one: &Selector, other: &Selector) -> bool {
        one.include.iter().any(|a| other.include.iter().any(|b| self.meet(one, a, other, b)))
    }

    /// Whether the parts of two selectors that come from these include atoms may meet.
    fn meet(&self, one: &Selector, a: &Atom, other: &Selector, b: &Atom) -> bool {
        if let Atom::Id(id) = a {
            return self.selector_takes(other, *id) && self.selector_takes(one, *id);
        }
        if let Atom::Id(id) = b {
            return self.selector_takes(one, *id) && self.selector_takes(other, *id);
        }
        let cut_away = other.exclude.iter().any(|hole| self.atom_within(a, hole))
            || one.exclude.iter().any(|hole| self.atom_within(b, hole))
            || one.exclude.iter().any(|hole| self.atom_within(a, hole))
            || other.exclude.iter().any(|hole| self.atom_within(b, hole));
        !cut_away && !self.disjoint(a, b)
    }

    /// Whether every project that `narrow` takes is taken by `wide`, by form.
    fn atom_within(&self, narrow: &Atom, wide: &Atom) -> bool {
        match (narrow, wide) {
            (_, Atom::All) => true,
            (Atom::Id(id), _) => {
                let project = (self.project)(*id);
                project.is_none_or(|project| wide.matches(project_view(&project)))
            }
            (Atom::Name(narrow), Atom::Name(wide)) => pattern_within(narrow, wide),
            (Atom::Label(narrow), Atom::Label(wide)) => {
                wide.iter().all(|(key, value)| narrow.get(key) == Some(value))
            }
            (Atom::All, Atom::Name(wide)) => pattern_within("*", wide),
            (Atom::All, Atom::Label(wide)) => wide.is_empty(),
            (Atom::Name(_) | Atom::Label(_) | Atom::All, _) => false,
        }
    }

    /// Whether no project can be taken by both atoms.
    fn disjoint(&self, one: &Atom, other: &Atom) -> bool {
        match (one, other) {
            (Atom::Id(id), atom) | (atom, Atom::Id(id)) => {
                let project = (self.project)(*id);
                project.is_none_or(|project| !atom.matches(project_view(&project)))
            }
            (Atom::Name(one), Atom::Name(other)) => patterns_disjoint(one, other),
            (Atom::Label(one), Atom::Label(other)) => {
                one.iter().any(|(key, value)| other.get(key).is_some_and(|different| different != value))
            }
            (Atom::All | Atom::Name(_) | Atom::Label(_), _) => false,
        }
    }
}

/// `wide` is the same pattern, or a literal prefix and one star that `narrow` starts with.
fn pattern_within(narrow: &str, wide: &str) -> bool {
    if narrow == wide {
        return true;
    }
    let literal = narrow.split('*').next().unwrap_or("");
    match wide.split_once('*') {
        Some((prefix, rest)) if rest.trim_matches('*').is_empty() => literal.starts_with(prefix),
        _ => !narrow.contains('*') && glob_matches(wide, narrow),
    }
}

/// Two patterns whose literal beginnings or ends cannot agree.
fn patterns_disjoint(one: &str, other: &str) -> bool {
    match (one.contains('*'), other.contains('*')) {
        (false, _) => !glob_matches(other, one),
        (_, false) => !glob_matches(one, other),
        (true, true) => {
            let (start, other_start) = (first_piece(one), first_piece(other));
            let (end, other_end) = (last_piece(one), last_piece(other));
            let starts_agree = start.starts_with(other_start) || other_start.starts_with(start);
            let ends_agree = end.ends_with(other_end) || other_end.ends_with(end);
            !(starts_agree && ends_agree)
        }
    }
}

fn first_piece(pattern: &str) -> &str {
    pattern.split('*').next().unwrap_or("")
}

fn last_piece(pattern: &str) -> &str {
    pattern.rsplit('*').next().unwrap_or("")
}
