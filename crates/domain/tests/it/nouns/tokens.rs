//! Service tokens: names, expiry to the millisecond, ends, and what a plain one may ask for.

use grantbook_domain::{
    access::check::Reason,
    command::{Command, KeyCommand, ProjectCommand, TokenCommand},
    principal::Principal,
    refusal::{Kind, Refusal},
    scope::Scope,
};

use crate::{
    given::{Give, Org, START, by, on_project, project_object},
    rules::rights_table::{name, samples},
};

#[test]
fn a_token_is_active_before_its_end_and_not_at_it() {
    let mut org = Org::founded();
    let end = START.plus_millis(500);
    let token = Principal::Token(org.token_until("t", Some(end)));
    let project = org.project("p", &[]);
    org.give(Give::allow(token, &["read"], on_project(project)));
    org.now = end.plus_millis(-1);
    assert_eq!(org.ask(token, "read", &project_object(project), None), Reason::Granted);
    org.now = end;
    assert_eq!(org.ask(token, "read", &project_object(project), None), Reason::InactivePrincipal);
    assert_eq!(
        org.act(by(token), Command::Project(ProjectCommand::Delete { id: project })),
        Err(Refusal::Inactive)
    );
}

#[test]
fn an_expired_token_can_be_given_a_new_end_and_a_deleted_one_cannot() {
    let mut org = Org::founded();
    let id = org.token_until("t", Some(START.plus_millis(500)));
    let project = org.project("p", &[]);
    org.give(Give::allow(Principal::Token(id), &["read"], on_project(project)));
    org.pass(600);
    let extend = |expires_at| {
        Command::Token(TokenCommand::Update {
            id,
            name: None,
            description: None,
            external_id: None,
            expires_at: Some(expires_at),
        })
    };
    let ada = org.ada();
    let refused = org.act(ada, extend(Some(START.plus_millis(550))));
    assert_eq!(refused.expect_err("the past").code(), "invalid");
    org.done(extend(None));
    assert_eq!(org.ask(Principal::Token(id), "read", &project_object(project), None), Reason::Granted);
    org.done(Command::Token(TokenCommand::Delete { id }));
    assert_eq!(org.act(ada, extend(Some(START.plus_millis(9000)))), Err(Refusal::NotFound(Kind::Token)));
    assert_eq!(
        org.ask(Principal::Token(id), "read", &project_object(project), None),
        Reason::InactivePrincipal
    );
    let again = Principal::Token(org.token("t"));
    assert_eq!(
        org.ask(again, "read", &project_object(project), None),
        Reason::NoGrant,
        "a name revives nothing"
    );
}

/// Everything else is refused, and nothing that exists is told from what does not.
#[test]
fn a_plain_token_may_revoke_its_own_key_and_nothing_else() {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let key = org.key(token, None, None);
    for command in samples() {
        let refusal = match (name(&command), org.decide(by(token), command)) {
            ("Batch", outcome) => {
                assert_eq!(outcome.expect_err("an empty batch").code(), "invalid");
                continue;
            }
            (name, outcome) => outcome.expect_err(name),
        };
        assert!(matches!(refusal.code(), "forbidden" | "not_found" | "wrong_credential"), "{refusal:?}");
    }
    org.act(by(token), Command::Key(KeyCommand::Revoke { id: key })).expect("its own key");
}

/// Security requirement T9: the right to change tokens is needed even for one's own.
#[test]
fn a_token_issues_and_rotates_no_key_of_its_own_without_the_right() {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let key = org.key(token, None, None);
    let (new_id, hash) = (org.id(), grantbook_domain::model::KeyHash([9; 32]));
    let rotate = Command::Key(KeyCommand::Rotate { id: key, new_id, hash, grace_seconds: 0 });
    let issue = Command::Key(KeyCommand::Issue {
        id: new_id,
        principal: token,
        name: None,
        hash,
        expires_at: None,
        narrow: None,
    });
    for command in [rotate.clone(), issue.clone()] {
        assert_eq!(org.act(by(token), command).expect_err("no right").code(), "forbidden");
    }
    org.give(Give::allow(token, &["update"], Scope::Organization).only("org_member"));
    org.act(by(token), issue).expect("it may now");
    let Command::Key(KeyCommand::Rotate { id, hash, grace_seconds, .. }) = rotate else { return };
    let new_id = org.id();
    org.act(by(token), Command::Key(KeyCommand::Rotate { id, new_id, hash, grace_seconds }))
        .expect("it may now");
}
