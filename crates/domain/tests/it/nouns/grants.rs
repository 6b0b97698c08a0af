//! Grants: default deny, denies, type restrictions, expiry, and what a grant may look like.

use grantbook_domain::{
    access::check::Reason,
    command::{Command, GrantCommand, ProjectCommand},
    model::Builtin,
    principal::{Grantee, Principal},
    refusal::{Kind, Refusal},
    scope::{Atom, Labels, ObjectRef, Scope},
};

use crate::given::{
    Give, Org, START, all, assert_made, ids, named, object, on_project, one_of, project_object, within,
};

fn settled() -> (Org, Principal, ObjectRef) {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let project = org.project("p", &[]);
    (org, token, project_object(project))
}

#[test]
fn nothing_is_allowed_by_default() {
    let (org, token, project) = settled();
    let own = org.own_id();
    for on in
        [project, object("organization", &own), object("org_project", &own), object("org_audit_logs", &own)]
    {
        for permission in grantbook_domain::catalog::PERMISSIONS {
            assert_eq!(org.ask(token, permission, &on, None), Reason::NoGrant);
        }
    }
}

#[test]
fn a_deny_wins_over_every_allow_owners_included() {
    let (mut org, token, project) = settled();
    let group = org.group("g");
    org.join(group, token.into());
    org.give(Give::allow(token, &["read", "update"], Scope::Organization));
    org.give(Give::allow(token, &["read"], Scope::Object(project.clone())));
    let deny = org.give(Give::deny(Grantee::Group(group), &["read"], all()));
    assert_eq!(org.ask(token, "read", &project, None), Reason::DeniedByGrant);
    assert_eq!(org.ask(token, "update", &project, None), Reason::Granted);
    org.done(Command::Grant(GrantCommand::Revoke { id: deny }));
    assert_eq!(org.ask(token, "read", &project, None), Reason::Granted);
    let ada = Principal::User(org.owner);
    org.give(Give::deny(ada, &["read"], Scope::Object(project.clone())));
    assert_eq!(org.ask(ada, "read", &project, None), Reason::DeniedByGrant);
}

#[test]
fn a_deny_reaches_no_administrative_type_whatever_its_scope_says() {
    let (mut org, token, project) = settled();
    let group = org.group("g");
    org.give(Give::allow(token, &["read"], Scope::Organization));
    org.give(Give::deny(token, &["read"], Scope::Organization));
    let own = org.own_id();
    for object_type in ["organization", "org_member", "org_audit_logs"] {
        assert_eq!(
            org.ask(token, "read", &object(object_type, &own), None),
            Reason::Granted,
            "{object_type}"
        );
    }
    assert_eq!(org.ask(token, "read", &object("group", &group.to_string()), None), Reason::Granted);
    let role = org.builtin(Builtin::Viewer).to_string();
    assert_eq!(org.ask(token, "read", &object("role", &role), None), Reason::Granted);
    assert_eq!(org.ask(token, "read", &object("org_project", &own), None), Reason::DeniedByGrant);
    assert_eq!(org.ask(token, "read", &project, None), Reason::DeniedByGrant);
    let ada = org.ada();
    for deny in [
        Give::deny(token, &["read"], within("org_member", &own)),
        Give::deny(token, &["read"], Scope::Organization).only("role"),
    ] {
        assert_eq!(org.try_give(ada, deny).expect_err("reaches nothing").code(), "invalid");
    }
}

#[test]
fn a_type_restriction_means_exactly_that_type() {
    let (mut org, token, project) = settled();
    let id = project.id.parse().expect("an id");
    org.extend(&[("run", "experiment")], &[]);
    org.give(Give::allow(token, &["read"], all()).only("experiment"));
    assert_eq!(org.ask(token, "read", &object("experiment", "e"), Some(id)), Reason::Granted);
    assert_eq!(org.ask(token, "read", &object("dataset", "d"), Some(id)), Reason::NoGrant);
    assert_eq!(org.ask(token, "read", &object("run", "r"), Some(id)), Reason::NoGrant, "not what lies below");
    assert_eq!(org.ask(token, "read", &project, None), Reason::NoGrant, "not what lies above");
}

