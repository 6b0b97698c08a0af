//! Nobody gives what he does not hold: each row of the design's table, allowed and refused.
//!
//! Bob may ask for nearly every command. Of the verb `delete` he has: staging for ever, and dev for a second.

use grantbook_domain::{
    command::{Author, Command, GrantCommand, GroupCommand, MemberCommand, RoleCommand},
    id::{GroupId, RoleId, UserId},
    model::RolePermission,
    principal::{Grantee, Principal},
    refusal::Refusal,
    scope::Scope,
    time::Timestamp,
};

use crate::given::{
    Give, Org, START, all, all_but, as_user, label, labelled, labels, on_project, one_of, within,
};

pub(crate) const SECOND: Timestamp = START.plus_millis(1000);

pub(crate) struct Case {
    pub(crate) org: Org,
    pub(crate) bob: UserId,
    pub(crate) token: Principal,
}

impl Case {
    pub(crate) fn new() -> Self {
        let mut org = Org::founded();
        let (bob, token) = (org.user("bob@x.y"), Principal::Token(org.token("t")));
        let to = Principal::User(bob);
        let acls = ["read", "create_acls", "read_acls", "update_acls", "delete_acls"];
        org.give(Give::allow(to, &acls, Scope::Organization));
        for object_type in ["group", "role", "org_member", "org_project", "project"] {
            org.give(Give::allow(to, &["create", "update"], Scope::Organization).only(object_type));
        }
        org.give(Give::allow(to, &["delete"], Scope::Organization).only("group"));
        org.give(Give::allow(to, &["delete"], labelled("env", "staging")));
        org.give(Give::allow(to, &["delete"], labelled("env", "dev")).until(SECOND));
        Self { org, bob, token }
    }

    fn bob(&self) -> Author {
        as_user(self.bob)
    }

    pub(crate) fn delegating(mut self, on: Scope) -> Self {
        self.org.give(Give::allow(Principal::User(self.bob), &["delegate"], on));
        self
    }

    fn group_with(&mut self, name: &str, on: Scope) -> GroupId {
        let group = self.org.group(name);
        self.org.give(Give::allow(Grantee::Group(group), &["delete"], on));
        group
    }

    #[track_caller]
    fn gives(&mut self, give: Give, expected: &str) {
        let id = self.org.id();
        self.asks(give.command(id), expected);
    }

    /// Bob asks; nothing is folded.
    #[track_caller]
    pub(crate) fn asks(&self, command: Command, expected: &str) {
        self.author_asks(self.bob(), command, expected);
    }

    #[track_caller]
    fn author_asks(&self, author: Author, command: Command, expected: &str) {
        let outcome = self.org.decide(author, command);
        let code = outcome.as_ref().map_or_else(Refusal::code, |_| "ok");
        assert_eq!(code, expected, "{outcome:?}");
    }
}

fn add(group: GroupId, member: impl Into<Grantee>, expires_at: Option<Timestamp>) -> Command {
    Command::Member(MemberCommand::Add { group, member: member.into(), expires_at: expires_at.into() })
}

#[test]
fn a_grant_confers_its_permissions_on_its_scope_until_its_end() {
    let mut case = Case::new();
    let to = case.token;
    let delete = |on| Give::allow(to, &["delete"], on);
    let staging = case.org.project("s", &[("env", "staging")]);
    let production = case.org.project("p", &[("env", "prod")]);
    for (give, expected) in [
        (delete(labelled("env", "staging")), "ok"),
        (delete(on_project(staging)), "ok"),
        (delete(on_project(production)), "not_held"),
        (delete(all()), "not_held"),
        (delete(all_but(vec![label("env", "prod")])), "not_held"),
        (delete(labelled("env", "dev")), "not_held"),
        (delete(labelled("env", "dev")).until(SECOND), "ok"),
        (delete(labelled("env", "dev")).until(SECOND.plus_millis(1)), "not_held"),
        (delete(one_of(vec![label("env", "dev"), label("env", "staging")])).until(SECOND), "not_held"),
        (Give::allow(to, &["delete", "fly"], labelled("env", "staging")), "not_found"),
        (Give::allow(to, &["read", "update"], labelled("env", "staging")), "not_held"),
        (Give::allow(to, &["read", "update"], labelled("env", "staging")).only("project"), "ok"),
        (Give::deny(to, &["delete"], labelled("env", "staging")), "needs_delegate"),
    ] {
        case.gives(give, expected);
    }
    let mut case = case.delegating(labelled("env", "prod"));
    for (give, expected) in [
        (delete(labelled("env", "prod")), "ok"),
        (delete(on_project(production)), "ok"),
        (delete(all()), "not_held"),
        (Give::deny(to, &["delete"], labelled("env", "prod")), "ok"),
        (Give::deny(to, &["delete"], all()), "needs_delegate"),
    ] {
        case.gives(give, expected);
    }
}

