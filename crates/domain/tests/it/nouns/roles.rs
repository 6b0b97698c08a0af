//! Roles: names, includes without cycles, use, and the three built-in ones.

use grantbook_domain::{
    access::check::Reason,
    command::{Command, GrantCommand, RoleCommand},
    id::RoleId,
    model::{Builtin, RolePermission},
    principal::{Grantee, Principal},
    refusal::{Kind, Refusal},
    scope::{ObjectRef, Scope},
};

use crate::given::{Give, Org, all, assert_made, object, project_object};

fn include(id: RoleId, includes: &[RoleId]) -> Command {
    Command::Role(RoleCommand::Update {
        id,
        name: None,
        permissions: None,
        includes: Some(includes.to_vec()),
    })
}

#[test]
fn a_role_gives_what_the_roles_it_includes_give() {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let project = org.project("p", &[]);
    let bottom = org.role("bottom", &["read"], &[]);
    let middle = org.role("middle", &["update"], &[bottom]);
    let top = org.role("top", &[], &[middle]);
    org.give(Give::role(token, top, all()));
    let ask = |org: &Org, permission| org.ask(token, permission, &project_object(project), None);
    assert_eq!(
        (ask(&org, "read"), ask(&org, "update"), ask(&org, "delete")),
        (Reason::Granted, Reason::Granted, Reason::NoGrant)
    );
    let one = |permission: &str| RolePermission { permission: permission.to_owned(), object_type: None };
    let permissions = Some(vec![one("delete")]);
    org.done(Command::Role(RoleCommand::Update { id: bottom, name: None, permissions, includes: None }));
    assert_eq!(
        (ask(&org, "read"), ask(&org, "delete")),
        (Reason::NoGrant, Reason::Granted),
        "as the role changes"
    );
    org.done(include(middle, &[]));
    assert_eq!((ask(&org, "update"), ask(&org, "delete")), (Reason::Granted, Reason::NoGrant));
}

#[test]
fn a_role_includes_itself_neither_directly_nor_through_others() {
    let mut org = Org::founded();
    let (a, ada) = (org.role("a", &[], &[]), org.ada());
    let b = org.role("b", &[], &[a]);
    let c = org.role("c", &[], &[b]);
    for included in [a, b, c] {
        assert_eq!(org.act(ada, include(a, &[included])), Err(Refusal::Cycle(Kind::Role)));
    }
    let id = org.id();
    let itself = Command::Role(RoleCommand::Create {
        id,
        name: "d".to_owned(),
        permissions: vec![],
        includes: vec![id],
    });
    assert_eq!(org.act(ada, itself), Err(Refusal::Cycle(Kind::Role)));
}

#[test]
fn a_role_in_use_is_not_deleted() {
    let mut org = Org::founded();
    let (granted, included, ada) = (org.role("a", &["read"], &[]), org.role("b", &["read"], &[]), org.ada());
    let above = org.role("c", &[], &[included]);
    let token = org.token("t");
    let grant = org.give(Give::role(Grantee::Token(token), granted, all()));
    for id in [granted, included] {
        assert_eq!(org.act(ada, Command::Role(RoleCommand::Delete { id })), Err(Refusal::InUse));
    }
    org.done(Command::Grant(GrantCommand::Revoke { id: grant }));
    for id in [granted, above, included] {
        assert_made(&org.act(ada, Command::Role(RoleCommand::Delete { id })), "RoleDeleted");
        assert!(org.done(Command::Role(RoleCommand::Delete { id })).is_empty());
    }
    let again = org.role("a", &[], &[]);
    assert_ne!(again, granted, "the name is free, the id is not");
    assert_eq!(org.act(ada, include(again, &[granted])).expect_err("ended").code(), "not_found");
}

#[test]
fn built_in_roles_are_immutable() {
    let mut org = Org::founded();
    let (own, ada) = (org.role("own", &["read"], &[]), org.ada());
    for id in [Builtin::Owner, Builtin::Engineer, Builtin::Viewer].map(|builtin| org.builtin(builtin)) {
        let rename = Command::Role(RoleCommand::Update {
            id,
            name: Some("x".to_owned()),
            permissions: None,
            includes: None,
        });
        for command in [rename, include(id, &[own]), Command::Role(RoleCommand::Delete { id })] {
            assert_eq!(org.act(ada, command), Err(Refusal::BuiltIn(Kind::Role)));
        }
    }
}

fn administrative(org: &mut Org) -> Vec<ObjectRef> {
    let own = org.own_id();
    let (group, role) = (org.group("a group"), org.role("a role", &[], &[]));
    vec![
        object("organization", &own),
        object("org_member", &own),
        object("org_audit_logs", &own),
        object("group", &group.to_string()),
        object("role", &role.to_string()),
    ]
}

/// Wherever granted, and also through a role that includes them.
#[test]
fn engineer_and_viewer_give_nothing_on_administrative_types() {
    let mut org = Org::founded();
    let objects = administrative(&mut org);
    let project = org.project("p", &[]);
    let (engineer, viewer) = (org.builtin(Builtin::Engineer), org.builtin(Builtin::Viewer));
    let around = org.role("around", &[], &[engineer, viewer]);
    for role in [engineer, viewer, around] {
        let token = Principal::Token(org.token(&format!("t {role}")));
        org.give(Give::role(token, role, Scope::Organization));
        for one in &objects {
            org.give(Give::role(token, role, Scope::Object(one.clone())));
            for permission in ["create", "read", "update", "delete"] {
                assert_eq!(org.ask(token, permission, one, None), Reason::NoGrant, "{permission} {one:?}");
            }
        }
        assert_eq!(org.ask(token, "read", &project_object(project), None), Reason::Granted);
        let writes = org.ask(token, "update", &project_object(project), None).allows();
        assert_eq!(writes, role != viewer);
    }
}

#[test]
fn the_built_in_groups_have_their_roles_on_the_whole_organization() {
    let mut org = Org::founded();
    let project = org.project("p", &[]);
    let own = object("org_member", &org.own_id());
    let member = org.user("m@x.y");
    for (builtin, reads, updates, manages) in [
        (Builtin::Viewer, true, false, false),
        (Builtin::Engineer, true, true, false),
        (Builtin::Owner, true, true, true),
    ] {
        let group = org.state.builtin_group(builtin).expect("founded");
        org.join(group, Grantee::User(member));
        let ask =
            |permission, on: &ObjectRef| org.ask(Principal::User(member), permission, on, None).allows();
        let target = project_object(project);
        assert_eq!(
            (ask("read", &target), ask("update", &target), ask("create", &own)),
            (reads, updates, manages)
        );
        assert_eq!(ask("delegate", &target), manages);
    }
}
