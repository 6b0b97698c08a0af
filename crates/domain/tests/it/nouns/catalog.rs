//! The catalog: it only grows, parents are fixed, and what is new belongs to Owner only.

use grantbook_domain::{
    access::check::Reason,
    catalog::TypeDefinition,
    command::Command,
    model::Builtin,
    principal::{Grantee, Principal},
    refusal::{Kind, Refusal},
    scope::Scope,
};

use crate::given::{Give, Org, all, as_user, assert_made, object, project_object};

fn extend(types: &[(&str, &str)], permissions: &[&str]) -> Command {
    let one =
        |(name, parent): &(&str, &str)| TypeDefinition { name: (*name).into(), parent: (*parent).into() };
    Command::ExtendCatalog {
        object_types: types.iter().map(one).collect(),
        permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[test]
fn a_new_permission_belongs_to_owner_only() {
    let mut org = Org::founded();
    let project = org.project("p", &[]);
    let everything = org.role("everything", &grantbook_domain::catalog::PERMISSIONS, &[]);
    let (engineer, admin) = (Principal::Token(org.token("engineer")), Principal::Token(org.token("admin")));
    org.give(Give::role(engineer, org.builtin(Builtin::Engineer), Scope::Organization));
    org.give(Give::role(admin, everything, Scope::Organization));
    let ada = Principal::User(org.owner);
    let target = project_object(project);
    assert_eq!(org.ask(ada, "deploy", &target, None), Reason::UnknownPermission);
    assert_made(&Ok(org.done(extend(&[], &["deploy"]))), "CatalogExtended");
    assert_eq!(org.ask(ada, "deploy", &target, None), Reason::Granted);
    for other in [engineer, admin] {
        assert_eq!(org.ask(other, "deploy", &target, None), Reason::NoGrant);
    }
    org.give(Give::allow(engineer, &["deploy"], all()));
    assert_eq!(org.ask(engineer, "deploy", &target, None), Reason::Granted);
}

#[test]
fn a_new_type_falls_under_live_selectors_at_once() {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let project = org.project("p", &[]);
    org.give(Give::allow(token, &["read"], all()));
    let notebook = object("notebook", "n");
    assert_eq!(org.ask(token, "read", &notebook, Some(project)), Reason::UnknownObjectType);
    org.done(extend(&[("notebook", "project"), ("cell", "notebook")], &[]));
    assert_eq!(org.ask(token, "read", &notebook, Some(project)), Reason::Granted);
    assert_eq!(org.ask(token, "read", &object("cell", "c"), Some(project)), Reason::Granted);
}

#[test]
fn what_is_there_is_passed_over_and_a_parent_is_fixed() {
    let mut org = Org::founded();
    org.done(extend(&[("vault", "organization")], &["deploy"]));
    assert!(
        org.done(extend(&[("vault", "organization"), ("dataset", "project")], &["deploy", "read"]))
            .is_empty()
    );
    let ada = org.ada();
    for parent in ["project", "nothing"] {
        assert_eq!(org.act(ada, extend(&[("vault", parent)], &[])), Err(Refusal::ParentFixed));
    }
    assert_eq!(org.act(ada, extend(&[("organization", "project")], &[])), Err(Refusal::ParentFixed));
}

#[test]
fn odd_names_and_parents_are_refused_with_their_place() {
    let mut org = Org::founded();
    let ada = org.ada();
    let long = "x".repeat(65);
    for (command, code, pointer) in [
        (extend(&[], &["ok", "not ok"]), "invalid", "/permissions/1"),
        (extend(&[], &[""]), "invalid", "/permissions/0"),
        (extend(&[], &[&long]), "invalid", "/permissions/0"),
        (extend(&[("t\u{e9}", "project")], &[]), "invalid", "/object_types/0/name"),
        (extend(&[("t", "nothing")], &[]), "not_found", "/object_types/0/parent"),
        (extend(&[("t", "group")], &[]), "invalid", "/object_types/0/parent"),
        (extend(&[("t", "org_member")], &[]), "invalid", "/object_types/0/parent"),
        (extend(&[("t", "org_project")], &[]), "invalid", "/object_types/0/parent"),
    ] {
        let refusal = org.act(ada, command).expect_err(pointer);
        assert_eq!((refusal.code(), refusal.pointer().as_deref()), (code, Some(pointer)));
    }
}

#[test]
fn the_catalog_is_full_at_64_permissions_and_127_types() {
    let mut org = Org::founded();
    let ada = org.ada();
    let permissions: Vec<_> = (9..64).map(|number| format!("p{number}")).collect();
    let permissions: Vec<_> = permissions.iter().map(String::as_str).collect();
    org.done(extend(&[], &permissions));
    assert_eq!(org.act(ada, extend(&[], &["more"])), Err(Refusal::CatalogFull(Kind::Permission)));
    let types: Vec<_> = (12..127).map(|number| format!("t{number}")).collect();
    let types: Vec<_> = types.iter().map(|name| (name.as_str(), "project")).collect();
    org.done(extend(&types, &[]));
    assert_eq!(
        org.act(ada, extend(&[("more", "project")], &[])),
        Err(Refusal::CatalogFull(Kind::ObjectType))
    );
    let project = org.project("p", &[]);
    let ada = Principal::User(org.owner);
    assert_eq!(
        org.ask(ada, "p63", &object("t126", "x"), Some(project)),
        Reason::Granted,
        "the last bits work"
    );
}

#[test]
fn the_catalog_needs_delegate_on_the_whole_organization() {
    let mut org = Org::founded();
    let bob = org.user("bob@x.y");
    let to = Grantee::User(bob);
    org.give(Give::allow(to, &["delegate"], all()));
    org.give(Give::allow(to, &["delegate"], Scope::Organization).only("organization"));
    assert_eq!(
        org.decide(as_user(bob), extend(&[], &["fly"])).expect_err("not all of it").code(),
        "forbidden"
    );
    org.give(Give::allow(to, &["delegate"], Scope::Organization));
    assert_made(&org.decide(as_user(bob), extend(&[], &["fly"])), "CatalogExtended");
}