#[test]
fn what_a_deny_takes_from_the_actor_he_does_not_give() {
    let mut case = Case::new();
    let deny = Give::deny(Principal::User(case.bob), &["delete"], labelled("tier", "a"));
    case.org.give(deny.until(SECOND));
    let to = case.token;
    let both = |tier| {
        one_of(vec![grantbook_domain::scope::Atom::Label(labels(&[("env", "staging"), ("tier", tier)]))])
    };
    case.gives(Give::allow(to, &["delete"], labelled("env", "staging")), "not_held");
    case.gives(Give::allow(to, &["delete"], both("a")), "not_held");
    case.gives(Give::allow(to, &["delete"], both("b")), "ok");
    case.org.now = SECOND;
    case.gives(Give::allow(to, &["delete"], labelled("env", "staging")), "ok");
}

#[test]
fn a_narrowed_key_gives_no_more_than_it_covers() {
    let mut case = Case::new();
    let (to, ada) = (case.token, Principal::User(case.org.owner));
    let narrowed = case.org.narrowed(ada, None, Some(labelled("env", "staging")));
    let only_acls = case.org.narrowed(ada, Some(&["create_acls", "read"]), None);
    for (author, on, expected) in [
        (narrowed, labelled("env", "staging"), "ok"),
        (narrowed, all(), "forbidden"),
        (only_acls, all(), "not_held"),
    ] {
        let id = case.org.id();
        case.author_asks(author, Give::allow(to, &["delete"], on).command(id), expected);
    }
}

#[test]
fn a_membership_confers_what_the_group_and_all_above_it_have() {
    let mut case = Case::new();
    let staging = case.group_with("staging", labelled("env", "staging"));
    let dev = case.group_with("dev", labelled("env", "dev"));
    let everywhere = case.group_with("everywhere", all());
    let below = case.org.group("below");
    case.org.join_until(everywhere, Grantee::Group(below), Some(SECOND));
    let (empty, token) = (case.org.group("empty"), case.token);
    for (command, expected) in [
        (add(empty, token, None), "ok"),
        (add(staging, token, None), "ok"),
        (add(dev, token, None), "not_held"),
        (add(dev, token, Some(SECOND)), "ok"),
        (add(everywhere, token, Some(SECOND)), "not_held"),
        (add(below, token, None), "not_held"),
        (add(staging, Grantee::Group(empty), None), "ok"),
        (add(everywhere, Grantee::Group(empty), None), "not_held"),
        (add(below, Grantee::Group(empty), None), "not_held"),
    ] {
        case.asks(command, expected);
    }
}

#[test]
fn a_membership_is_shortened_freely_and_lengthened_like_a_new_one() {
    let mut case = Case::new();
    let group = case.group_with("everywhere", all());
    let token = case.token;
    case.org.join_until(group, token.into(), Some(SECOND));
    case.asks(add(group, token, Some(SECOND.plus_millis(-1))), "ok");
    case.asks(add(group, token, Some(SECOND)), "ok");
    case.asks(add(group, token, Some(SECOND.plus_millis(1))), "not_held");
    case.asks(add(group, token, None), "not_held");
    case.asks(Command::Member(MemberCommand::Remove { group, member: token.into() }), "ok");
    case.asks(Command::Group(GroupCommand::Delete { id: group }), "ok");
}

#[test]
fn delegate_on_the_group_lifts_this_for_its_memberships_but_not_for_denies() {
    let mut case = Case::new();
    let (led, other) = (case.group_with("led", all()), case.group_with("other", all()));
    let mut case = case.delegating(within("group", &led.to_string()));
    let token = case.token;
    case.asks(add(led, token, None), "ok");
    case.asks(add(other, token, None), "not_held");
    case.org.give(Give::deny(Grantee::Group(led), &["read"], labelled("env", "prod")));
    case.asks(add(led, token, None), "needs_delegate");
    let case = case.delegating(labelled("env", "prod"));
    case.asks(add(led, token, None), "ok");
}

