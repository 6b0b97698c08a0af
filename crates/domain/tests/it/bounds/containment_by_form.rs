//! Containment and overlap with their indexes give exactly what the definition gives, and cost at most the product of two
//! lists.

use std::{cell::RefCell, collections::BTreeSet};

use grantbook_domain::{
    id::ProjectId,
    limits::WorkCounter,
    model::Project,
    scope::{Atom, Atoms, ProjectView, Scope, Selector, glob_matches},
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::given::{Org, labels};

/// The definition, atom by atom: design.md section 3, "Containment of live scopes".
struct Slowly<'a> {
    org: &'a Org,
}

impl Slowly<'_> {
    fn project(&self, id: ProjectId) -> Option<&Project> {
        self.org.state.living_project(id)
    }

    fn takes(&self, selector: &Selector, id: ProjectId) -> bool {
        self.project(id).is_some_and(|project| {
            let any = |atoms: &Atoms| atoms.iter().any(|atom| atom.matches(view(project)));
            any(&selector.include) && !any(&selector.exclude)
        })
    }

    fn contains(&self, held: &Selector, given: &Selector) -> bool {
        given.include.iter().all(|atom| match atom {
            Atom::Id(id) => self.project(*id).is_none() || self.takes(held, *id),
            Atom::All | Atom::Name(_) | Atom::Label(_) => {
                held.include.iter().any(|wide| self.within(atom, wide))
                    && held.exclude.iter().all(|hole| {
                        given.exclude.iter().any(|kept| self.within(hole, kept)) || self.disjoint(hole, atom)
                    })
            }
        })
    }

    fn overlap(&self, one: &Selector, other: &Selector) -> bool {
        one.include.iter().any(|a| other.include.iter().any(|b| self.meet(one, a, other, b)))
    }

    fn meet(&self, one: &Selector, a: &Atom, other: &Selector, b: &Atom) -> bool {
        if let Atom::Id(id) = a {
            return self.takes(other, *id) && self.takes(one, *id);
        }
        if let Atom::Id(id) = b {
            return self.takes(one, *id) && self.takes(other, *id);
        }
        let cut = |atom: &Atom| one.exclude.iter().chain(&other.exclude).any(|hole| self.within(atom, hole));
        !cut(a) && !cut(b) && !self.disjoint(a, b)
    }

    fn within(&self, narrow: &Atom, wide: &Atom) -> bool {
        match (narrow, wide) {
            (_, Atom::All) => true,
            (Atom::Id(id), _) => self.project(*id).is_none_or(|project| wide.matches(view(project))),
            (Atom::Name(narrow), Atom::Name(wide)) => name_within(narrow, wide),
            (Atom::Label(narrow), Atom::Label(wide)) => {
                wide.iter().all(|(key, value)| narrow.get(key) == Some(value))
            }
            (Atom::All, Atom::Name(wide)) => name_within("*", wide),
            (Atom::All, Atom::Label(wide)) => wide.is_empty(),
            (Atom::Name(_) | Atom::Label(_) | Atom::All, _) => false,
        }
    }

    fn disjoint(&self, one: &Atom, other: &Atom) -> bool {
        match (one, other) {
            (Atom::Id(id), atom) | (atom, Atom::Id(id)) => {
                self.project(*id).is_none_or(|project| !atom.matches(view(project)))
            }
            (Atom::Name(one), Atom::Name(other)) => names_disjoint(one, other),
            (Atom::Label(one), Atom::Label(other)) => {
                one.iter().any(|(key, value)| other.get(key).is_some_and(|different| different != value))
            }
            (Atom::All | Atom::Name(_) | Atom::Label(_), _) => false,
        }
    }
}

fn name_within(narrow: &str, wide: &str) -> bool {
    let literal = narrow.split('*').next().unwrap_or("");
    match wide.split_once('*') {
        _ if narrow == wide => true,
        Some((prefix, rest)) if rest.trim_matches('*').is_empty() => literal.starts_with(prefix),
        _ => !narrow.contains('*') && glob_matches(wide, narrow),
    }
}

fn names_disjoint(one: &str, other: &str) -> bool {
    if !one.contains('*') || !other.contains('*') {
        let (name, pattern) = if one.contains('*') { (other, one) } else { (one, other) };
        return !glob_matches(pattern, name);
    }
    let start = |text: &str| text.split('*').next().unwrap_or("").to_owned();
    let end = |text: &str| text.rsplit('*').next().unwrap_or("").to_owned();
    let agree_start = start(one).starts_with(&start(other)) || start(other).starts_with(&start(one));
    let agree_end = end(one).ends_with(&end(other)) || end(other).ends_with(&end(one));
    !(agree_start && agree_end)
}

fn view(project: &Project) -> ProjectView<'_> {
    ProjectView { id: project.id, name: &project.name, labels: &project.labels }
}