#[test]
fn a_scope_covers_what_lies_below_it() {
    let (mut org, _, project) = settled();
    let id = project.id.parse().expect("an id");
    let own = org.own_id();
    let experiment = object("experiment", "e");
    for (scope, on_projects, on_project, below) in [
        (within("org_project", &own), true, true, true),
        (Scope::Object(project.clone()), false, true, true),
        (all(), false, true, true),
        (within("org_member", &own), false, false, false),
        (within("organization", &own), true, true, true),
    ] {
        let token = Principal::Token(org.token(&format!("{scope:?}")));
        org.give(Give::allow(token, &["read"], scope.clone()));
        let ask = |on: &ObjectRef, named| org.ask(token, "read", on, named).allows();
        assert_eq!(ask(&object("org_project", &own), None), on_projects, "{scope:?}");
        assert_eq!((ask(&project, None), ask(&experiment, Some(id))), (on_project, below), "{scope:?}");
    }
}

#[test]
fn a_grant_holds_before_its_end_and_not_at_it_and_so_does_a_deny() {
    let (mut org, token, project) = settled();
    let (allowed_until, denied_until) = (START.plus_millis(100), START.plus_millis(50));
    org.give(Give::allow(token, &["read"], all()).until(allowed_until));
    org.give(Give::deny(token, &["read"], all()).until(denied_until));
    for (millis, expected) in
        [(49, Reason::DeniedByGrant), (50, Reason::Granted), (99, Reason::Granted), (100, Reason::NoGrant)]
    {
        org.now = START.plus_millis(millis);
        assert_eq!(org.ask(token, "read", &project, None), expected, "at {millis}");
    }
}

#[test]
fn built_in_grants_are_not_revoked_and_others_once() {
    let (mut org, token, _) = settled();
    let ada = org.ada();
    let built_in: Vec<_> = org.state.grants().filter(|grant| grant.builtin).map(|grant| grant.id).collect();
    assert_eq!(built_in.len(), 3);
    for id in built_in {
        assert_eq!(
            org.act(ada, Command::Grant(GrantCommand::Revoke { id })),
            Err(Refusal::BuiltIn(Kind::Grant))
        );
    }
    let id = org.give(Give::allow(token, &["read"], all()));
    assert_made(&org.act(ada, Command::Grant(GrantCommand::Revoke { id })), "GrantRevoked");
    assert!(org.done(Command::Grant(GrantCommand::Revoke { id })).is_empty());
}

#[test]
fn a_malformed_grant_is_refused_with_its_place() {
    let (mut org, token, project) = settled();
    let ada = org.ada();
    let nowhere = org.id();
    let gone = org.project("gone", &[]);
    org.done(Command::Project(ProjectCommand::Delete { id: gone }));
    let give = |on| Give::allow(token, &["read"], on);
    let group_to_come = Grantee::Group(org.id());
    for (give, code, pointer) in [
        (Give::allow(group_to_come, &["read"], all()), "not_found", "/to/id"),
        (Give::allow(token, &[], all()), "invalid", "/permissions"),
        (Give::allow(token, &["read", "fly"], all()), "not_found", "/permissions/1"),
        (Give::role(token, org.id(), all()), "not_found", "/role"),
        (give(all()).until(START), "invalid", "/expires_at"),
        (give(one_of(vec![])), "invalid", "/on/projects/include"),
        (give(one_of(vec![Atom::All; 1001])), "invalid", "/on/projects/include"),
        (give(ids(&[nowhere])), "not_found", "/on/projects/include/0/id"),
        (give(ids(&[gone])), "not_found", "/on/projects/include/0/id"),
        (give(one_of(vec![named("")])), "invalid", "/on/projects/include/0/name"),
        (give(one_of(vec![Atom::Label(Labels::new())])), "invalid", "/on/projects/include/0/label"),
        (give(within("spaceship", "s")), "not_found", "/on/object/type"),
        (give(on_project(gone)), "not_found", "/on/object/id"),
        (give(within("experiment", "unregistered")), "not_found", "/on/object/id"),
        (give(all()).only("spaceship"), "not_found", "/object_type"),
        (give(Scope::Object(project)).only("group"), "invalid", "/object_type"),
    ] {
        let refusal = org.try_give(ada, give.clone()).expect_err(pointer);
        assert_eq!((refusal.code(), refusal.pointer().as_deref()), (code, Some(pointer)), "{give:?}");
    }
}
