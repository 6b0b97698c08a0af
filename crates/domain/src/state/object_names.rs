//! The names of registered objects: which living objects have one, and which numbered form of it is free.

use crate::{id::ProjectId, limits::WorkCounter, model::RegisteredObject, scope::ObjectRef, state::OrgState};

/// The first number that is put behind a name that is taken.
const FIRST_NUMBER: u32 = 2;

/// A living object under its name. Names that differ by their number alone lie side by side, in the order of the numbers; of
/// objects with the same name those with an id that Grantbook chose come first, the oldest before the others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NameEntry {
    object_type: String,
    project: Option<ProjectId>,
    /// The name without its number.
    stem: String,
    /// 1 for a name without one.
    number: u32,
    is_callers: bool,
    id: String,
}

impl NameEntry {
    /// Where the object is found by its name, if it has one and lives.
    fn of(known: &RegisteredObject) -> Option<Self> {
        let name = known.name.as_deref().filter(|_| known.ended_at.is_none())?;
        let ObjectRef { object_type, id, project } = &known.object;
        let start = Self::start((object_type, *project), parted(name));
        Some(Self { is_callers: !known.minted, id: id.clone(), ..start })
    }

    /// Before all entries of the name.
    fn start((object_type, project): (&str, Option<ProjectId>), (stem, number): (&str, u32)) -> Self {
        let (object_type, stem, id) = (object_type.to_owned(), stem.to_owned(), String::new());
        Self { object_type, project, stem, number, is_callers: false, id }
    }

    fn has_stem_of(&self, other: &Self) -> bool {
        (&self.object_type, self.project, &self.stem) == (&other.object_type, other.project, &other.stem)
    }

    fn object(&self) -> ObjectRef {
        ObjectRef::new(self.object_type.as_str(), self.id.as_str()).within(self.project)
    }
}

/// A name as stem and number: `run-7` is (`run`, 7), `run` is (`run`, 1). No two names have the same parts.
fn parted(name: &str) -> (&str, u32) {
    let numbered = name.rsplit_once('-').and_then(|(stem, digits)| {
        let number = digits.parse::<u32>().ok()?;
        let is_plain = !stem.is_empty() && number >= FIRST_NUMBER && number.to_string() == digits;
        is_plain.then_some((stem, number))
    });
    numbered.unwrap_or((name, 1))
}

impl OrgState {
    /// The living objects of the type, in the project or in none, that have exactly this name: first those with an id that
    /// Grantbook chose, the oldest before the others.
    pub fn objects_named(
        &self,
        object_type: &str,
        project: Option<ProjectId>,
        name: &str,
    ) -> impl Iterator<Item = &RegisteredObject> {
        let start = NameEntry::start((object_type, project), parted(name));
        let like = start.clone();
        self.object_names
            .range(start..)
            .take_while(move |entry| entry.has_stem_of(&like) && entry.number == like.number)
            .filter_map(|entry| self.living_object(&entry.object()))
    }

    /// The name with a number that no living object of the type in the project has: the least from 2 on, or, once `looks` objects
    /// were looked at, the one above the highest; none if there is no number above it. So the cost does not grow with the number
    /// of objects, whoever made them.
    pub(crate) fn numbered_name(
        &self,
        (object_type, project): (&str, Option<ProjectId>),
        name: &str,
        (looks, work): (usize, &WorkCounter),
    ) -> Option<String> {
        let numbered = |number: u32| format!("{name}-{number}");
        let first = NameEntry::start((object_type, project), (name, FIRST_NUMBER));
        let mut free = FIRST_NUMBER;
        let mut taken = self.object_names.range(first.clone()..).take_while(|one| one.has_stem_of(&first));
        for _ in 0..looks {
            work.spend(1);
            match taken.next() {
                Some(entry) if entry.number <= free => free = entry.number.checked_add(1)?,
                Some(_) | None => return Some(numbered(free)),
            }
        }
        // The least stem behind this one.
        let beyond = NameEntry::start((object_type, project), (&format!("{name}\0"), 0));
        let highest = self.object_names.range(first.clone()..beyond).next_back()?;
        highest.number.checked_add(1).map(numbered)
    }

    /// Whether Grantbook chose the id, for an object of whatever type and project.
    pub(crate) fn is_minted(&self, id: &str) -> bool {
        self.minted_ids.contains(id)
    }

    /// Keeps the names right when an object is put in the place of what was known of it.
    pub(super) fn index_object(&mut self, object: &RegisteredObject) {
        if let Some(entry) = self.object(&object.object).and_then(NameEntry::of) {
            self.object_names.remove(&entry);
        }
        if let Some(entry) = NameEntry::of(object) {
            self.object_names.insert(entry);
        }
        if object.minted {
            self.minted_ids.insert(object.object.id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_as_it_would_be_put_there_is_one() {
        for (name, stem, number) in [
            ("run", "run", 1),
            ("run-2", "run", 2),
            ("run-4294967295", "run", u32::MAX),
            ("run-4294967296", "run-4294967296", 1),
            ("run-1", "run-1", 1),
            ("run-0", "run-0", 1),
            ("run-02", "run-02", 1),
            ("run-+2", "run-+2", 1),
            ("run--2", "run-", 2),
            ("run-2-3", "run-2", 3),
            ("-2", "-2", 1),
            ("2", "2", 1),
            ("-", "-", 1),
        ] {
            assert_eq!(parted(name), (stem, number), "{name}");
        }
    }
}
