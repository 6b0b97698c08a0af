//! Users: names of theirs, ends, and what changing their e-mail confers.

use grantbook_domain::{
    access::check::Reason,
    command::{Command, Expiry, MemberCommand, TokenCommand, UserCommand},
    principal::Principal,
    refusal::Refusal,
    scope::Scope,
    text::TextFault,
};

use crate::given::{Give, Org, as_user, assert_made, object};

fn create(org: &mut Org, email: &str, external_id: Option<&str>) -> Result<(), Refusal> {
    let (id, ada) = (org.id(), org.ada());
    let (email, external_id) = (email.to_owned(), external_id.map(str::to_owned));
    org.act(ada, Command::User(UserCommand::Create { id, email, name: None, external_id })).map(|_| ())
}

#[test]
fn emails_compare_ascii_lowercased_and_only_so() {
    let mut org = Org::founded();
    assert_eq!(create(&mut org, "ADA@Example.com", None), Err(Refusal::EmailTaken));
    assert_eq!(create(&mut org, "m\u{fc}ller@x.y", None), Ok(()));
    assert_eq!(create(&mut org, "M\u{dc}LLER@x.y", None), Ok(()), "only ASCII letters are folded");
    for email in ["nobody", "a b@x.y", "@x.y", "a@", "a@b@c"] {
        let refusal = create(&mut org, email, None).expect_err(email);
        assert!(
            matches!(refusal, Refusal::Text { fault: TextFault::NotAnEmail, .. }),
            "{email}: {refusal:?}"
        );
    }
}

#[test]
fn an_external_id_is_unique_per_kind_and_free_again_after_the_end() {
    let mut org = Org::founded();
    let bob = org.user("bob@x.y");
    org.done(Command::User(UserCommand::Update {
        id: bob,
        email: None,
        name: None,
        external_id: Some(Some("42".into())),
    }));
    assert_eq!(create(&mut org, "cat@x.y", Some("42")), Err(Refusal::ExternalIdTaken));
    let (id, name, external_id) = (org.id(), "t".to_owned(), Some("42".to_owned()));
    org.done(Command::Token(TokenCommand::Create {
        id,
        name,
        description: None,
        external_id,
        expires_at: None,
    }));
    org.done(Command::User(UserCommand::Deactivate { id: bob }));
    assert_eq!(create(&mut org, "bob@x.y", Some("42")), Ok(()), "e-mail and external id are free");
}

#[test]
fn a_deactivated_user_takes_keys_memberships_and_grants_along_for_ever() {
    let mut org = Org::founded();
    let bob = org.user("bob@x.y");
    let (who, project, group) = (Principal::User(bob), org.project("p", &[]), org.group("g"));
    org.join(group, who.into());
    org.give(Give::allow(who, &["read"], Scope::Organization));
    let key = org.key(who, None, None);
    let target = object("project", &project.to_string());
    assert_eq!(org.ask_as((None, Some(key)), "read", &target, None), Reason::Granted);
    assert_made(&Ok(org.done(Command::User(UserCommand::Deactivate { id: bob }))), "UserDeactivated");
    assert!(org.done(Command::User(UserCommand::Deactivate { id: bob })).is_empty(), "again: nothing to do");
    assert_eq!(org.ask_as((None, Some(key)), "read", &target, None), Reason::InactivePrincipal);
    assert_eq!(org.ask(who, "read", &target, None), Reason::InactivePrincipal);

    let again = org.user("bob@x.y");
    assert_eq!(
        org.ask(Principal::User(again), "read", &target, None),
        Reason::NoGrant,
        "a name revives nothing"
    );
    let ada = org.ada();
    let refused = org.act(
        ada,
        Command::Member(MemberCommand::Add { group, member: who.into(), expires_at: Expiry::Never }),
    );
    assert_eq!(refused.expect_err("ended").code(), "not_found");
    let refused = org
        .act(ada, Command::User(UserCommand::Update { id: bob, email: None, name: None, external_id: None }));
    assert_eq!(refused.expect_err("ended").code(), "not_found");
    assert_eq!(org.act(as_user(bob), Command::Batch(vec![])).expect_err("empty").code(), "invalid");
    let refused = org.act(as_user(bob), Command::User(UserCommand::Deactivate { id: bob }));
    assert_eq!(refused, Err(Refusal::Inactive));
}

#[test]
fn an_unchanged_user_makes_no_event() {
    let mut org = Org::founded();
    let owner = org.owner;
    let email = Some("ada@example.com".to_owned());
    assert!(
        org.done(Command::User(UserCommand::Update { id: owner, email, name: None, external_id: None }))
            .is_empty()
    );
    let name = Some(Some("Ada".to_owned()));
    let changed =
        org.done(Command::User(UserCommand::Update { id: owner, email: None, name, external_id: None }));
    assert_made(&Ok(changed), "UserUpdated");
}
