//! Keys: expiry and grace to the millisecond, narrowing, rotation, revocation.

use grantbook_domain::{
    access::check::Reason,
    command::{Author, Command, KeyCommand, ProjectCommand},
    id::{KeyId, ProjectId},
    model::{KeyHash, Narrowing},
    principal::{Caller, Principal},
    refusal::Refusal,
    scope::Scope,
    time::Timestamp,
};

use crate::given::{Give, Org, START, assert_made, by, label, labelled, object, one_of, project_object};

fn with_token() -> (Org, Principal, ProjectId) {
    let mut org = Org::founded();
    let token = Principal::Token(org.token("t"));
    let project = org.project("staging", &[("env", "staging")]);
    org.give(Give::allow(token, &["read", "update"], Scope::Organization));
    (org, token, project)
}

fn rotate(org: &mut Org, id: KeyId, grace_seconds: u64) -> Result<KeyId, Refusal> {
    let (new_id, hash, ada) = (org.id(), KeyHash([7; 32]), org.ada());
    org.act(ada, Command::Key(KeyCommand::Rotate { id, new_id, hash, grace_seconds })).map(|_| new_id)
}

fn reason(org: &Org, key: KeyId, project: ProjectId) -> Reason {
    org.ask_as((None, Some(key)), "read", &project_object(project), None)
}

#[test]
fn a_key_works_before_its_end_and_not_at_it() {
    let (mut org, token, project) = with_token();
    let end = START.plus_millis(100);
    let key = org.key(token, Some(end), None);
    org.now = end.plus_millis(-1);
    assert_eq!(reason(&org, key, project), Reason::Granted);
    org.now = end;
    assert_eq!(reason(&org, key, project), Reason::KeyExpired);
    assert_eq!(rotate(&mut org, key, 10), Err(Refusal::KeyEnded));
    let author = Author::Caller(Caller { principal: token, key: Some(key) });
    assert_eq!(org.act(author, Command::Key(KeyCommand::Revoke { id: key })), Err(Refusal::Inactive));
}

#[test]
fn a_rotated_key_works_exactly_until_its_grace_ends() {
    let (mut org, token, project) = with_token();
    let old = org.key(token, None, None);
    let new = rotate(&mut org, old, 2).expect("rotated");
    assert_eq!(org.state.key(new).expect("new").replaces, Some(old));
    org.pass(1999);
    assert_eq!(reason(&org, old, project), Reason::Granted);
    org.pass(1);
    assert_eq!(reason(&org, old, project), Reason::KeyExpired);
    assert_eq!(reason(&org, new, project), Reason::Granted);
}

#[test]
fn a_grace_never_outlasts_the_old_keys_own_end_and_the_new_key_inherits_it() {
    let (mut org, token, project) = with_token();
    let end = START.plus_millis(1500);
    let old = org.key(token, Some(end), None);
    let new = rotate(&mut org, old, 60).expect("rotated");
    for key in [old, new] {
        assert_eq!(org.state.key(key).expect("known").expires_at, Some(end));
    }
    org.now = end;
    assert_eq!(reason(&org, old, project), Reason::KeyExpired);
    assert_eq!(reason(&org, new, project), Reason::KeyExpired);
}

#[test]
fn without_grace_the_old_key_ends_at_once() {
    let (mut org, token, project) = with_token();
    let old = org.key(token, None, None);
    let new = rotate(&mut org, old, 0).expect("rotated");
    assert_eq!(reason(&org, old, project), Reason::KeyExpired);
    assert_eq!(reason(&org, new, project), Reason::Granted);
    let too_long = rotate(&mut org, new, 31_622_401).expect_err("more than a year");
    assert_eq!((too_long.code(), too_long.pointer().as_deref()), ("invalid", Some("/grace_seconds")));
}

