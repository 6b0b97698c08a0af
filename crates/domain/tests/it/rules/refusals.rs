//! Every refusal there is, hit by a command, with its stable code.

use std::collections::BTreeSet;

use grantbook_domain::{
    catalog::TypeDefinition,
    command::{
        Author, Command, Expiry, GroupCommand, KeyCommand, MemberCommand, ObjectCommand, ProjectCommand,
        RoleCommand, SessionCommand, UserCommand,
    },
    id::Id,
    model::KeyHash,
    principal::{Caller, Grantee, Principal},
    refusal::Refusal,
    scope::{Labels, Scope},
    webhook::WEBHOOKS_MAX,
};

use crate::{
    given::{Give, Org, all, as_user, by, named, object, one_of, webhook},
    rules::rights_table::variants,
};

/// The name of the refusal and its code; a new refusal does not compile until it is here.
fn name_and_code(refusal: &Refusal) -> (&'static str, &'static str) {
    match refusal {
        Refusal::Inactive => ("Inactive", "unauthenticated"),
        Refusal::NotFound(_) => ("NotFound", "not_found"),
        Refusal::Forbidden { .. } => ("Forbidden", "forbidden"),
        Refusal::NotHeld { .. } => ("NotHeld", "not_held"),
        Refusal::NeedsDelegate => ("NeedsDelegate", "needs_delegate"),
        Refusal::NoSuch { .. } => ("NoSuch", "not_found"),
        Refusal::Text { .. } => ("Text", "invalid"),
        Refusal::Invalid { .. } => ("Invalid", "invalid"),
        Refusal::NameTaken(_) => ("NameTaken", "name_taken"),
        Refusal::EmailTaken => ("EmailTaken", "email_taken"),
        Refusal::ExternalIdTaken => ("ExternalIdTaken", "external_id_taken"),
        Refusal::Cycle(_) => ("Cycle", "cycle"),
        Refusal::LastOwner => ("LastOwner", "last_owner"),
        Refusal::InUse => ("InUse", "in_use"),
        Refusal::BuiltIn(_) => ("BuiltIn", "built_in"),
        Refusal::KeyEnded => ("KeyEnded", "key_ended"),
        Refusal::AmbiguousObject { .. } => ("AmbiguousObject", "ambiguous_object"),
        Refusal::SignInAgain => ("SignInAgain", "sign_in_again"),
        Refusal::WrongCredential(_) => ("WrongCredential", "wrong_credential"),
        Refusal::ParentFixed => ("ParentFixed", "parent_fixed"),
        Refusal::InBatch { .. } => ("InBatch", "name_taken"),
        Refusal::CatalogFull(_) => ("CatalogFull", "catalog_full"),
        Refusal::TooMany { .. } => ("TooMany", "too_many"),
        Refusal::TooManySessions { .. } => ("TooManySessions", "too_many"),
        Refusal::Limit { .. } => ("Limit", "too_costly"),
    }
}

fn project(org: &mut Org, name: &str) -> Command {
    Command::Project(ProjectCommand::Create { id: org.id(), name: name.to_owned(), labels: Labels::new() })
}

fn user(org: &mut Org, email: &str, external_id: Option<&str>) -> Command {
    let (email, external_id) = (email.to_owned(), external_id.map(str::to_owned));
    Command::User(UserCommand::Create { id: org.id(), email, name: None, external_id })
}

/// A session of the owner, long after the sign-in.
fn stale_session(org: &mut Org) -> Author {
    let principal = Principal::User(org.owner);
    let signed_in = Author::Caller(Caller { principal, key: Some(org.owner_key) });
    let (id, hash) = (org.id(), KeyHash([0; 32]));
    org.act(signed_in, Command::Session(SessionCommand::Start { id, hash })).expect("a session");
    org.pass(15 * 60 * 1000);
    Author::Caller(Caller { principal, key: Some(id) })
}

/// A start of a session by a user with as many as may be.
fn one_session_too_many(org: &mut Org) -> (Author, Command) {
    let principal = Principal::User(org.user("restless@x.y"));
    let (key, hash) = (org.key(principal, None, None), KeyHash([0; 32]));
    let signed_in = Author::Caller(Caller { principal, key: Some(key) });
    for _ in 0..200 {
        let id = org.id();
        org.act(signed_in, Command::Session(SessionCommand::Start { id, hash })).expect("a session");
    }
    (signed_in, Command::Session(SessionCommand::Start { id: org.id(), hash }))
}

