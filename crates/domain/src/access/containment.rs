//! Containment and overlap of live scopes, decided by form and not by today's projects, so that the answer also holds
//! for every project that may come. Both fail closed: doubt means "not contained" and "overlaps".
//!
//! Only ids are judged by evaluation, because an id names one project whose name and labels are known now; a later
//! change of those is judged on its own when it is made.

use std::sync::Arc;

use crate::{
    catalog::{Catalog, Lineage, ObjectType, TypeSet},
    id::ProjectId,
    limits::WorkCounter,
    model::Project,
    scope::{
        Atom, Atoms, Labels, ObjectRef, Scope, Selector, is_within,
        patterns::{glob_matches, pattern_within, patterns_disjoint},
    },
    state::project_view,
};

/// What is known of existing projects, and what the comparisons have cost so far.
pub struct ScopeContext<'a> {
    /// The organization's catalog.
    pub catalog: &'a Catalog,
    /// A living project.
    pub project: &'a dyn Fn(ProjectId) -> Option<Arc<Project>>,
    /// Counts comparisons of two conditions. Once it is used up, nothing is contained and everything overlaps.
    pub work: &'a WorkCounter,
}

impl std::fmt::Debug for ScopeContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScopeContext").finish_non_exhaustive()
    }
}

impl ScopeContext<'_> {
    /// Whether everything that `given` can ever cover is covered by `held`.
    ///
    /// Costs at most the product of the lengths of two selectors; ids, exact names, labels and equal patterns are looked up
    /// in an index.
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
    /// is disjoint from that include atom. Only the exclude atoms held that lie in none given are compared with the include
    /// atoms.
    fn selector_contains(&self, held: &Selector, given: &Selector) -> bool {
        let within = given.include.iter().all(|atom| match atom {
            Atom::Id(id) => (self.project)(*id).is_none() || self.selector_takes(held, *id),
            Atom::All | Atom::Name(_) | Atom::Label(_) => self.within_any(atom, &held.include),
        });
        let live = Live::of(&given.include);
        within
            && (live.is_empty()
                || held
                    .exclude
                    .iter()
                    .all(|hole| self.within_any(hole, &given.exclude) || self.misses(hole, &live)))
    }

    /// Whether the atoms that two selectors include can meet outside of what either excludes.
    fn selectors_overlap(&self, one: &Selector, other: &Selector) -> bool {
        let both = |id: ProjectId| self.selector_takes(one, id) && self.selector_takes(other, id);
        if one.include.iter().chain(&other.include).any(|atom| matches!(atom, Atom::Id(id) if both(*id))) {
            return true;
        }
        let left =
            |atom: &&Atom| !self.within_any(atom, &one.exclude) && !self.within_any(atom, &other.exclude);
        let first: Atoms = live_atoms(&one.include).filter(left).cloned().collect();
        let first = Live::of(&first);
        !first.is_empty() && live_atoms(&other.include).filter(left).any(|atom| !self.misses(atom, &first))
    }

    /// Whether no project can be taken by the atom and by any of the others, none of which is an id.
    fn misses(&self, atom: &Atom, others: &Live<'_>) -> bool {
        match atom {
            Atom::All => others.is_empty(),
            Atom::Id(id) => (self.project)(*id).is_none_or(|project| {
                self.work.spend(others.len());
                !others.takes(&project)
            }),
            Atom::Name(name) => {
                let apart = |other: &&str| self.work.compare() && patterns_disjoint(name, other);
                !others.all && others.labels.is_empty() && others.names.iter().all(apart)
            }
            Atom::Label(labels) => {
                let apart = |other: &&Labels| self.work.compare() && contradict(labels, other);
                !others.all && others.names.is_empty() && others.labels.iter().all(apart)
            }
        }
    }

    /// Whether every project that `narrow` takes is taken by one and the same atom of these, by form.
    fn within_any(&self, narrow: &Atom, wides: &Atoms) -> bool {
        if wides.is_empty() || !self.work.compare() {
            return false;
        }
        let index = wides.index();
        if index.has_all() {
            return true;
        }
        match narrow {
            Atom::All => {
                let everything = |wide: &str| self.work.compare() && pattern_within("*", wide);
                wides.pattern_texts(index).any(everything)
                    || wides.label_sets(index, &Labels::new()).next().is_some()
            }
            Atom::Id(id) => {
                (self.project)(*id).is_none_or(|project| wides.matches_any(project_view(&project)))
            }
            Atom::Name(name) => {
                let contains = |wide: &str| self.work.compare() && pattern_within(name, wide);
                wides.has_name(index, name)
                    || wides.has_pattern(index, name)
                    || wides.patterns_before(index, name).any(contains)
            }
            Atom::Label(labels) => {
                let contains = |wide: &Labels| self.work.compare() && is_within(wide, labels);
                wides.label_sets(index, labels).any(contains)
            }
        }
    }
}

/// The atoms of a list that decide by name or labels, or take all: those that may take projects of the future.
struct Live<'a> {
    all: bool,
    names: Vec<&'a str>,
    labels: Vec<&'a Labels>,
}

impl<'a> Live<'a> {
    fn of(atoms: &'a [Atom]) -> Self {
        let mut live = Self { all: false, names: Vec::new(), labels: Vec::new() };
        for atom in atoms {
            match atom {
                Atom::All => live.all = true,
                Atom::Id(_) => {}
                Atom::Name(name) => live.names.push(name),
                Atom::Label(labels) => live.labels.push(labels),
            }
        }
        live
    }

    fn is_empty(&self) -> bool {
        !self.all && self.names.is_empty() && self.labels.is_empty()
    }

    fn len(&self) -> usize {
        self.names.len().saturating_add(self.labels.len())
    }

    fn takes(&self, project: &Project) -> bool {
        self.all
            || self.names.iter().any(|name| glob_matches(name, &project.name))
            || self.labels.iter().any(|wanted| is_within(wanted, &project.labels))
    }
}

fn live_atoms(atoms: &[Atom]) -> impl Iterator<Item = &Atom> {
    atoms.iter().filter(|atom| !matches!(atom, Atom::Id(_)))
}

/// Whether no project can carry both sets of labels.
fn contradict(one: &Labels, other: &Labels) -> bool {
    one.iter().any(|(key, value)| other.get(key).is_some_and(|different| different != value))
}
