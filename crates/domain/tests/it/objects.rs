//! Registered objects: they never move, and removal kills the grants on them for ever.

use grantbook_domain::{
    access::Reason,
    command::Command,
    id::ProjectId,
    principal::Principal,
    refusal::{Kind, Refusal},
    scope::Scope,
};

use crate::given::{Give, Org, assert_made, object, on_project};

fn two_projects() -> (Org, Principal, ProjectId, ProjectId) {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let (home, other) = (org.project("home", &[]), org.project("other", &[]));
    (org, token, home, other)
}

#[test]
fn a_registered_project_beats_the_one_named_and_disagreement_is_a_deny() {
    let (mut org, token, home, other) = two_projects();
    let experiment = object("experiment", "e1");
    org.give(Give::allow(token, &["read"], on_project(other)));
    assert_eq!(org.ask(token, "read", &experiment, Some(other)), Reason::Granted, "not registered: as named");
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::UnknownObject, "not registered, not named");
    org.register(&experiment, Some(home));
    assert_eq!(org.ask(token, "read", &experiment, Some(other)), Reason::ObjectProjectMismatch);
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::NoGrant);
    org.give(Give::allow(token, &["read"], on_project(home)));
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::Granted);
    assert_eq!(org.ask(token, "read", &experiment, Some(home)), Reason::Granted);
    org.done(Command::RemoveObject { object: experiment.clone() });
    assert_eq!(
        org.ask(token, "read", &experiment, Some(other)),
        Reason::ObjectProjectMismatch,
        "it never moves"
    );
}

#[test]
fn a_removed_object_is_registered_again_only_at_home_and_its_old_grants_stay_dead() {
    let (mut org, token, home, other) = two_projects();
    let (experiment, ada) = (object("experiment", "e1"), org.ada());
    org.register(&experiment, Some(home));
    org.give(Give::allow(token, &["read"], Scope::Object(experiment.clone())));
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::Granted);
    assert_made(&org.act(ada, Command::RemoveObject { object: experiment.clone() }), "ObjectRemoved");
    assert!(org.done(Command::RemoveObject { object: experiment.clone() }).is_empty());
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::UnknownObject);
    assert_eq!(org.ask(token, "read", &experiment, Some(home)), Reason::NoGrant);
    let register = |project| Command::RegisterObject { object: experiment.clone(), project: Some(project) };
    assert_eq!(org.act(ada, register(other)), Err(Refusal::ObjectMoved));
    assert_made(&org.act(ada, register(home)), "ObjectRegistered");
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::NoGrant, "the old grant stays dead");
    org.give(Give::allow(token, &["read"], Scope::Object(experiment.clone())));
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::Granted);
    assert!(org.done(register(home)).is_empty(), "registered already");
    assert_eq!(org.act(ada, register(other)), Err(Refusal::ObjectMoved));
}

#[test]
fn objects_below_the_organization_lie_in_no_project() {
    let (mut org, token, home, _) = two_projects();
    org.extend(&[("vault", "organization"), ("secret", "vault"), ("run", "experiment")], &[]);
    let (vault, ada) = (object("vault", "v"), org.ada());
    let register = |object, project| Command::RegisterObject { object, project };
    for (command, pointer) in [
        (register(vault.clone(), Some(home)), "/project"),
        (register(object("run", "r"), None), "/project"),
        (register(object("group", "g"), None), "/type"),
        (register(object("role", "g"), None), "/type"),
        (register(object("project", "g"), None), "/type"),
        (register(object("org_member", "g"), None), "/type"),
        (register(object("vault", ""), None), "/id"),
        (register(object("vault", &"v".repeat(257)), None), "/id"),
    ] {
        let refusal = org.act(ada, command.clone()).expect_err(pointer);
        assert_eq!((refusal.code(), refusal.pointer().as_deref()), ("invalid", Some(pointer)), "{command:?}");
    }
    assert_eq!(org.ask(token, "read", &vault, None), Reason::UnknownObject);
    org.register(&vault, None);
    org.register(&object("run", "r"), Some(home));
    org.give(Give::allow(token, &["read"], Scope::Object(vault.clone())));
    assert_eq!(org.ask(token, "read", &vault, None), Reason::Granted);
    assert_eq!(org.ask(token, "read", &vault, Some(home)), Reason::ObjectProjectMismatch);
    org.give(Give::allow(token, &["read"], on_project(home)));
    assert_eq!(org.ask(token, "read", &object("run", "r"), None), Reason::Granted, "a type below experiment");
    let refusal = org.act(ada, Command::RemoveObject { object: object("vault", "other") });
    assert_eq!(refusal, Err(Refusal::NotFound(Kind::Object)));
}
