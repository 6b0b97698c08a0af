//! Containment and overlap of live scopes by form: never wrong about any project that exists or could, and not so
//! careful that the usual cases are refused.

use grantbook_domain::{
    access::check::{Located, Target},
    command::{Author, Command, ProjectCommand},
    event::Event,
    id::{Id, ProjectId},
    model::Project,
    scope::{Atom, Scope, glob_matches},
    state::OrgState,
    time::Timestamp,
};
use proptest::{collection::vec, prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};

use crate::given::{
    Org, all, all_but, excluding, ids, label, labelled, labels, named, object, on_project, one_of, within,
};

/// Three projects that exist, one that is gone, an object, and everything that could be there.
struct Ground {
    org: Org,
    projects: Vec<ProjectId>,
    with_possible: OrgState,
    places: Vec<Located>,
}

impl Ground {
    fn new() -> Self {
        let mut org = Org::founded();
        let projects = vec![
            org.project("a", &[("k", "x")]),
            org.project("ab", &[("k", "y"), ("l", "x")]),
            org.project("bb", &[]),
            org.project("gone", &[]),
        ];
        org.done(Command::Project(ProjectCommand::Delete { id: projects[3] }));
        org.register(&object("experiment", "e"), Some(projects[0]));
        let mut with_possible = org.state.clone();
        for project in possible_projects() {
            with_possible.apply(Author::Operator.into(), &Event::ProjectCreated { project });
        }
        let places = places(&with_possible);
        Self { org, projects, with_possible, places }
    }

    fn contains(&self, held: &Scope, given: &Scope) -> bool {
        self.org.state.on_ground(|ground| ground.contains(held, given))
    }

    fn overlap(&self, one: &Scope, other: &Scope) -> bool {
        self.org.state.on_ground(|ground| ground.overlap(one, other))
    }

    fn covers(&self, scope: &Scope, place: &Located) -> bool {
        self.with_possible.covers(scope, place)
    }

    /// What the claims about the two scopes get wrong.
    fn mistake(&self, held: &Scope, given: &Scope) -> Option<String> {
        let (contained, overlapping) = (self.contains(held, given), self.overlap(held, given));
        let reach = self.org.state.on_ground(|ground| ground.reach(given));
        if self.overlap(given, held) != overlapping {
            return Some("overlap is not symmetric".to_owned());
        }
        self.places.iter().find_map(|place| {
            let (by_held, by_given) = (self.covers(held, place), self.covers(given, place));
            let claim = match (by_held, by_given) {
                (false, true) if contained => "contained",
                (true, true) if !overlapping => "disjoint",
                (_, true) if !reach.has(place.object_type) => "out of reach",
                _ => return None,
            };
            let project = place.project.and_then(|id| self.with_possible.project(id));
            Some(format!("not {claim}: {:?} in {project:?}", place.object))
        })
    }
}

/// Every name of up to four letters `a` and `b`, and one other, with every combination of labels.
fn possible_projects() -> impl Iterator<Item = Project> {
    let mut names = vec![String::new(), "c".to_owned()];
    for length in 0..4 {
        let longest: Vec<_> =
            names.iter().filter(|name| name.len() == length && *name != "c").cloned().collect();
        names.extend(longest.iter().flat_map(|name| [format!("{name}a"), format!("{name}b")]));
    }
    let every_labels = [
        &[][..],
        &[("k", "x")],
        &[("k", "y")],
        &[("l", "x")],
        &[("k", "x"), ("l", "x")],
        &[("k", "z"), ("l", "x")],
    ];
    let pairs =
        names.into_iter().flat_map(move |name| every_labels.map(|pairs| (name.clone(), labels(pairs))));
    pairs.zip(1000_u128..).map(|((name, labels), number)| Project {
        id: Id::from_u128(number),
        name,
        labels,
        created_at: Timestamp::EPOCH,
        ended_at: None,
    })
}

