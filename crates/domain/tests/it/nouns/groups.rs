//! Groups: names, ends, nesting to any depth, never a cycle.

use grantbook_domain::{
    access::check::Reason,
    command::{Command, Expiry, GroupCommand, MemberCommand},
    id::GroupId,
    model::Builtin,
    principal::{Grantee, Principal},
    refusal::{Kind, Refusal},
    time::Timestamp,
};

use crate::given::{Give, Org, START, all, assert_made, project_object};

#[test]
fn built_in_groups_are_neither_renamed_nor_deleted() {
    let mut org = Org::founded();
    let ada = org.ada();
    for builtin in [Builtin::Owner, Builtin::Engineer, Builtin::Viewer] {
        let id = org.state.builtin_group(builtin).expect("founded");
        let rename =
            Command::Group(GroupCommand::Update { id, name: Some("mine".to_owned()), description: None });
        assert_eq!(org.act(ada, rename), Err(Refusal::BuiltIn(Kind::Group)));
        assert_eq!(
            org.act(ada, Command::Group(GroupCommand::Delete { id })),
            Err(Refusal::BuiltIn(Kind::Group))
        );
    }
}

#[test]
fn a_group_is_in_itself_neither_directly_nor_through_others() {
    let mut org = Org::founded();
    let groups: Vec<_> = ["a", "b", "c"].iter().map(|name| org.group(name)).collect();
    org.join(groups[0], Grantee::Group(groups[1]));
    org.join_until(groups[1], Grantee::Group(groups[2]), Some(START.plus_millis(10)));
    org.pass(20);
    let ada = org.ada();
    for (group, member) in [(0, 0), (1, 0), (2, 0), (2, 1)] {
        let member = Grantee::Group(groups[member]);
        let refused = org.act(
            ada,
            Command::Member(MemberCommand::Add { group: groups[group], member, expires_at: Expiry::Never }),
        );
        assert_eq!(refused, Err(Refusal::Cycle(Kind::Group)), "also over a link whose time has passed");
    }
}

/// The width of a path is its earliest expiry: each link ends the access of everybody below it.
#[test]
fn eight_nested_groups_hold_until_the_first_link_ends() {
    for weakest in 0..9_usize {
        let mut org = Org::founded();
        let token = Principal::Token(org.token("t"));
        let project = org.project("p", &[]);
        let groups: Vec<GroupId> = (0..9).map(|depth| org.group(&format!("g{depth}"))).collect();
        let until = |link: usize| Some(START.plus_millis(if link == weakest { 100 } else { 200 }));
        org.join_until(groups[0], token.into(), until(0));
        for link in 1..9 {
            org.join_until(groups[link], Grantee::Group(groups[link - 1]), until(link));
        }
        org.give(Give::allow(Grantee::Group(groups[8]), &["read"], all()));
        org.now = START.plus_millis(99);
        assert_eq!(org.ask(token, "read", &project_object(project), None), Reason::Granted);
        org.now = START.plus_millis(100);
        assert_eq!(org.ask(token, "read", &project_object(project), None), Reason::NoGrant, "link {weakest}");
    }
}

/// Of two ways to a group the one that lasts longer counts.
#[test]
fn the_wider_of_two_paths_counts() {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let project = org.project("p", &[]);
    let (short, long, top) = (org.group("short"), org.group("long"), org.group("top"));
    org.join_until(short, token.into(), Some(START.plus_millis(50)));
    org.join(long, token.into());
    org.join(top, Grantee::Group(short));
    org.join_until(top, Grantee::Group(long), Some(START.plus_millis(80)));
    org.give(Give::allow(Grantee::Group(top), &["read"], all()));
    assert_eq!(org.state.reached(token, START)[&Grantee::Group(top)], START.plus_millis(80));
    org.now = START.plus_millis(79);
    assert_eq!(org.ask(token, "read", &project_object(project), None), Reason::Granted);
    org.now = START.plus_millis(80);
    assert_eq!(org.ask(token, "read", &project_object(project), None), Reason::NoGrant);
    assert_eq!(org.state.reached(token, START.plus_millis(10))[&token.into()], Timestamp::FOREVER);
}

#[test]
fn a_deleted_group_takes_its_memberships_both_ways_and_its_grants() {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let project = org.project("p", &[]);
    let (inner, middle, outer) = (org.group("inner"), org.group("middle"), org.group("outer"));
    org.join(inner, token.into());
    org.join(middle, Grantee::Group(inner));
    org.join(outer, Grantee::Group(middle));
    org.give(Give::allow(Grantee::Group(middle), &["update"], all()));
    org.give(Give::allow(Grantee::Group(outer), &["read"], all()));
    let ask = |org: &Org, permission| org.ask(token, permission, &project_object(project), None);
    assert_eq!((ask(&org, "read"), ask(&org, "update")), (Reason::Granted, Reason::Granted));
    assert_made(&Ok(org.done(Command::Group(GroupCommand::Delete { id: middle }))), "GroupDeleted");
    assert!(org.done(Command::Group(GroupCommand::Delete { id: middle })).is_empty());
    assert_eq!((ask(&org, "read"), ask(&org, "update")), (Reason::NoGrant, Reason::NoGrant));
    let again = org.group("middle");
    assert_ne!(again, middle);
    assert_eq!(
        (ask(&org, "read"), ask(&org, "update")),
        (Reason::NoGrant, Reason::NoGrant),
        "a name revives nothing"
    );
    let ada = org.ada();
    let add = Command::Member(MemberCommand::Add {
        group: middle,
        member: token.into(),
        expires_at: Expiry::Never,
    });
    assert_eq!(org.act(ada, add), Err(Refusal::NotFound(Kind::Group)));
    let give = Give::allow(Grantee::Group(middle), &["read"], all());
    assert_eq!(org.try_give(ada, give).expect_err("ended").code(), "not_found");
}