fn atom(projects: Vec<ProjectId>) -> impl Strategy<Value = Atom> {
    let sets: &[&[(&str, &str)]] = &[
        &[("k", "x")],
        &[("k", "y")],
        &[("l", "x")],
        &[("k", "x"), ("l", "x")],
        &[("k", "y"), ("m", "x")],
        &[],
    ];
    let sets: Vec<_> = sets.iter().map(|pairs| Atom::Label(labels(pairs))).collect();
    let name = vec(select(vec!['a', 'b', '*']), 1..5).prop_map(|name| Atom::Name(name.into_iter().collect()));
    prop_oneof![1 => Just(Atom::All), 4 => select(projects).prop_map(Atom::Id), 12 => name, 6 => select(sets)]
}

/// From no atom to more than an index is made for.
fn selector(projects: &[ProjectId]) -> impl Strategy<Value = Selector> + use<> {
    let atoms = |least| vec(atom(projects.to_vec()), least..14);
    (atoms(1), atoms(0))
        .prop_map(|(include, exclude)| Selector { include: include.into(), exclude: exclude.into() })
}

fn given() -> (Org, Vec<ProjectId>) {
    let mut org = Org::founded();
    let mut projects = vec![
        org.project("a", &[("k", "x")]),
        org.project("ab", &[("k", "y"), ("l", "x")]),
        org.project("bb", &[]),
    ];
    projects.push(ProjectId::from_u128(99));
    (org, projects)
}

#[test]
fn the_index_finds_what_the_definition_says() {
    let (org, projects) = given();
    let slowly = Slowly { org: &org };
    let mut runner = proptest::test_runner::TestRunner::new(crate::given::cases(4000));
    let seen = RefCell::new(BTreeSet::new());
    let pairs = (selector(&projects), selector(&projects));
    let outcome = runner.run(&pairs, |(held, given)| {
        let (wide, narrow) = (Scope::Projects(held.clone()), Scope::Projects(given.clone()));
        let contains = org.state.on_ground(|ground| ground.contains(&wide, &narrow));
        let overlap = org.state.on_ground(|ground| ground.overlap(&wide, &narrow));
        prop_assert_eq!(contains, slowly.contains(&held, &given), "contains");
        prop_assert_eq!(overlap, slowly.overlap(&held, &given), "overlap");
        seen.borrow_mut().insert((contains, overlap));
        for id in &projects {
            let Some(project) = org.state.living_project(*id) else { continue };
            prop_assert_eq!(held.covers(view(project)), slowly.takes(&held, *id), "covers");
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let seen = seen.into_inner();
    for answers in [(true, true), (false, true), (false, false)] {
        assert!(seen.contains(&answers), "no case with (contains, overlap) = {answers:?}");
    }
}

/// A sort of conditions, and the one of a number.
type Sort = (&'static str, fn(usize) -> Atom);

/// Row 1 of the hostile table: as many include and exclude atoms on both sides.
#[test]
fn two_selectors_cost_at_most_the_product_of_their_lengths() {
    const LENGTH: usize = 1000;
    let org = Org::founded();
    let kinds: [Sort; 4] = [
        ("id", |n| Atom::Id(ProjectId::from_u128(n as u128))),
        ("name", |n| Atom::Name(format!("n{n}"))),
        ("pattern", |n| Atom::Name(format!("*a*{n}*"))),
        ("label", |n| Atom::Label(labels(&[("k", &n.to_string())]))),
    ];
    for (kind, atom) in kinds {
        let selector = |from: usize| Selector {
            include: (0..LENGTH).map(atom).collect(),
            exclude: (from..from + LENGTH).map(atom).collect(),
        };
        let (held, given) = (selector(LENGTH), selector(LENGTH / 2));
        for overlap in [false, true] {
            let work = WorkCounter::unlimited();
            org.state.on_ground_within(&work, |ground| {
                let (held, given) = (Scope::Projects(held.clone()), Scope::Projects(given.clone()));
                if overlap { ground.overlap(&held, &given) } else { ground.contains(&held, &given) }
            });
            let most = match kind {
                "id" | "name" | "label" if !overlap => 10 * LENGTH as u64 + (LENGTH * LENGTH) as u64,
                _ => 5 * (LENGTH * LENGTH) as u64,
            };
            assert!(work.spent() <= most, "{kind}, overlap {overlap}: {} comparisons", work.spent());
        }
    }
}

/// Doubt means "not contained" and "overlaps".
#[test]
fn once_the_work_is_used_up_nothing_is_contained_and_everything_overlaps() {
    let org = Org::founded();
    let some = |value: &str| {
        Scope::Projects(Selector {
            include: vec![Atom::Label(labels(&[("k", value)]))].into(),
            exclude: Atoms::default(),
        })
    };
    for (units, contains, overlaps) in [(0, false, true), (100, true, false)] {
        let work = WorkCounter::limited(units);
        org.state.on_ground_within(&work, |ground| {
            assert_eq!(ground.contains(&some("x"), &some("x")), contains);
            assert_eq!(ground.overlap(&some("x"), &some("y")), overlaps);
        });
        assert_eq!(work.is_exceeded(), units == 0);
    }
}
