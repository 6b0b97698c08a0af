//! Not seeing is not being: without `read` a thing in the path is not there; with `read` but without the right, 403.

use grantbook_domain::{
    command::{
        Command, Expiry, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ObjectCommand,
        ProjectCommand, RoleCommand, TokenCommand, UserCommand,
    },
    id::Id,
    model::KeyHash,
    principal::{Grantee, Principal},
    refusal::{Kind, Refusal},
    scope::Scope,
};

use crate::given::{Give, Org, all, by, labelled, object, on_project};

/// Every command that names something in its path, on what exists or on what does not.
fn commands(org: &mut Org, exists: bool) -> Vec<(Kind, Command)> {
    let member = Grantee::User(org.owner);
    let (user, token, group) = (org.user("u@x.y"), org.token("t"), org.group("g"));
    let (role, project) = (org.role("r", &[], &[]), org.project("p", &[]));
    let key = org.key(Principal::Token(token), None, None);
    let grant = org.give(Give::allow(Principal::Token(token), &["read"], on_project(project)));
    let experiment = object("experiment", if exists { "e" } else { "other" });
    org.register(&object("experiment", "e"), Some(project));
    let (new_id, hash) = (org.id(), KeyHash([0; 32]));
    let pick = |id: u128| id + if exists { 0 } else { 1 << 60 };
    let (user, token) =
        (Id::from_u128(pick(user.uuid().as_u128())), Id::from_u128(pick(token.uuid().as_u128())));
    let (group, role) =
        (Id::from_u128(pick(group.uuid().as_u128())), Id::from_u128(pick(role.uuid().as_u128())));
    let (project, key) =
        (Id::from_u128(pick(project.uuid().as_u128())), Id::from_u128(pick(key.uuid().as_u128())));
    let grant = Id::from_u128(pick(grant.uuid().as_u128()));
    let issue = |principal| {
        Command::Key(KeyCommand::Issue {
            id: new_id,
            principal,
            name: None,
            hash,
            expires_at: None,
            narrow: None,
        })
    };
    let (name, description) = (None, None);
    vec![
        (
            Kind::User,
            Command::User(UserCommand::Update { id: user, email: None, name: None, external_id: None }),
        ),
        (Kind::User, Command::User(UserCommand::Deactivate { id: user })),
        (Kind::User, issue(Principal::User(user))),
        (
            Kind::Token,
            Command::Token(TokenCommand::Update {
                id: token,
                name: None,
                description: None,
                external_id: None,
                expires_at: None,
            }),
        ),
        (Kind::Token, Command::Token(TokenCommand::Delete { id: token })),
        (Kind::Token, issue(Principal::Token(token))),
        (Kind::Key, Command::Key(KeyCommand::Rotate { id: key, new_id, hash, grace_seconds: 0 })),
        (Kind::Key, Command::Key(KeyCommand::Revoke { id: key })),
        (Kind::Group, Command::Group(GroupCommand::Update { id: group, name, description })),
        (Kind::Group, Command::Group(GroupCommand::Delete { id: group })),
        (Kind::Group, Command::Member(MemberCommand::Add { group, member, expires_at: Expiry::Never })),
        (Kind::Group, Command::Member(MemberCommand::Remove { group, member })),
        (
            Kind::Role,
            Command::Role(RoleCommand::Update { id: role, name: None, permissions: None, includes: None }),
        ),
        (Kind::Role, Command::Role(RoleCommand::Delete { id: role })),
        (Kind::Project, Command::Project(ProjectCommand::Update { id: project, name: None, labels: None })),
        (Kind::Project, Command::Project(ProjectCommand::Delete { id: project })),
        (Kind::Object, Command::Object(ObjectCommand::Update { object: experiment.clone(), name: None })),
        (Kind::Object, Command::Object(ObjectCommand::Remove { object: experiment })),
        (Kind::Grant, Command::Grant(GrantCommand::Revoke { id: grant })),
    ]
}

#[test]
fn without_read_what_exists_is_like_what_does_not() {
    let mut unseen = Org::founded();
    let mut absent = Org::founded();
    let stranger = Principal::Token(unseen.token("stranger"));
    assert_eq!(stranger, Principal::Token(absent.token("stranger")));
    let pairs = commands(&mut unseen, true).into_iter().zip(commands(&mut absent, false));
    for ((kind, unseen_one), (_, absent_one)) in pairs {
        let expected = Err(Refusal::NotFound(kind));
        assert_eq!(unseen.decide(by(stranger), unseen_one.clone()), expected, "{unseen_one:?}");
        assert_eq!(absent.decide(by(stranger), absent_one.clone()), expected, "{absent_one:?}");
    }
}

