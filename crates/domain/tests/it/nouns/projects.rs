//! Projects and live selectors: created, renamed, relabelled, deleted.

use grantbook_domain::{
    access::check::Reason,
    command::{Command, ProjectCommand},
    id::ProjectId,
    principal::Principal,
    refusal::{Kind, Refusal},
    scope::{Atom, Scope},
};

use crate::given::{
    Give, Org, all, all_but, excluding, ids, label, labelled, labels, named, object, on_project, one_of,
    project_object,
};

fn holder(scopes: impl IntoIterator<Item = Scope>) -> (Org, Principal) {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    for scope in scopes {
        org.give(Give::allow(token, &["read"], scope));
    }
    (org, token)
}

fn reads(org: &Org, who: Principal, project: ProjectId) -> bool {
    let on_it = org.ask(who, "read", &project_object(project), None).allows();
    let below = org.ask(who, "read", &object("experiment", "e"), Some(project)).allows();
    assert_eq!(on_it, below, "a project and what lies below it");
    on_it
}

/// The grant is older than every project it decides about.
#[test]
fn a_selector_decides_about_projects_created_renamed_and_relabelled_later() {
    for (scope, name, before, after) in [
        (all_but(vec![label("env", "production")]), "x", ("env", "staging"), ("env", "production")),
        (labelled("env", "dev"), "x", ("env", "dev"), ("env", "prod")),
        (excluding(vec![named("s*")], vec![label("tier", "a")]), "s1", ("tier", "b"), ("tier", "a")),
    ] {
        let (mut org, token) = holder([scope]);
        let project = org.project(name, &[before]);
        assert!(reads(&org, token, project), "created later");
        org.relabel(project, &[after]);
        assert!(!reads(&org, token, project), "relabelled later");
        org.relabel(project, &[before]);
        assert!(reads(&org, token, project), "and back");
    }
    let (mut org, token) = holder([one_of(vec![named("prod-*")])]);
    let project = org.project("prod-1", &[]);
    assert!(reads(&org, token, project));
    org.done(Command::Project(ProjectCommand::Update {
        id: project,
        name: Some("test-1".to_owned()),
        labels: None,
    }));
    assert!(!reads(&org, token, project), "renamed later");
}

#[test]
fn allow_grants_add_up_as_an_exclude_belongs_to_its_grant() {
    let (mut org, token) = holder([all_but(vec![label("env", "production")])]);
    let (production, other) =
        (org.project("p", &[("env", "production")]), org.project("q", &[("env", "production")]));
    assert!(!reads(&org, token, production));
    org.give(Give::allow(token, &["read"], on_project(production)));
    assert!(reads(&org, token, production), "another grant gives it");
    assert!(!reads(&org, token, other));
}

#[test]
fn every_label_of_an_atom_is_needed_and_any_atom_suffices() {
    let both = Atom::Label(labels(&[("env", "dev"), ("tier", "a")]));
    let (mut org, token) = holder([one_of(vec![both, named("free")])]);
    let cases = [
        ("a", &[("env", "dev")][..], false),
        ("b", &[("env", "dev"), ("tier", "a"), ("more", "")], true),
        ("free", &[], true),
        ("freed", &[], false),
    ];
    for (name, pairs, expected) in cases {
        let project = org.project(name, pairs);
        assert_eq!(reads(&org, token, project), expected, "{name}");
    }
}

#[test]
fn names_compare_bytewise() {
    let (mut org, token) = holder([one_of(vec![named("Prod*"), named("caf\u{e9}")])]);
    for (name, expected) in [("Prod", true), ("prod", false), ("cafe\u{301}", false), ("caf\u{e9}", true)] {
        let project = org.project(name, &[]);
        assert_eq!(reads(&org, token, project), expected, "{name}");
    }
}

#[test]
fn a_deleted_project_takes_its_objects_and_the_grants_on_it_for_ever() {
    let (mut org, token) = holder([all()]);
    let project = org.project("p", &[]);
    let experiment = object("experiment", "e1");
    org.register(&experiment, Some(project));
    org.give(Give::allow(token, &["update"], on_project(project)));
    org.give(Give::allow(token, &["update"], ids(&[project])));
    assert!(reads(&org, token, project));
    assert_eq!(org.done(Command::Project(ProjectCommand::Delete { id: project })).len(), 1);
    assert!(org.done(Command::Project(ProjectCommand::Delete { id: project })).is_empty());
    assert_eq!(org.ask(token, "read", &project_object(project), None), Reason::UnknownObject);
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::UnknownObject);
    assert_eq!(org.ask(token, "read", &object("dataset", "d"), Some(project)), Reason::UnknownObject);
    let again = org.project("p", &[]);
    assert!(!org.ask(token, "update", &project_object(again), None).allows(), "a name revives nothing");
    let ada = org.ada();
    assert_eq!(
        org.act(ada, Command::Project(ProjectCommand::Update { id: project, name: None, labels: None })),
        Err(Refusal::NotFound(Kind::Project))
    );
}

#[test]
fn unchanged_labels_make_no_event() {
    let mut org = Org::founded();
    let project = org.project("p", &[("a", "b")]);
    let same = Command::Project(ProjectCommand::Update {
        id: project,
        name: Some("p".into()),
        labels: Some(labels(&[("a", "b")])),
    });
    assert!(org.done(same).is_empty());
}

#[test]
fn labels_have_their_limits() {
    let mut org = Org::founded();
    let ada = org.ada();
    let many = (0..65).map(|number| (format!("k{number}"), String::new())).collect();
    for (labels, pointer) in [
        (many, "/labels"),
        (labels(&[(" a", "b")]), "/labels/ a"),
        (labels(&[("a", "b\n")]), "/labels/a"),
        (labels(&[("a/b~", " ")]), "/labels/a~1b~0"),
    ] {
        let (id, name) = (org.id(), "p".to_owned());
        let refusal =
            org.act(ada, Command::Project(ProjectCommand::Create { id, name, labels })).expect_err(pointer);
        assert_eq!((refusal.code(), refusal.pointer().as_deref()), ("invalid", Some(pointer)));
    }
}
