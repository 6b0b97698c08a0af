//! Recovery of an owner, by the operator only.

use grantbook_domain::{
    access::check::Reason,
    command::{Author, Command},
    event::Event,
    model::KeyHash,
    principal::{Grantee, Principal},
    refusal::Refusal,
};

use crate::given::{Org, START, project_object};

fn recover(org: &mut Org, author: Author, email: &str) -> Result<Vec<Event>, Refusal> {
    let (new_user, key) = (org.id(), org.id());
    let (email, hash) = (email.to_owned(), KeyHash([5; 32]));
    org.act(author, Command::RecoverOwner { email, new_user, key, hash })
}

fn key_of(events: &[Event]) -> (Principal, grantbook_domain::id::KeyId) {
    let Some(Event::KeyIssued { key }) = events.last() else { panic!("a key is last") };
    (key.principal, key.id)
}

#[test]
fn a_new_user_becomes_an_owner_with_a_key() {
    let mut org = Org::founded();
    let project = org.project("p", &[]);
    let events = recover(&mut org, Author::Operator, "new@x.y").expect("recovered");
    assert_eq!(events.len(), 3, "user, membership, key");
    let (_, key) = key_of(&events);
    assert_eq!(org.ask_as((None, Some(key)), "delegate", &project_object(project), None), Reason::Granted);
    assert!(org.state.has_owner());
}

#[test]
fn a_known_owner_only_gets_a_key_and_an_expiring_one_stays_from_now_on() {
    let mut org = Org::founded();
    let events = recover(&mut org, Author::Operator, "ADA@example.com").expect("recovered");
    assert_eq!(events.len(), 1);
    assert_eq!(key_of(&events).0, Principal::User(org.owner));
    let bob = org.user("bob@x.y");
    let owners = org.owners();
    org.join_until(owners, Grantee::User(bob), Some(START.plus_millis(10)));
    let events = recover(&mut org, Author::Operator, "bob@x.y").expect("recovered");
    assert_eq!(events.len(), 2, "membership and key");
    assert_eq!(org.state.membership(Grantee::User(bob), owners).expect("in").expires_at, None);
}

#[test]
fn nobody_else_recovers_and_an_odd_email_is_refused() {
    let mut org = Org::founded();
    let ada = org.ada();
    for author in [ada, Author::System] {
        assert_eq!(recover(&mut org, author, "new@x.y").expect_err("no operator").code(), "forbidden");
    }
    assert_eq!(recover(&mut org, Author::Operator, "new").expect_err("no e-mail").code(), "invalid");
}
