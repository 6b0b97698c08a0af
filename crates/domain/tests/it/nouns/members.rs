//! Members: added, renewed, removed, and the last Owner.

use grantbook_domain::{
    access::check::Reason,
    command::{Author, Command, Expiry, GrantCommand, MemberCommand, UserCommand},
    model::Builtin,
    principal::{Grantee, Principal},
    refusal::{Kind, Refusal},
    scope::Scope,
};

use crate::given::{Give, Org, START, all, assert_made, by, project_object};

#[test]
fn a_membership_holds_before_its_end_and_not_at_it() {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let (group, project) = (org.group("g"), org.project("p", &[]));
    org.give(Give::allow(Grantee::Group(group), &["read"], all()));
    let end = START.plus_millis(30);
    org.join_until(group, token.into(), Some(end));
    org.now = end.plus_millis(-1);
    assert_eq!(org.ask(token, "read", &project_object(project), None), Reason::Granted);
    org.now = end;
    assert_eq!(org.ask(token, "read", &project_object(project), None), Reason::NoGrant);
}

#[test]
fn a_member_posted_again_is_nothing_new_or_replaces_the_expiry() {
    let mut org = Org::founded();
    let (group, token) = (org.group("g"), org.token("t"));
    let (member, ada) = (Grantee::Token(token), org.ada());
    let add = |expires_at: Option<grantbook_domain::time::Timestamp>| {
        Command::Member(MemberCommand::Add { group, member, expires_at: expires_at.into() })
    };
    assert_made(&org.act(ada, add(None)), "MemberAdded");
    assert!(org.done(add(None)).is_empty());
    assert_made(&org.act(ada, add(Some(START.plus_millis(5)))), "MemberAdded");
    assert_eq!(org.state.membership(member, group).expect("in").expires_at, Some(START.plus_millis(5)));
    assert_eq!(org.act(ada, add(Some(START))).expect_err("not the future").code(), "invalid");
}

#[test]
fn removing_again_is_nothing_new_and_removing_a_stranger_is_not_found() {
    let mut org = Org::founded();
    let (group, token, ada) = (org.group("g"), org.token("t"), org.ada());
    let remove = Command::Member(MemberCommand::Remove { group, member: Grantee::Token(token) });
    assert_eq!(org.act(ada, remove.clone()), Err(Refusal::NotFound(Kind::Member)));
    org.join(group, Grantee::Token(token));
    assert_made(&org.act(ada, remove.clone()), "MemberRemoved");
    assert!(org.done(remove).is_empty());
}

fn owner_and_second() -> (Org, Grantee, Grantee) {
    let mut org = Org::founded();
    let second = Grantee::User(org.user("eve@x.y"));
    let first = Grantee::User(org.owner);
    (org, first, second)
}

#[test]
fn the_last_owner_is_not_removed_deactivated_or_made_to_expire() {
    let (mut org, first, second) = owner_and_second();
    let (owners, owner, ada) = (org.owners(), org.owner, org.ada());
    let expiring = Some(START.plus_millis(1000));
    for command in [
        Command::Member(MemberCommand::Remove { group: owners, member: first }),
        Command::User(UserCommand::Deactivate { id: owner }),
        Command::Member(MemberCommand::Add { group: owners, member: first, expires_at: expiring.into() }),
    ] {
        assert_eq!(org.act(ada, command.clone()), Err(Refusal::LastOwner));
        let mut two = org.clone();
        two.join(owners, second);
        assert_eq!(two.act(ada, command).map(|events| events.len()), Ok(1), "there is another");
    }
}

/// A token, an expiring user, a user through a group, a deactivated user: none of them is an owner that stays.
#[test]
fn only_an_active_user_as_direct_unexpiring_member_keeps_the_organization() {
    let (mut org, first, second) = owner_and_second();
    let (owners, ada) = (org.owners(), org.ada());
    let (token, group) = (org.token("t"), org.group("g"));
    org.join(group, second);
    org.join(owners, Grantee::Token(token));
    org.join(owners, Grantee::Group(group));
    org.join_until(owners, second, Some(START.plus_millis(1000)));
    let gone = org.user("gone@x.y");
    org.join(owners, Grantee::User(gone));
    org.done(Command::User(UserCommand::Deactivate { id: gone }));
    let remove = Command::Member(MemberCommand::Remove { group: owners, member: first });
    assert_eq!(org.act(ada, remove), Err(Refusal::LastOwner));
}

/// Each command of a batch is judged, not only its end.
#[test]
fn a_batch_never_passes_through_a_state_without_an_owner() {
    let (mut org, first, second) = owner_and_second();
    let (group, ada) = (org.owners(), org.ada());
    let add = |member| Command::Member(MemberCommand::Add { group, member, expires_at: Expiry::Never });
    let remove = Command::Member(MemberCommand::Remove { group, member: first });
    let refused = org.act(ada, Command::Batch(vec![remove.clone(), add(second)]));
    assert_eq!(refused, Err(Refusal::InBatch { index: 0, refusal: Box::new(Refusal::LastOwner) }));
    org.act(ada, Command::Batch(vec![add(second), remove])).expect("in this order an owner always stays");
}

/// Denies reach no administrative type, so an Owner can always take a deny back.
#[test]
fn no_deny_locks_the_owners_out() {
    let mut org = Org::founded();
    let everything =
        ["create", "read", "update", "delete", "create_acls", "read_acls", "delete_acls", "delegate"];
    let owners = Grantee::Group(org.owners());
    let project = org.project("p", &[]);
    let ada = Principal::User(org.owner);
    let narrowed = org.narrowed(ada, None, Some(all()));
    let delegated = Principal::User(org.user("bob@x.y"));
    let owner_of_one_type =
        Give::role(delegated, org.builtin(Builtin::Owner), Scope::Organization).only("organization");
    org.give(owner_of_one_type);
    org.give(Give::allow(delegated, &["read_acls", "delete_acls"], Scope::Organization));
    let deny = org.give(Give::deny(owners, &everything, Scope::Organization));
    assert_eq!(org.ask(ada, "read", &project_object(project), None), Reason::DeniedByGrant);
    let revoke = Command::Grant(GrantCommand::Revoke { id: deny });
    assert_eq!(
        org.act(narrowed, revoke.clone()).expect_err("only with an Owner's whole authority").code(),
        "not_found"
    );
    assert_eq!(org.act(by(delegated), revoke).expect_err("no Owner").code(), "needs_delegate");
    let author: Author = org.ada();
    let out = org.act(author, Command::Grant(GrantCommand::Revoke { id: deny }));
    assert!(out.is_ok(), "an Owner takes it back: {out:?}");
    assert_eq!(org.ask(ada, "read", &project_object(project), None), Reason::Granted);
}

/// To say nothing of its end keeps it; where it has passed, that would give nothing and look as if it did.
#[test]
fn a_member_whose_time_has_passed_is_added_again_with_an_end() {
    let mut org = Org::founded();
    let (group, token) = (org.group("g"), Grantee::Token(org.token("t")));
    org.join_until(group, token, Some(org.now.plus_millis(10)));
    org.pass(10);
    let add = |expires_at| Command::Member(MemberCommand::Add { group, member: token, expires_at });
    let refused = org.decide(org.ada(), add(Expiry::Kept)).expect_err("it has ended");
    assert_eq!(refused.to_string(), "the membership has ended: say when it is to end, or `never`");
    for expires_at in [Expiry::Never, Expiry::At(org.now.plus_millis(1))] {
        assert_made(&org.decide(org.ada(), add(expires_at)), "MemberAdded");
    }
}
