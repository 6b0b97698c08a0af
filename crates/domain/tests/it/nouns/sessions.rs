//! Sessions: child keys of people, for some hours, with no more than the key they were started with.

use grantbook_domain::{
    access::check::Reason,
    command::{
        Author, Command, Expiry, GrantCommand, GroupCommand, KeyCommand, MemberCommand, ProjectCommand,
        RoleCommand, SessionCommand, TokenCommand, WebhookCommand,
    },
    id::{Id, KeyId},
    model::{KeyHash, Narrowing},
    principal::{Caller, Grantee, Principal},
    refusal::{Kind, Refusal},
    scope::Scope,
};

use crate::given::{Give, Org, all, as_user, assert_made, labelled, labels, project_object, webhook};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn with(principal: Principal, key: KeyId) -> Author {
    Author::Caller(Caller { principal, key: Some(key) })
}

fn start(org: &mut Org, principal: Principal, key: KeyId) -> Result<KeyId, Refusal> {
    let id = org.id();
    org.act(with(principal, key), Command::Session(SessionCommand::Start { id, hash: KeyHash([5; 32]) }))
        .map(|_| id)
}

/// The owner's session.
fn signed_in() -> (Org, Principal, KeyId) {
    let mut org = Org::founded();
    let ada = Principal::User(org.owner);
    let key = org.owner_key;
    let session = start(&mut org, ada, key).expect("a session");
    (org, ada, session)
}

#[test]
fn a_session_is_as_narrow_as_its_key_and_ends_with_it() {
    let mut org = Org::founded();
    let ada = Principal::User(org.owner);
    let staging = org.project("staging", &[("env", "staging")]);
    let on = Some(labelled("env", "staging"));
    let narrow = Narrowing { permissions: Some(vec!["read".to_owned()]), on, generation: 0 };
    let key = org.key(ada, None, Some(narrow.clone()));
    let session = start(&mut org, ada, key).expect("a session");
    assert_eq!(org.state.key(session).expect("known").narrow, Some(narrow));
    let ask = |org: &Org| org.ask_as((None, Some(session)), "read", &project_object(staging), None);
    assert_eq!(ask(&org), Reason::Granted);
    let update = org.ask_as((None, Some(session)), "update", &project_object(staging), None);
    assert_eq!(update, Reason::KeyNarrowed);
    org.pass(12 * HOUR - 1);
    assert_eq!(ask(&org), Reason::Granted);
    org.pass(1);
    assert_eq!(ask(&org), Reason::KeyExpired);
    let session = start(&mut org, ada, key).expect("another");
    let ask = |org: &Org| org.ask_as((None, Some(session)), "read", &project_object(staging), None);
    assert_eq!(ask(&org), Reason::Granted);
    org.done(Command::Key(KeyCommand::Revoke { id: key }));
    assert_eq!(ask(&org), Reason::KeyRevoked, "with its parent");
}

#[test]
fn a_session_outlives_no_end_that_its_key_gets() {
    let mut org = Org::founded();
    let ada = Principal::User(org.owner);
    let end = org.now.plus_millis(HOUR);
    let key = org.key(ada, Some(end), None);
    let session = start(&mut org, ada, key).expect("a session");
    assert_eq!(org.state.key(session).expect("known").expires_at, Some(end));
    let (new_id, hash) = (org.id(), KeyHash([0; 32]));
    org.done(Command::Key(KeyCommand::Rotate { id: key, new_id, hash, grace_seconds: 60 }));
    org.pass(MINUTE);
    assert_eq!(org.state.active_key(session, org.now), Err(Reason::KeyExpired), "rotated out");
}

#[test]
fn only_keys_of_people_start_sessions_and_sessions_do_not() {
    let (mut org, ada, session) = signed_in();
    assert_eq!(start(&mut org, ada, session).expect_err("a session").code(), "wrong_credential");
    let token = Principal::Token(org.token("t"));
    let key = org.key(token, None, None);
    assert_eq!(start(&mut org, token, key).expect_err("a token").code(), "wrong_credential");
    let (new_id, hash) = (org.id(), KeyHash([0; 32]));
    let rotate = Command::Key(KeyCommand::Rotate { id: session, new_id, hash, grace_seconds: 0 });
    assert_eq!(org.act(org.ada(), rotate).expect_err("no rotation").code(), "wrong_credential");
    let id = org.id();
    let keyless = org.act(as_user(org.owner), Command::Session(SessionCommand::Start { id, hash }));
    assert_eq!(keyless.expect_err("without a key").code(), "wrong_credential");
}