#[test]
fn a_rotation_inherits_the_narrowing() {
    let (mut org, token, project) = with_token();
    let production = org.project("production", &[("env", "prod")]);
    let on = Some(one_of(vec![label("env", "staging")]));
    let narrow = Narrowing { permissions: Some(vec!["read".to_owned()]), on, generation: 0 };
    let old = org.key(token, None, Some(narrow.clone()));
    let new = rotate(&mut org, old, 0).expect("rotated");
    assert_eq!(org.state.key(new).expect("new").narrow, Some(narrow));
    assert_eq!(reason(&org, new, project), Reason::Granted);
    assert_eq!(reason(&org, new, production), Reason::KeyNarrowed);
    let update = org.ask_as((None, Some(new)), "update", &project_object(project), None);
    assert_eq!(update, Reason::KeyNarrowed);
    assert_eq!(
        org.ask(token, "update", &project_object(production), None),
        Reason::Granted,
        "by principal: all"
    );
}

/// Both halves of a narrowing must cover; nothing is gained by one.
#[test]
fn a_narrowed_key_commands_only_what_it_covers() {
    let (mut org, token, staging) = with_token();
    let production = org.project("production", &[("env", "prod")]);
    let rename =
        |id| Command::Project(ProjectCommand::Update { id, name: Some("new".to_owned()), labels: None });
    let author = org.narrowed(token, Some(&["read", "update"]), Some(labelled("env", "staging")));
    let name = Command::Project(ProjectCommand::Update {
        id: staging,
        name: Some("other".to_owned()),
        labels: None,
    });
    assert_made(&org.act(author, name), "ProjectUpdated");
    assert_eq!(org.act(author, rename(production)).expect_err("outside").code(), "not_found");
    let author = org.narrowed(token, Some(&["read"]), None);
    assert_eq!(org.act(author, rename(staging)).expect_err("only read").code(), "forbidden");
}

#[test]
fn an_empty_narrowing_is_none_and_an_odd_one_is_refused() {
    let (mut org, token, _) = with_token();
    let key = org.key(token, None, Some(Narrowing { permissions: None, on: None, generation: 0 }));
    assert_eq!(org.state.key(key).expect("known").narrow, None);
    for (permissions, on, code) in [
        (Some(vec![]), None, "invalid"),
        (Some(vec!["fly".to_owned()]), None, "not_found"),
        (None, Some(Scope::Object(object("project", "nowhere"))), "not_found"),
    ] {
        let (id, hash, ada) = (org.id(), KeyHash([0; 32]), org.ada());
        let narrow = Some(Narrowing { permissions, on, generation: 0 });
        let issue = Command::Key(KeyCommand::Issue {
            id,
            principal: token,
            name: None,
            hash,
            expires_at: None,
            narrow,
        });
        assert_eq!(org.act(ada, issue).expect_err("odd").code(), code);
    }
}

#[test]
fn a_revoked_key_is_dead_and_revoking_again_changes_nothing() {
    let (mut org, token, project) = with_token();
    let key = org.key(token, Some(Timestamp::from_millis(9_000_000)), None);
    assert_made(&org.act(by(token), Command::Key(KeyCommand::Revoke { id: key })), "KeyRevoked");
    assert_eq!(reason(&org, key, project), Reason::KeyRevoked);
    assert!(org.done(Command::Key(KeyCommand::Revoke { id: key })).is_empty());
    assert_eq!(rotate(&mut org, key, 1), Err(Refusal::KeyEnded));
    org.now = Timestamp::from_millis(9_000_001);
    assert_eq!(reason(&org, key, project), Reason::KeyRevoked, "revoked comes before expired");
}

#[test]
fn anybody_may_revoke_the_key_he_presents_even_a_narrowed_one() {
    let (mut org, token, _) = with_token();
    let author = org.narrowed(token, Some(&["read"]), None);
    let Author::Caller(Caller { key: Some(id), .. }) = author else { panic!("a key") };
    assert_made(&org.act(author, Command::Key(KeyCommand::Revoke { id })), "KeyRevoked");
}
