//! What ended counts nowhere: not in cycles, conferral, names, uses, nor where a deny would be touched.

use grantbook_domain::{
    command::{
        Command, Expiry, GrantCommand, GroupCommand, MemberCommand, ProjectCommand, RoleCommand, TokenCommand,
    },
    principal::{Grantee, Principal},
    refusal::Refusal,
};

use crate::given::{Give, Org, all, assert_made, by, labelled, on_project, within};

fn nest(group: grantbook_domain::id::GroupId, inner: grantbook_domain::id::GroupId) -> Command {
    Command::Member(MemberCommand::Add { group, member: Grantee::Group(inner), expires_at: Expiry::Never })
}

#[test]
fn a_deleted_group_makes_no_cycle() {
    let mut org = Org::founded();
    let (a, b, c) = (org.group("a"), org.group("b"), org.group("c"));
    org.join(a, Grantee::Group(b));
    org.join(b, Grantee::Group(c));
    let ada = org.ada();
    assert_eq!(org.act(ada, nest(c, a)).expect_err("a cycle").code(), "cycle");
    org.done(Command::Group(GroupCommand::Delete { id: b }));
    assert_made(&org.act(ada, nest(c, a)), "MemberAdded");
}

#[test]
fn a_grant_to_somebody_gone_neither_uses_a_role_nor_is_a_deny_to_be_touched() {
    let mut org = Org::founded();
    let (role, group, token) = (org.role("r", &["update"], &[]), org.group("g"), org.token("t"));
    let project = org.project("p", &[("env", "dev")]);
    org.give(Give::role(Grantee::Group(group), role, labelled("env", "dev")).denying());
    let denied = org.give(Give::deny(Grantee::Token(token), &["read"], all()));
    let lead = Principal::User(org.user("lead@x.y"));
    let acls = ["read", "read_acls", "delete_acls", "update", "update_acls"];
    org.give(Give::allow(lead, &acls, grantbook_domain::scope::Scope::Organization));
    let ada = org.ada();
    let change = Command::Role(RoleCommand::Update {
        id: role,
        name: None,
        permissions: Some(Vec::new()),
        includes: None,
    });
    let move_out = Command::Project(ProjectCommand::Update {
        id: project,
        name: None,
        labels: Some(grantbook_domain::scope::Labels::new()),
    });
    for touched in [&change, &move_out, &Command::Grant(GrantCommand::Revoke { id: denied })] {
        assert_eq!(org.decide(by(lead), touched.clone()).expect_err("a deny").code(), "needs_delegate");
    }
    assert_eq!(org.decide(ada, Command::Role(RoleCommand::Delete { id: role })), Err(Refusal::InUse));
    org.done(Command::Group(GroupCommand::Delete { id: group }));
    org.done(Command::Token(TokenCommand::Delete { id: token }));
    for free in [change, move_out, Command::Grant(GrantCommand::Revoke { id: denied })] {
        assert!(org.decide(by(lead), free.clone()).is_ok(), "{free:?}");
    }
    assert_made(&org.act(ada, Command::Role(RoleCommand::Delete { id: role })), "RoleDeleted");
}

#[test]
fn a_member_of_a_deleted_group_is_gone_already() {
    let mut org = Org::founded();
    let (group, token) = (org.group("g"), Grantee::Token(org.token("t")));
    org.join(group, token);
    org.done(Command::Group(GroupCommand::Delete { id: group }));
    assert!(org.done(Command::Member(MemberCommand::Remove { group, member: token })).is_empty());
}

/// What is said of a deny that takes nothing is what is so.
#[test]
fn a_deny_of_nothing_says_why() {
    let mut org = Org::founded();
    let (group, ada) = (Grantee::Group(org.group("g")), org.ada());
    let project = org.project("p", &[]);
    let experimenter = org.id();
    org.done(Command::Role(RoleCommand::Create {
        id: experimenter,
        name: "members only".to_owned(),
        permissions: vec![grantbook_domain::model::RolePermission {
            permission: "read".to_owned(),
            object_type: Some("org_member".to_owned()),
        }],
        includes: Vec::new(),
    }));
    let nothing = Give::role(group, experimenter, on_project(project)).denying();
    let refusal = org.try_give(ada, nothing).expect_err("nothing to deny").to_string();
    assert_eq!(refusal, "the role gives nothing on this scope, so there is nothing to deny");
    let administrative = Give::deny(group, &["read"], within("org_member", &org.own_id()));
    let refusal = org.try_give(ada, administrative).expect_err("administrative").to_string();
    assert!(refusal.contains("administrative"), "{refusal}");
}
