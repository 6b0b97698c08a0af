//! Whom a change touches: each way in which one event reaches somebody far from it.

use std::{collections::BTreeSet, convert::Infallible};

use grantbook_domain::{
    access::planned::AccessDiff,
    command::{Command, GroupCommand, ObjectCommand, ProjectCommand, RoleCommand},
    model::RolePermission,
    principal::{Grantee, Principal},
    scope::Scope,
};

use crate::given::{Give, Org, all_but, label, labels, object, on_project, within};

/// Applies one command of the owner's: exactly these principals change, and they are among those touched.
#[track_caller]
fn changes(org: &mut Org, command: Command, expected: &[Principal]) {
    let before = org.state.clone();
    let events = org.done(command);
    let diff = AccessDiff { before: &before, after: &org.state, at: org.now };
    let found = |among| -> Vec<Principal> {
        let changes = diff.changes(&among, |_| Ok::<(), Infallible>(())).unwrap();
        let who: BTreeSet<Principal> = changes.into_iter().flat_map(|change| change.principals).collect();
        who.into_iter().filter(|who| *who != Principal::User(org.owner)).collect()
    };
    assert_eq!(found(diff.touched(&events)), expected);
    assert_eq!(found(diff.everybody()), expected);
}

#[test]
fn a_role_touches_those_who_have_one_that_includes_it_at_any_depth() {
    let mut org = Org::founded();
    let inner = org.role("inner", &["read"], &[]);
    let middle = org.role("middle", &[], &[]);
    let outer = org.role("outer", &[], &[middle]);
    org.done(Command::Role(RoleCommand::Update {
        id: middle,
        name: None,
        permissions: None,
        includes: Some(vec![inner]),
    }));
    let token = org.token("bot");
    let (far, near) = (org.group("far"), org.group("near"));
    org.join(far, Grantee::Group(near));
    org.join(near, Grantee::Token(token));
    org.token("stranger");
    org.give(Give::role(Grantee::Group(far), outer, Scope::Organization));
    let permissions = Some(vec![RolePermission { permission: "update".to_owned(), object_type: None }]);
    let command = Command::Role(RoleCommand::Update { id: inner, name: None, permissions, includes: None });
    changes(&mut org, command, &[Principal::Token(token)]);
}

#[test]
fn a_project_touches_those_whose_selector_takes_it_or_lets_it_go() {
    let mut org = Org::founded();
    let project = org.project("web", &[]);
    let (all, one, thing) = (org.token("all"), org.token("one"), org.token("thing"));
    let dataset = object("dataset", "d1");
    org.register(&dataset, Some(project));
    org.give(Give::allow(Grantee::Token(all), &["read"], all_but(vec![label("env", "prod")])));
    org.give(Give::allow(Grantee::Token(one), &["read"], on_project(project)));
    org.give(Give::allow(Grantee::Token(thing), &["read"], Scope::Object(dataset)));
    let [all, one, thing] = [all, one, thing].map(Principal::Token);
    let relabel = |env: &str| {
        let labels = Some(labels(&[("env", env)]));
        Command::Project(ProjectCommand::Update { id: project, name: None, labels })
    };
    changes(&mut org, relabel("prod"), &[all]);
    changes(&mut org, relabel("dev"), &[all]);
    let id = org.id();
    changes(
        &mut org,
        Command::Project(ProjectCommand::Create { id, name: "new".to_owned(), labels: labels(&[]) }),
        &[all],
    );
    changes(&mut org, Command::Project(ProjectCommand::Delete { id: project }), &[all, one, thing]);
}

#[test]
fn what_ends_touches_those_with_a_grant_on_it() {
    let mut org = Org::founded();
    let (group, project) = (org.group("team"), org.project("web", &[]));
    let (lead, reader) = (org.token("lead"), org.token("reader"));
    let dataset = object("dataset", "d1");
    org.register(&dataset, Some(project));
    org.give(Give::allow(Grantee::Token(lead), &["update"], within("group", &group.to_string())));
    org.give(Give::allow(Grantee::Token(reader), &["read"], Scope::Object(dataset.clone())));
    changes(
        &mut org,
        Command::Object(ObjectCommand::Remove { object: dataset }),
        &[Principal::Token(reader)],
    );
    changes(&mut org, Command::Group(GroupCommand::Delete { id: group }), &[Principal::Token(lead)]);
}

#[test]
fn a_new_type_or_permission_touches_whoever_has_all_of_them() {
    let mut org = Org::founded();
    let token = org.token("wide");
    org.give(Give::allow(Grantee::Token(token), &["read"], Scope::Organization));
    let command = Command::ExtendCatalog {
        object_types: vec![grantbook_domain::catalog::TypeDefinition {
            name: "notebook".to_owned(),
            parent: "project".to_owned(),
        }],
        permissions: Vec::new(),
    };
    changes(&mut org, command, &[Principal::Token(token)]);
}
