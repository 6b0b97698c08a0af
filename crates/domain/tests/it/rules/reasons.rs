//! The reasons of a check: each of them, in their order, and answers that do not depend on history's order.

use grantbook_domain::{
    access::check::Reason,
    command::{
        Command, Expiry, KeyCommand, MemberCommand, ObjectCommand, ProjectCommand, RoleCommand, UserCommand,
    },
    id::{Id, KeyId},
    model::Narrowing,
    principal::{Grantee, Principal},
    scope::{ObjectRef, Scope},
};
use proptest::{prelude::*, strategy::Just};

use crate::{
    given::{Give, Org, START, all, all_but, label, labelled, labels, object, on_project, project_object},
    rules::rights_table::variants,
};

/// A question with every fault at once; each row repairs the fault of the row before.
#[test]
fn the_first_reason_that_applies_is_given() {
    let mut org = Org::founded();
    let (home, other) = (org.project("home", &[]), org.project("other", &[]));
    let gone = org.user("gone@x.y");
    let token = Principal::Token(org.token("t"));
    let narrow = || Some(Narrowing { permissions: Some(vec!["update".to_owned()]), on: None, generation: 0 });
    let soon = Some(START.plus_millis(10));
    let (revoked, expired) = (org.key(token, soon, narrow()), org.key(token, soon, narrow()));
    let (of_gone, narrowed, plain) = (
        org.key(Principal::User(gone), None, narrow()),
        org.key(token, None, narrow()),
        org.key(token, None, None),
    );
    org.done(Command::Key(KeyCommand::Revoke { id: revoked }));
    org.done(Command::User(UserCommand::Deactivate { id: gone }));
    let experiment = object("experiment", "e");
    org.register(&experiment, Some(home));
    let (twice, misplaced) = (object("experiment", "e2"), project_object(home));
    org.register(&twice, Some(home));
    org.register(&twice, Some(other));
    org.give(Give::deny(token, &["read"], on_project(home)));
    org.give(Give::allow(token, &["delete"], on_project(home)));
    org.pass(10);

    let nobody = Principal::Token(Id::from_u128(99));
    let (gone, unknown) = (Principal::User(gone), Some(KeyId::from_u128(98)));
    let (odd_type, odd_id) = (object("spaceship", "e"), object("project", "nowhere"));
    let rows = [
        (Some(nobody), unknown, "fly", &odd_type, Reason::UnknownKey),
        (Some(nobody), Some(revoked), "fly", &odd_type, Reason::KeyRevoked),
        (Some(nobody), Some(expired), "fly", &odd_type, Reason::KeyExpired),
        (Some(nobody), Some(plain), "fly", &odd_type, Reason::KeyMismatch),
        (Some(nobody), None, "fly", &odd_type, Reason::UnknownPrincipal),
        (Some(gone), Some(of_gone), "fly", &odd_type, Reason::InactivePrincipal),
        (Some(token), Some(narrowed), "fly", &odd_type, Reason::UnknownPermission),
        (Some(token), Some(narrowed), "read", &odd_type, Reason::UnknownObjectType),
        (Some(token), Some(narrowed), "read", &odd_id, Reason::UnknownObject),
        (Some(token), Some(narrowed), "read", &twice, Reason::AmbiguousObject),
        (Some(token), Some(narrowed), "read", &misplaced, Reason::ObjectProjectMismatch),
        (None, Some(narrowed), "read", &experiment, Reason::KeyNarrowed),
        (None, Some(plain), "read", &experiment, Reason::DeniedByGrant),
        (Some(token), Some(plain), "create", &experiment, Reason::NoGrant),
    ];
    let mut seen = Vec::new();
    for (principal, key, permission, on, expected) in rows {
        let named = match expected {
            Reason::AmbiguousObject => None,
            Reason::ObjectProjectMismatch => Some(other),
            _ => (on.object_type != "project").then_some(home),
        };
        assert_eq!(org.ask_as((principal, key), permission, on, named), expected);
        assert!(!expected.allows());
        seen.push(format!("{expected:?}"));
    }
    assert_eq!(org.ask_as((None, Some(plain)), "delete", &experiment, Some(home)), Reason::Granted);
    assert_eq!(org.ask_as((None, None), "delete", &experiment, Some(home)), Reason::UnknownPrincipal);
    seen.insert(0, "Granted".to_owned());
    assert_eq!(
        seen,
        variants(include_str!("../../../src/access/check.rs"), "Reason"),
        "all of them, in their order"
    );
}

