//! Registered objects: each project has its own, and removal ends the grants on one for good.

use grantbook_domain::{
    access::check::Reason,
    command::{Author, Command, ObjectCommand, ProjectCommand},
    event::Event,
    id::ProjectId,
    principal::{Caller, Principal},
    refusal::{Kind, Refusal},
    scope::{ObjectRef, Scope},
};

use crate::given::{Give, Org, all, assert_made, by, object, on_project};

fn two_projects() -> (Org, Principal, ProjectId, ProjectId) {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let (home, other) = (org.project("home", &[]), org.project("other", &[]));
    (org, token, home, other)
}

#[test]
fn a_check_that_names_a_project_means_it_whatever_others_have_registered() {
    let (mut org, token, home, other) = two_projects();
    let experiment = object("experiment", "e1");
    org.give(Give::allow(token, &["read"], on_project(home)));
    assert_eq!(org.ask(token, "read", &experiment, Some(home)), Reason::Granted, "not registered");
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::UnknownObject, "not registered, not named");
    org.register(&experiment, Some(other));
    assert_eq!(org.ask(token, "read", &experiment, Some(home)), Reason::Granted, "another's changes nothing");
    assert_eq!(org.ask(token, "read", &experiment, Some(other)), Reason::NoGrant);
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::NoGrant, "the only one there is");
    org.register(&experiment, Some(home));
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::AmbiguousObject);
    assert_eq!(org.ask(token, "read", &experiment, Some(home)), Reason::Granted);
    org.done(Command::Object(ObjectCommand::Remove { object: experiment.clone().within(Some(other)) }));
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::Granted, "the only one left");
    org.done(Command::Project(ProjectCommand::Delete { id: home }));
    assert_eq!(org.ask(token, "read", &experiment, None), Reason::UnknownObject);
}

#[test]
fn grants_are_bound_to_the_project_and_the_generation_of_their_object() {
    let (mut org, token, home, other) = two_projects();
    let experiment = object("experiment", "e1");
    let (here, there) = (experiment.clone().within(Some(home)), experiment.clone().within(Some(other)));
    org.register(&here, Some(home));
    let old = org.give(Give::allow(token, &["read"], Scope::Object(experiment.clone())));
    assert_eq!(org.state.grant(old).expect("given").on, Scope::Object(here.clone()), "bound when given");
    org.register(&there, Some(other));
    assert_eq!(org.ask(token, "read", &experiment, Some(home)), Reason::Granted);
    assert_eq!(org.ask(token, "read", &experiment, Some(other)), Reason::NoGrant);
    org.done(Command::Object(ObjectCommand::Remove { object: here.clone() }));
    assert!(org.done(Command::Object(ObjectCommand::Remove { object: here.clone() })).is_empty());
    assert_eq!(org.ask(token, "read", &experiment, Some(home)), Reason::NoGrant);
    org.register(&here, Some(home));
    assert_eq!(org.state.object(&here).expect("known").generation, 2);
    assert_eq!(org.state.object(&there).expect("known").generation, 1, "each counts its own");
    assert_eq!(org.ask(token, "read", &experiment, Some(home)), Reason::NoGrant, "the old grant stays dead");
    org.give(Give::allow(token, &["read"], Scope::Object(here)));
    assert_eq!(org.ask(token, "read", &experiment, Some(home)), Reason::Granted);
}

#[test]
fn a_narrowing_to_an_object_ends_with_its_generation() {
    let (mut org, token, home, _) = two_projects();
    let experiment = object("experiment", "e1").within(Some(home));
    org.register(&experiment, Some(home));
    org.give(Give::allow(token, &["read"], all()));
    let Author::Caller(Caller { key, .. }) =
        org.narrowed(token, None, Some(Scope::Object(experiment.clone())))
    else {
        panic!("a key")
    };
    let ask = |org: &Org| org.ask_as((None, key), "read", &experiment, Some(home));
    assert_eq!(ask(&org), Reason::Granted);
    org.done(Command::Object(ObjectCommand::Remove { object: experiment.clone() }));
    assert_eq!(ask(&org), Reason::KeyNarrowed);
    org.register(&experiment, Some(home));
    assert_eq!(ask(&org), Reason::KeyNarrowed, "a new one of the same name is not what the key was made for");
}

