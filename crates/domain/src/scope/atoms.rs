//! A list of conditions on projects, with an index: matching a project, or finding conditions that could contain another
//! one, does not look at each of a thousand ids, names or labels.

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    id::ProjectId,
    scope::{
        Atom, Labels, ProjectView,
        patterns::{Pattern, Patterns},
    },
};

/// Lists up to this length are searched one by one, without an index.
const UNINDEXED_MAX: usize = 8;

/// Conditions of which one must hold. Cheap to clone: copies share the list and its index.
///
/// Two lists are equal if they hold the same conditions in the same order.
#[derive(Clone, Default)]
pub struct Atoms(Arc<Listed>);

#[derive(Default)]
struct Listed {
    list: Vec<Atom>,
    index: OnceLock<AtomIndex>,
}

/// The conditions of a list by kind. Numbers are places in the list.
#[derive(Debug, Default)]
pub(crate) struct AtomIndex {
    /// Whether one of them takes every project.
    all: bool,
    /// Sorted.
    ids: Vec<ProjectId>,
    /// Names without a star, by name.
    names: Vec<u32>,
    /// Names with a star.
    patterns: Patterns,
    /// Sets of labels, by their first label. Those without a label are first.
    labels: Vec<u32>,
}

impl Atoms {
    /// Whether one of them takes the project.
    pub fn matches_any(&self, project: ProjectView<'_>) -> bool {
        match self.indexed() {
            None => self.iter().any(|atom| atom.matches(project)),
            Some(index) => {
                index.all
                    || index.ids.binary_search(&project.id).is_ok()
                    || self.has_name(index, project.name)
                    || index.patterns.any(project.name, |place| self.pattern(place))
                    || self.any_label_set_within(index, project.labels)
            }
        }
    }

    /// How many of them are names with a star.
    pub fn patterns(&self) -> usize {
        self.iter().filter(|atom| atom.is_pattern()).count()
    }

    /// The index, made when it is first needed; none for a short list.
    fn indexed(&self) -> Option<&AtomIndex> {
        (self.len() > UNINDEXED_MAX).then(|| self.index())
    }

    /// The index, also of a short list.
    pub(crate) fn index(&self) -> &AtomIndex {
        self.0.index.get_or_init(|| AtomIndex::of(&self.0.list))
    }

    /// Whether one of them is this name without a star.
    pub(crate) fn has_name(&self, index: &AtomIndex, name: &str) -> bool {
        index.names.binary_search_by(|place| self.name(*place).cmp(name)).is_ok()
    }

    /// The names with a star that may contain the name or pattern.
    pub(crate) fn patterns_before(&self, index: &AtomIndex, name: &str) -> impl Iterator<Item = &str> {
        index.patterns.before(name, |place| self.pattern(place)).into_iter().map(|place| self.name(place))
    }

    /// The names with a star.
    pub(crate) fn pattern_texts<'a>(&'a self, index: &'a AtomIndex) -> impl Iterator<Item = &'a str> {
        index.patterns.places().map(|place| self.name(place))
    }

    /// Whether one of them is the name with a star.
    pub(crate) fn has_pattern(&self, index: &AtomIndex, pattern: &str) -> bool {
        index.patterns.has(pattern, |place| self.pattern(place))
    }

    /// The sets of labels of which the first label is one of these: all that can lie within them.
    pub(crate) fn label_sets<'a>(
        &'a self,
        index: &'a AtomIndex,
        labels: &'a Labels,
    ) -> impl Iterator<Item = &'a Labels> {
        let first = |place: &u32| self.label_set(*place).first_key_value();
        let beginning_with = move |wanted: Option<(&String, &String)>| {
            let from = index.labels.partition_point(|place| first(place) < wanted);
            let to = index.labels.partition_point(|place| first(place) <= wanted);
            index.labels.get(from..to).unwrap_or_default()
        };
        let none = beginning_with(None).iter();
        none.chain(labels.iter().flat_map(move |pair| beginning_with(Some(pair))))
            .map(|place| self.label_set(*place))
    }

    fn any_label_set_within(&self, index: &AtomIndex, labels: &Labels) -> bool {
        self.label_sets(index, labels).any(|wanted| is_within(wanted, labels))
    }

    fn pattern(&self, place: u32) -> Pattern<'_> {
        Pattern::of(self.name(place))
    }

    fn name(&self, place: u32) -> &str {
        match self.at(place) {
            Some(Atom::Name(name)) => name,
            Some(Atom::All | Atom::Id(_) | Atom::Label(_)) | None => "",
        }
    }

    fn label_set(&self, place: u32) -> &Labels {
        static NONE: Labels = Labels::new();
        match self.at(place) {
            Some(Atom::Label(labels)) => labels,
            Some(Atom::All | Atom::Id(_) | Atom::Name(_)) | None => &NONE,
        }
    }

    fn at(&self, place: u32) -> Option<&Atom> {
        usize::try_from(place).ok().and_then(|place| self.0.list.get(place))
    }
}

impl AtomIndex {
    fn of(list: &[Atom]) -> Self {
        let mut index = Self::default();
        let mut patterns = Vec::new();
        for (place, atom) in (0_u32..).zip(list) {
            match atom {
                Atom::All => index.all = true,
                Atom::Id(id) => index.ids.push(*id),
                Atom::Name(name) if name.contains('*') => patterns.push((place, name.as_str())),
                Atom::Name(_) => index.names.push(place),
                Atom::Label(_) => index.labels.push(place),
            }
        }
        let at = |place: &u32| usize::try_from(*place).ok().and_then(|place| list.get(place));
        index.ids.sort_unstable();
        index.names.sort_by(|one, other| at(one).cmp(&at(other)));
        index.labels.sort_by(|one, other| first_label(at(one)).cmp(&first_label(at(other))));
        index.patterns = Patterns::of(patterns);
        index
    }

    /// Whether one of them takes every project.
    pub(crate) fn has_all(&self) -> bool {
        self.all
    }
}

fn first_label(atom: Option<&Atom>) -> Option<(&String, &String)> {
    match atom {
        Some(Atom::Label(labels)) => labels.first_key_value(),
        Some(Atom::All | Atom::Id(_) | Atom::Name(_)) | None => None,
    }
}

/// Whether all wanted labels are among these.
pub(crate) fn is_within(wanted: &Labels, labels: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

impl From<Vec<Atom>> for Atoms {
    fn from(list: Vec<Atom>) -> Self {
        Self(Arc::new(Listed { list, index: OnceLock::new() }))
    }
}

impl FromIterator<Atom> for Atoms {
    fn from_iter<T: IntoIterator<Item = Atom>>(atoms: T) -> Self {
        Vec::from_iter(atoms).into()
    }
}

impl Deref for Atoms {
    type Target = [Atom];

    fn deref(&self) -> &[Atom] {
        &self.0.list
    }
}

impl<'a> IntoIterator for &'a Atoms {
    type Item = &'a Atom;
    type IntoIter = std::slice::Iter<'a, Atom>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Atoms {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.list == other.0.list
    }
}

impl Eq for Atoms {}

impl PartialOrd for Atoms {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Atoms {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.list.cmp(&other.0.list)
    }
}

impl Hash for Atoms {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.list.hash(state);
    }
}

impl std::fmt::Debug for Atoms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.list.fmt(f)
    }
}

impl Serialize for Atoms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.list.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Atoms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}