fn places(state: &OrgState) -> Vec<Located> {
    let own = state.id().expect("founded").to_string();
    let locate = |object_type: &str, id: &str, project: Option<&str>| {
        state.locate(Target { object_type, id, project }).ok()
    };
    let singletons = ["organization", "org_project", "org_member"].map(|name| locate(name, &own, None));
    let of_projects = state.projects().flat_map(|project| {
        let id = project.id.to_string();
        [locate("project", &id, None), locate("dataset", "any", Some(&id))]
    });
    singletons.into_iter().chain(of_projects).chain([locate("experiment", "e", None)]).flatten().collect()
}

fn atom(projects: Vec<ProjectId>) -> impl Strategy<Value = Atom> {
    let label = |pairs: &[(&str, &str)]| Atom::Label(labels(pairs));
    let labels = vec![
        label(&[("k", "x")]),
        label(&[("k", "y")]),
        label(&[("l", "x")]),
        label(&[("k", "x"), ("l", "x")]),
    ];
    let pattern =
        vec(select(vec!['a', 'b', '*']), 1..4).prop_map(|letters| Atom::Name(letters.into_iter().collect()));
    prop_oneof![1 => Just(Atom::All), 2 => select(projects).prop_map(Atom::Id), 4 => pattern, 3 => select(labels)]
}

fn scope(projects: &[ProjectId], own: &str) -> impl Strategy<Value = Scope> + use<> {
    let selector = (vec(atom(projects.to_vec()), 1..3), vec(atom(projects.to_vec()), 0..3))
        .prop_map(|(include, exclude)| excluding(include, exclude));
    let objects = vec![
        Scope::Organization,
        within("org_project", own),
        within("org_member", own),
        within("experiment", "e"),
        on_project(projects[0]),
        on_project(projects[1]),
        on_project(projects[3]),
    ];
    prop_oneof![6 => selector, 1 => select(objects)]
}