/// An attacker with rights on one project registers the ids of another: nothing there changes.
#[test]
fn only_what_one_sees_makes_an_object_ambiguous_where_it_is_written() {
    let (mut org, token, home, other) = two_projects();
    let experiment = object("experiment", "e1");
    org.register(&experiment, Some(home));
    org.register(&experiment, Some(other));
    let ada = org.ada();
    let give = Give::allow(token, &["read"], Scope::Object(experiment.clone()));
    assert_eq!(org.try_give(ada, give.clone()).expect_err("two").code(), "ambiguous_object");
    let lead = Principal::User(org.user("lead@x.y"));
    org.give(Give::allow(lead, &["read", "create_acls", "delegate", "delete"], on_project(home)));
    org.give(Give::allow(lead, &["read"], Scope::Organization).only("org_member"));
    let Ok(events) = org.try_give(by(lead), give) else { panic!("the lead sees one") };
    let [Event::GrantCreated { grant }] = &events[..] else { panic!("a grant") };
    assert_eq!(grant.on, Scope::Object(experiment.clone().within(Some(home))));
    assert_made(
        &org.act(by(lead), Command::Object(ObjectCommand::Remove { object: experiment.clone() })),
        "ObjectRemoved",
    );
    assert!(
        org.act(by(lead), Command::Object(ObjectCommand::Remove { object: experiment }))
            .expect("again")
            .is_empty()
    );
}

#[test]
fn a_name_is_given_changed_and_cleared() {
    let (mut org, _, home, _) = two_projects();
    let (experiment, ada) = (object("experiment", "e1").within(Some(home)), org.ada());
    let name = Some("first try".to_owned());
    org.done(Command::Object(ObjectCommand::Register { object: experiment.clone(), name: name.clone() }));
    assert_eq!(org.state.object(&experiment).expect("known").name, name);
    let rename = |name: Option<&str>| {
        Command::Object(ObjectCommand::Update {
            object: object("experiment", "e1"),
            name: Some(name.map(str::to_owned)),
        })
    };
    assert_made(&org.act(ada, rename(Some("second"))), "ObjectUpdated");
    assert!(org.done(rename(Some("second"))).is_empty());
    assert_made(&org.act(ada, rename(None)), "ObjectUpdated");
    assert_eq!(org.act(ada, rename(Some(" "))).expect_err("odd").code(), "invalid");
    org.done(Command::Object(ObjectCommand::Remove { object: experiment }));
    assert_eq!(org.act(ada, rename(Some("third"))), Err(Refusal::NotFound(Kind::Object)));
}

#[test]
fn an_id_that_grantbook_made_is_not_a_callers_own() {
    let (mut org, token, home, _) = two_projects();
    let Principal::Token(token) = token else { panic!("a token") };
    for id in [home.to_string(), token.to_string(), org.own_id(), org.owner_key.to_string()] {
        let object = object("dataset", &id).within(Some(home));
        let refusal = org
            .act(org.ada(), Command::Object(ObjectCommand::Register { object, name: None }))
            .expect_err("ours");
        assert_eq!((refusal.code(), refusal.pointer().as_deref()), ("invalid", Some("/id")));
    }
}

#[test]
fn objects_below_the_organization_lie_in_no_project() {
    let (mut org, token, home, _) = two_projects();
    org.extend(&[("vault", "organization"), ("secret", "vault"), ("run", "experiment")], &[]);
    let (vault, ada) = (object("vault", "v"), org.ada());
    let register = |object: ObjectRef, project| {
        Command::Object(ObjectCommand::Register { object: object.within(project), name: None })
    };
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
    let refusal = org.act(ada, Command::Object(ObjectCommand::Remove { object: object("vault", "other") }));
    assert_eq!(refusal, Err(Refusal::NotFound(Kind::Object)));
}