/// A grant with one name pattern more than an organization may have.
fn one_pattern_too_many(org: &mut Org) -> Command {
    let token = Principal::Token(org.token("patterns"));
    let patterns = |count: usize| one_of((0..count).map(|number| named(&format!("n{number}*"))).collect());
    for _ in 0..5 {
        org.give(Give::allow(token, &["read"], patterns(1_000)));
    }
    Give::allow(token, &["read"], patterns(1)).command(org.id())
}

/// One refused command of each kind.
fn refused(org: &mut Org) -> Vec<(Author, Command)> {
    let (ada, owner) = (org.ada(), org.owner);
    let token = Principal::Token(org.token("t"));
    let (home, other) = (org.project("home", &[]), org.project("other", &[]));
    let (group, role) = (org.group("g"), org.role("r", &["read"], &[]));
    let gone = org.user("gone@x.y");
    let bob = org.user("bob@x.y");
    let named = user(org, "named@x.y", Some("42"));
    org.done(named);
    org.done(Command::User(UserCommand::Deactivate { id: gone }));
    org.give(Give::role(token, role, all()));
    org.give(Give::allow(Grantee::User(bob), &["create_acls"], Scope::Organization));
    let key = org.key(token, None, None);
    org.done(Command::Key(KeyCommand::Revoke { id: key }));
    let experiment = object("experiment", "e");
    org.register(&experiment, Some(home));
    org.register(&experiment, Some(other));
    let permissions: Vec<_> = (9..64).map(|number| format!("p{number}")).collect();
    org.done(Command::ExtendCatalog { object_types: vec![], permissions });
    for _ in 0..WEBHOOKS_MAX {
        let one = webhook(org.id());
        org.done(one);
    }
    let (owners, hash) = (org.owners(), KeyHash([0; 32]));
    let extend = |types: &[(&str, &str)], permissions: &[&str]| {
        let one =
            |(name, parent): &(&str, &str)| TypeDefinition { name: (*name).into(), parent: (*parent).into() };
        let permissions = permissions.iter().map(|name| (*name).to_owned()).collect();
        Command::ExtendCatalog { object_types: types.iter().map(one).collect(), permissions }
    };
    vec![
        (as_user(gone), Command::Group(GroupCommand::Delete { id: group })),
        (ada, Command::Group(GroupCommand::Delete { id: Id::from_u128(1) })),
        (by(token), project(org, "p")),
        (as_user(bob), Give::allow(token, &["delete"], all()).command(org.id())),
        (as_user(bob), Give::deny(token, &["delete"], all()).command(org.id())),
        (ada, Give::allow(Grantee::Group(Id::from_u128(1)), &["read"], all()).command(org.id())),
        (ada, project(org, " p")),
        (ada, Give::allow(token, &[], all()).command(org.id())),
        (ada, project(org, "home")),
        (ada, one_pattern_too_many(org)),
        (ada, user(org, "BOB@x.y", None)),
        (ada, user(org, "new@x.y", Some("42"))),
        (
            ada,
            Command::Member(MemberCommand::Add {
                group,
                member: Grantee::Group(group),
                expires_at: Expiry::Never,
            }),
        ),
        (ada, Command::User(UserCommand::Deactivate { id: owner })),
        (ada, Command::Role(RoleCommand::Delete { id: role })),
        (ada, Command::Group(GroupCommand::Delete { id: owners })),
        (ada, Command::Key(KeyCommand::Rotate { id: key, new_id: org.id(), hash, grace_seconds: 0 })),
        (ada, Command::Object(ObjectCommand::Remove { object: experiment })),
        (ada, Command::Session(SessionCommand::Start { id: org.id(), hash })),
        (stale_session(org), Command::Group(GroupCommand::Delete { id: group })),
        (ada, extend(&[("dataset", "organization")], &[])),
        (ada, Command::Batch(vec![project(org, "home")])),
        (ada, extend(&[], &["one-more"])),
        (ada, webhook(org.id())),
        one_session_too_many(org),
    ]
}

#[test]
fn every_refusal_is_hit_and_has_its_code() {
    let mut org = Org::founded();
    let mut hit = BTreeSet::new();
    for (author, command) in refused(&mut org) {
        let refusal = org.decide(author, command.clone()).expect_err("refused");
        let (name, code) = name_and_code(&refusal);
        assert_eq!(refusal.code(), code, "{command:?}");
        assert!(!refusal.to_string().is_empty());
        assert!(hit.insert(name), "{name} twice");
    }
    let known = variants(include_str!("../../../src/refusal.rs"), "Refusal");
    assert_eq!(hit, known.iter().map(String::as_str).collect(), "each of them once");
}