#[test]
fn with_read_but_without_the_right_it_is_forbidden_and_absent_things_stay_absent() {
    for exists in [true, false] {
        let mut org = Org::founded();
        let reader = Principal::Token(org.token("reader"));
        org.give(Give::allow(reader, &["read", "read_acls"], Scope::Organization));
        for (kind, command) in commands(&mut org, exists) {
            let refusal = org.decide(by(reader), command.clone()).expect_err("no right");
            if exists {
                assert!(matches!(refusal, Refusal::Forbidden { .. }), "{command:?}: {refusal:?}");
            } else {
                assert_eq!(refusal, Refusal::NotFound(kind), "{command:?}");
            }
        }
    }
}

/// The owner sees everything: what he does not find is not there.
#[test]
fn to_the_owner_only_the_absent_is_absent() {
    let mut org = Org::founded();
    let ada = org.ada();
    for (kind, command) in commands(&mut org, false) {
        assert_eq!(org.decide(ada, command), Err(Refusal::NotFound(kind)));
    }
    let mut org = Org::founded();
    for (kind, command) in commands(&mut org, true) {
        let outcome = org.decide(ada, command.clone());
        let expected = if matches!(command, Command::Member(MemberCommand::Remove { .. })) {
            Some(Kind::Member)
        } else {
            None
        };
        assert_eq!(outcome.err(), expected.map(Refusal::NotFound), "{kind:?} {command:?}");
    }
}

#[test]
fn oneself_is_always_seen() {
    let mut org = Org::founded();
    let token = org.token("t");
    let own = Principal::Token(token);
    let key = org.key(own, None, None);
    for command in [
        Command::Token(TokenCommand::Delete { id: token }),
        Command::Key(KeyCommand::Rotate {
            id: key,
            new_id: Id::from_u128(1),
            hash: KeyHash([0; 32]),
            grace_seconds: 0,
        }),
    ] {
        assert_eq!(org.decide(by(own), command).expect_err("no right").code(), "forbidden");
    }
}

/// What is named in the body and not seen is not there either.
#[test]
fn an_unseen_project_in_a_registration_is_not_there() {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let (staging, production) =
        (org.project("s", &[("env", "staging")]), org.project("p", &[("env", "prod")]));
    org.give(Give::allow(token, &["read"], labelled("env", "staging")));
    let register = |project| {
        Command::Object(ObjectCommand::Register {
            object: object("experiment", "e").within(Some(project)),
            name: None,
        })
    };
    let unseen = org.decide(by(token), register(production)).expect_err("unseen");
    assert_eq!(unseen, org.decide(by(token), register(Id::from_u128(7))).expect_err("absent"));
    assert_eq!(unseen.code(), "not_found");
    assert_eq!(org.decide(by(token), register(staging)).expect_err("seen").code(), "forbidden");
    org.give(Give::allow(token, &["create"], all()).only("experiment"));
    assert!(org.decide(by(token), register(staging)).is_ok());
}

/// Only who may see the grants over a whole scope sees a grant on it.
#[test]
fn a_grant_is_seen_with_read_acls_over_its_whole_scope() {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    org.give(Give::allow(token, &["read_acls", "delete_acls"], labelled("env", "staging")));
    let to = Principal::User(org.owner);
    let inside = org.give(Give::allow(to, &["read"], labelled("env", "staging")));
    let wider = org.give(Give::allow(to, &["read"], all()));
    assert!(org.decide(by(token), Command::Grant(GrantCommand::Revoke { id: inside })).is_ok());
    assert_eq!(
        org.decide(by(token), Command::Grant(GrantCommand::Revoke { id: wider })),
        Err(Refusal::NotFound(Kind::Grant))
    );
}

/// What an earlier command of the same batch made is seen, and so is what one may do the thing asked for on: also in paths.
#[test]
fn a_path_sees_what_its_batch_made_and_what_the_right_is_held_on() {
    let mut org = Org::founded();
    let (bob, member) = (Principal::User(org.user("bob@x.y")), Grantee::Token(org.token("t")));
    let old = org.group("old");
    org.give(Give::allow(bob, &["create"], Scope::Organization).only("group"));
    let (id, add) =
        (org.id(), |group| Command::Member(MemberCommand::Add { group, member, expires_at: Expiry::Never }));
    let create = Command::Group(GroupCommand::Create { id, name: "new".to_owned(), description: None });
    let made_and_used = Command::Batch(vec![create.clone(), add(id)]);
    let refused = org.decide(by(bob), made_and_used.clone()).expect_err("no right, but it is seen");
    assert_eq!(refused.code(), "forbidden");
    org.give(Give::allow(bob, &["update"], Scope::Organization).only("group"));
    assert!(org.decide(by(bob), made_and_used).is_ok());
    assert!(org.decide(by(bob), add(old)).is_ok(), "with the right itself");
    assert_eq!(
        org.decide(by(bob), Command::Group(GroupCommand::Delete { id: old })),
        Err(Refusal::NotFound(Kind::Group))
    );
}