#[test]
fn delegate_on_a_group_is_given_only_by_a_holder_of_delegate_on_the_organization() {
    let mut case = Case::new();
    let group = case.org.group("led");
    let on_group = within("group", &group.to_string());
    let role = case.org.role("leader", &["read"], &[]);
    let one = |permission: &str| RolePermission {
        permission: permission.into(),
        object_type: Some("group".into()),
    };
    let gain = Command::Role(RoleCommand::Update {
        id: role,
        name: None,
        permissions: Some(vec![one("delegate")]),
        includes: None,
    });
    let mut case = case.delegating(on_group.clone()).delegating(all());
    let give = Give::allow(case.token, &["delegate"], on_group);
    case.gives(give.clone(), "not_held");
    case.gives(Give::allow(case.token, &["delegate"], all()), "ok");
    case.asks(gain.clone(), "not_held");
    let mut case = case.delegating(Scope::Organization);
    case.gives(give, "ok");
    case.asks(gain, "ok");
}

#[test]
fn where_a_deny_reaches_joining_leaving_and_ending_need_delegate_over_it() {
    let mut case = Case::new();
    let (outer, inner, token) = (case.org.group("outer"), case.org.group("inner"), case.token);
    case.org.join(outer, Grantee::Group(inner));
    case.org.join(inner, token.into());
    let deny = case.org.give(Give::deny(Grantee::Group(outer), &["delete"], labelled("env", "prod")));
    let commands = [
        Command::Member(MemberCommand::Remove { group: inner, member: token.into() }),
        Command::Member(MemberCommand::Remove { group: outer, member: Grantee::Group(inner) }),
        add(inner, token, Some(SECOND)),
        add(inner, Principal::User(case.bob), None),
        Command::Group(GroupCommand::Delete { id: inner }),
        Command::Group(GroupCommand::Delete { id: outer }),
        Command::Grant(GrantCommand::Revoke { id: deny }),
    ];
    for command in &commands {
        case.asks(command.clone(), "needs_delegate");
    }
    let case = case.delegating(labelled("env", "staging"));
    for command in &commands {
        case.asks(command.clone(), "needs_delegate");
    }
    let case = case.delegating(labelled("env", "prod"));
    for command in commands {
        case.asks(command, "ok");
    }
}

fn gain(id: RoleId, permissions: &[&str], includes: &[RoleId]) -> Command {
    let one = |name: &&str| RolePermission { permission: (*name).to_owned(), object_type: None };
    let (permissions, includes) = (permissions.iter().map(one).collect(), includes.to_vec());
    Command::Role(RoleCommand::Update {
        id,
        name: None,
        permissions: Some(permissions),
        includes: Some(includes),
    })
}

/// No look at who has the role: also one that nobody has is judged.
#[test]
fn a_role_that_gains_confers_on_the_whole_organization_for_ever() {
    let mut case = Case::new();
    let (role, deletes) =
        (case.org.role("r", &["read", "create_acls"], &[]), case.org.role("d", &["delete"], &[]));
    case.asks(gain(role, &["read"], &[]), "ok");
    case.asks(gain(role, &["read", "read_acls"], &[]), "ok");
    case.asks(gain(role, &["read", "delete"], &[]), "not_held");
    case.asks(gain(role, &["read"], &[deletes]), "not_held");
    let give = Give::allow(Principal::User(case.bob), &["delete"], Scope::Organization);
    case.org.give(give.clone().until(SECOND));
    case.asks(gain(role, &["read", "delete"], &[]), "not_held");
    case.org.give(give);
    case.asks(gain(role, &["read"], &[deletes]), "ok");
    let case = case.delegating(all());
    case.asks(gain(role, &["read", "update"], &[]), "not_held");
    let case = case.delegating(Scope::Organization);
    case.asks(gain(role, &["read", "update"], &[]), "ok");
}

#[test]
fn what_a_deny_takes_by_a_role_changes_only_with_delegate() {
    let mut case = Case::new();
    let inner = case.org.role("inner", &["read"], &[]);
    let role = case.org.role("r", &["create_acls"], &[inner]);
    case.org.give(Give::role(case.token, role, labelled("env", "prod")).denying());
    let changes = [gain(role, &[], &[inner]), gain(role, &["create_acls"], &[]), gain(inner, &[], &[])];
    for change in &changes {
        case.asks(change.clone(), "needs_delegate");
    }
    case.asks(gain(inner, &["read", "read_acls"], &[]), "needs_delegate");
    let case = case.delegating(labelled("env", "prod"));
    for change in changes {
        case.asks(change, "ok");
    }
}