#[test]
fn containment_and_disjointness_hold_for_every_project_that_exists_or_could() {
    let ground = Ground::new();
    let scopes = || scope(&ground.projects, &ground.org.own_id());
    let mut runner = TestRunner::new(crate::given::cases(6000));
    let outcome = runner.run(&(scopes(), scopes()), |(held, given)| {
        ground.mistake(&held, &given).map_or(Ok(()), |mistake| Err(TestCaseError::fail(mistake)))
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// A form that claimed nothing would be never wrong.
#[test]
fn much_of_what_holds_is_also_claimed() {
    let ground = Ground::new();
    let mut runner = TestRunner::deterministic();
    let pairs =
        (scope(&ground.projects, &ground.org.own_id()), scope(&ground.projects, &ground.org.own_id()));
    let (mut contained, mut truly_contained, mut disjoint, mut truly_disjoint) = (0, 0, 0, 0);
    for _ in 0..3000 {
        let (held, given) = pairs.new_tree(&mut runner).expect("scopes").current();
        let covered =
            |scope: &Scope| ground.places.iter().map(|place| ground.covers(scope, place)).collect::<Vec<_>>();
        let (by_held, by_given) = (covered(&held), covered(&given));
        let both = || by_held.iter().zip(&by_given);
        if !by_given.contains(&true) {
            continue;
        }
        truly_contained += u32::from(both().all(|(held, given)| *held || !given));
        truly_disjoint += u32::from(both().all(|(held, given)| !(*held && *given)));
        contained += u32::from(ground.contains(&held, &given));
        disjoint += u32::from(!ground.overlap(&held, &given));
    }
    println!("contained {contained} of {truly_contained}, disjoint {disjoint} of {truly_disjoint}");
    assert!(truly_contained > 200 && truly_disjoint > 200, "{truly_contained} {truly_disjoint}");
    assert!(contained * 10 > truly_contained * 8, "contained {contained} of {truly_contained}");
    assert!(disjoint * 10 > truly_disjoint * 6, "disjoint {disjoint} of {truly_disjoint}");
}

#[test]
fn the_usual_cases_are_contained_and_doubt_is_not() {
    let ground = Ground::new();
    let [a, ab, bb, gone] = ground.projects[..] else { panic!("four projects") };
    let (x, y) = (label("k", "x"), label("k", "y"));
    let both = Atom::Label(labels(&[("k", "x"), ("l", "x")]));
    let holes = vec![x.clone(), named("b*")];
    let in_a = object("experiment", "e").within(Some(a));
    let in_ab = object("experiment", "e").within(Some(ab));
    for (held, given, expected) in [
        (Scope::Organization, all(), true),
        (Scope::Organization, Scope::Organization, true),
        (all(), Scope::Organization, false),
        (all(), all_but(vec![x.clone()]), true),
        (all_but(vec![x.clone()]), all(), false),
        (all_but(vec![x.clone()]), all_but(vec![x.clone()]), true),
        (all_but(vec![x.clone()]), all_but(holes.clone()), true),
        (all_but(holes), all_but(vec![x.clone()]), false),
        (all_but(vec![both.clone()]), all_but(vec![x.clone()]), true),
        (all_but(vec![x.clone()]), all_but(vec![both.clone()]), false),
        (all_but(vec![x.clone()]), one_of(vec![y.clone()]), true),
        (all_but(vec![x.clone()]), one_of(vec![label("l", "x")]), false),
        (all_but(vec![x.clone()]), ids(&[ab, bb]), true),
        (all_but(vec![x.clone()]), ids(&[a]), false),
        (all_but(vec![named("prod*")]), one_of(vec![named("staging*")]), true),
        (all_but(vec![named("prod*")]), one_of(vec![named("p*")]), false),
        (one_of(vec![named("a*")]), one_of(vec![named("ab*")]), true),
        (one_of(vec![named("a*")]), one_of(vec![named("ab")]), true),
        (one_of(vec![named("a*")]), ids(&[a, ab]), true),
        (one_of(vec![named("ab*")]), one_of(vec![named("a*")]), false),
        (one_of(vec![named("*a")]), one_of(vec![named("*ba")]), false),
        (one_of(vec![x.clone()]), one_of(vec![both]), true),
        (one_of(vec![x.clone(), y.clone()]), one_of(vec![y, x.clone()]), true),
        (one_of(vec![x.clone()]), on_project(a), true),
        (one_of(vec![x.clone()]), on_project(bb), false),
        (one_of(vec![x.clone()]), Scope::Object(in_a.clone()), true),
        (on_project(a), Scope::Object(in_a.clone()), true),
        (on_project(ab), Scope::Object(in_a.clone()), false),
        (Scope::Object(in_ab), Scope::Object(in_a), false),
        (on_project(a), ids(&[a]), true),
        (ids(&[a]), on_project(a), true),
        (on_project(a), all(), false),
        (excluding(vec![Atom::All], vec![Atom::Id(gone)]), all(), true),
        (excluding(vec![Atom::All], vec![Atom::Id(bb)]), one_of(vec![x]), true),
    ] {
        assert_eq!(ground.contains(&held, &given), expected, "{held:?}\nholds {given:?}");
    }
    let own = ground.org.own_id();
    assert!(ground.contains(&within("org_project", &own), &all()));
    assert!(!ground.contains(&all(), &within("org_project", &own)));
    assert!(!ground.overlap(&within("org_member", &own), &all()));
    assert!(!ground.overlap(&labelled("k", "x"), &labelled("k", "y")));
    assert!(ground.overlap(&labelled("k", "x"), &labelled("l", "x")));
}

/// The definition, letter by letter.
fn matches_slowly(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], name) => name.is_empty(),
        ([b'*', rest @ ..], name) => (0..=name.len()).any(|skipped| matches_slowly(rest, &name[skipped..])),
        ([first, rest @ ..], [letter, left @ ..]) => first == letter && matches_slowly(rest, left),
        ([_, ..], []) => false,
    }
}

proptest! {
    #![proptest_config(crate::given::cases(5000))]

    #[test]
    fn patterns_match_as_defined(pattern in "[ab*]{0,6}", name in "[ab]{0,7}") {
        let expected = matches_slowly(pattern.as_bytes(), name.as_bytes());
        prop_assert_eq!(glob_matches(&pattern, &name), expected);
    }
}