#[test]
fn every_unknown_word_is_a_deny() {
    let mut org = Org::founded();
    let ada = Principal::User(org.owner);
    let project = org.project("p", &[]);
    for (permission, object_type, id, reason) in [
        ("Read", "project", project.to_string(), Reason::UnknownPermission),
        ("", "project", project.to_string(), Reason::UnknownPermission),
        ("read", "Project", project.to_string(), Reason::UnknownObjectType),
        ("read", "project", project.to_string().to_uppercase(), Reason::UnknownObject),
        ("read", "project", String::new(), Reason::UnknownObject),
        ("read", "organization", project.to_string(), Reason::UnknownObject),
        ("read", "group", project.to_string(), Reason::UnknownObject),
        ("read", "experiment", "e".to_owned(), Reason::UnknownObject),
    ] {
        assert_eq!(org.ask(ada, permission, &object(object_type, &id), None), reason);
    }
    let elsewhere = Some(Id::from_u128(77));
    assert_eq!(org.ask(ada, "read", &object("experiment", "e"), elsewhere), Reason::UnknownObject);
    assert_eq!(org.ask(ada, "read", &project_object(project), elsewhere), Reason::ObjectProjectMismatch);
}

/// Commands of which none needs another; their ids are fixed.
fn independent(org: &mut Org) -> (Vec<Command>, Vec<Principal>, Vec<ObjectRef>) {
    let (token, user) = (org.token("t"), org.user("u@x.y"));
    let (inner, outer) = (org.group("inner"), org.group("outer"));
    let role = org.role("r", &["read"], &[]);
    let projects = [org.project("a", &[("env", "prod")]), org.project("b", &[])];
    let until = Some(START.plus_millis(50));
    let grants = [
        Give::allow(Grantee::Token(token), &["read", "update"], all_but(vec![label("env", "prod")])),
        Give::role(Grantee::Group(outer), role, all()).until(START.plus_millis(80)),
        Give::deny(Grantee::Group(inner), &["update"], labelled("env", "dev")),
        Give::allow(Grantee::User(user), &["update"], on_project(projects[1])),
        Give::allow(Grantee::Group(inner), &["delete"], Scope::Organization),
    ];
    let mut commands: Vec<_> = grants.into_iter().map(|give| give.command(org.id())).collect();
    commands.extend([
        Command::Member(MemberCommand::Add {
            group: outer,
            member: Grantee::Group(inner),
            expires_at: until.into(),
        }),
        Command::Member(MemberCommand::Add {
            group: inner,
            member: Grantee::Token(token),
            expires_at: Expiry::Never,
        }),
        Command::Member(MemberCommand::Add {
            group: inner,
            member: Grantee::User(user),
            expires_at: until.into(),
        }),
        Command::Project(ProjectCommand::Update {
            id: projects[0],
            name: None,
            labels: Some(labels(&[("env", "dev")])),
        }),
        Command::Project(ProjectCommand::Update {
            id: projects[1],
            name: Some("c".to_owned()),
            labels: None,
        }),
        Command::Object(ObjectCommand::Register {
            object: object("experiment", "e").within(Some(projects[1])),
            name: None,
        }),
        Command::Role(RoleCommand::Update {
            id: role,
            name: None,
            permissions: None,
            includes: Some(vec![org.builtin(grantbook_domain::model::Builtin::Engineer)]),
        }),
    ]);
    let objects = projects.map(project_object).into_iter().chain([object("experiment", "e")]).collect();
    (commands, vec![Principal::Token(token), Principal::User(user)], objects)
}

fn answers(org: &Org, who: &[Principal], on: &[ObjectRef]) -> Vec<Reason> {
    let mut answers = Vec::new();
    for millis in [0, 49, 50, 79, 80] {
        let org = Org { now: START.plus_millis(millis), ..org.clone() };
        for principal in who {
            for object in on {
                let permissions = grantbook_domain::catalog::PERMISSIONS;
                answers.extend(permissions.map(|permission| org.ask(*principal, permission, object, None)));
            }
        }
    }
    answers
}

proptest! {
    #![proptest_config(crate::given::cases(100))]

    #[test]
    fn the_answer_does_not_depend_on_the_order_in_which_it_came_to_be(
        order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle()
    ) {
        let mut org = Org::founded();
        let (commands, who, on) = independent(&mut org);
        prop_assert_eq!(commands.len(), order.len());
        let mut shuffled = org.clone();
        for command in &commands {
            org.done(command.clone());
        }
        for index in order {
            shuffled.done(commands[index].clone());
        }
        let expected = answers(&org, &who, &on);
        prop_assert!(expected.contains(&Reason::Granted) && expected.contains(&Reason::DeniedByGrant));
        prop_assert_eq!(answers(&shuffled, &who, &on), expected);
    }
}