#[test]
fn a_session_issues_delegates_and_deletes_only_shortly_after_the_sign_in() {
    let (mut org, ada, session) = signed_in();
    let token = org.token("t");
    let (group, lead) = (org.group("g"), org.group("leads"));
    org.give(Give::allow(Grantee::Group(lead), &["delegate"], all()));
    org.join(group, Grantee::Token(token));
    let hash = KeyHash([0; 32]);
    let issue = |id: u128| {
        Command::Key(KeyCommand::Issue {
            id: Id::from_u128(id),
            principal: Principal::Token(token),
            name: None,
            hash,
            expires_at: None,
            narrow: None,
        })
    };
    let author = with(ada, session);
    org.pass(15 * MINUTE - 1);
    assert_made(&org.act(author, issue(1)), "KeyIssued");
    org.pass(1);
    let add = |group| {
        Command::Member(MemberCommand::Add {
            group,
            member: Grantee::Token(token),
            expires_at: grantbook_domain::command::Expiry::Never,
        })
    };
    let delegates = Give::allow(Grantee::Token(token), &["read", "delegate"], all()).command(org.id());
    let reads = Give::allow(Grantee::Token(token), &["read"], all()).command(org.id());
    for refused in [
        issue(2),
        Command::Group(GroupCommand::Delete { id: group }),
        Command::Token(TokenCommand::Delete { id: token }),
        delegates.clone(),
        add(lead),
    ] {
        assert_eq!(org.act(author, refused.clone()), Err(Refusal::SignInAgain), "{refused:?}");
        let in_batch = org.act(author, Command::Batch(vec![refused]));
        assert_eq!(in_batch.expect_err("no way around").code(), "sign_in_again");
    }
    assert_made(&org.act(author, reads), "GrantCreated");
    let remove = Command::Member(MemberCommand::Remove { group, member: Grantee::Token(token) });
    assert_made(&org.act(author, remove), "MemberRemoved");
    assert_made(&org.act(author, Command::Key(KeyCommand::Revoke { id: Id::from_u128(1) })), "KeyRevoked");
    let owner_key = org.owner_key;
    let again = start(&mut org, ada, owner_key).expect("signed in again");
    assert_made(&org.act(with(ada, again), delegates), "GrantCreated");
}

#[test]
fn a_session_sends_records_elsewhere_only_shortly_after_the_sign_in() {
    let (mut org, ada, session) = signed_in();
    let (first, second) = (org.id(), org.id());
    let author = with(ada, session);
    assert_made(&org.act(author, webhook(first)), "WebhookCreated");
    org.pass(15 * MINUTE);
    let update = |url: Option<&str>, enabled| {
        Command::Webhook(WebhookCommand::Update {
            id: first,
            url: url.map(str::to_owned),
            events: None,
            kinds: None,
            description: None,
            enabled,
        })
    };
    for refused in
        [webhook(second), update(Some("https://elsewhere.example.com/"), None), update(None, Some(true))]
    {
        assert_eq!(org.act(author, refused.clone()), Err(Refusal::SignInAgain), "{refused:?}");
    }
    assert_made(&org.act(author, update(None, Some(false))), "WebhookUpdated");
}

/// Whatever lifts a deny of `delegate` gives it.
#[test]
fn a_session_lifts_no_deny_of_delegate_long_after_the_sign_in() {
    let (mut org, ada, session) = signed_in();
    let token = Grantee::Token(org.token("t"));
    let walled = org.group("walled");
    org.join(walled, token);
    let project = org.project("p", &[("env", "dev")]);
    let wall = org.role("wall", &["delegate"], &[]);
    let denied = org.give(Give::deny(token, &["delegate"], all()));
    let other = org.give(Give::deny(token, &["read"], all()));
    org.give(Give::role(Grantee::Group(walled), wall, labelled("env", "dev")).denying());
    org.pass(15 * MINUTE);
    let author = with(ada, session);
    for refused in [
        Command::Grant(GrantCommand::Revoke { id: denied }),
        Command::Member(MemberCommand::Remove { group: walled, member: token }),
        Command::Member(MemberCommand::Add {
            group: walled,
            member: token,
            expires_at: Expiry::At(org.now.plus_millis(1)),
        }),
        Command::Project(ProjectCommand::Update {
            id: project,
            name: None,
            labels: Some(labels(&[("env", "x")])),
        }),
        Command::Role(RoleCommand::Update {
            id: wall,
            name: None,
            permissions: Some(Vec::new()),
            includes: None,
        }),
    ] {
        assert_eq!(org.act(author, refused.clone()), Err(Refusal::SignInAgain), "{refused:?}");
    }
    assert_made(&org.act(author, Command::Grant(GrantCommand::Revoke { id: other })), "GrantRevoked");
    let deny_more = Give::deny(token, &["delegate"], labelled("env", "dev")).command(org.id());
    assert_made(&org.act(author, deny_more), "GrantCreated");
}

/// Starting one needs no right, so it is bounded; time frees the places, ending does not.
#[test]
fn a_user_starts_so_many_sessions_in_twelve_hours() {
    let (mut org, ada, session) = signed_in();
    let key = org.owner_key;
    for _ in 1..200 {
        org.pass(1);
        start(&mut org, ada, key).expect("a session");
    }
    org.done(Command::Session(SessionCommand::End { id: session }));
    assert_eq!(start(&mut org, ada, key), Err(Refusal::TooManySessions { limit: 200 }));
    org.pass(12 * HOUR - 199);
    start(&mut org, ada, key).expect("the first was twelve hours ago");
    assert_eq!(start(&mut org, ada, key), Err(Refusal::TooManySessions { limit: 200 }));
}

/// What a narrowed key may do to keys: end itself.
#[test]
fn a_narrowed_key_revokes_only_itself_unless_it_has_the_right() {
    let mut org = Org::founded();
    let ada = Principal::User(org.owner);
    let narrowed = org.narrowed(ada, Some(&["read"]), Some(labelled("env", "x")));
    let (Author::Caller(Caller { key: Some(own), .. }), main) = (narrowed, org.owner_key) else {
        panic!("a key")
    };
    let refused = org.act(narrowed, Command::Key(KeyCommand::Revoke { id: main }));
    assert_eq!(refused, Err(Refusal::NotFound(Kind::Key)), "it sees no other key of its principal");
    assert_made(&org.act(narrowed, Command::Key(KeyCommand::Revoke { id: own })), "KeyRevoked");
    let able = org.narrowed(ada, Some(&["read", "update"]), Some(Scope::Organization));
    assert_made(&org.act(able, Command::Key(KeyCommand::Revoke { id: main })), "KeyRevoked");
}
