//! Notices of expiry: for history, without effect on access; a late one never kills a renewal.

use grantbook_domain::{
    access::check::Reason,
    command::{Author, Command, GroupCommand, TokenCommand},
    event::Event,
    principal::{Grantee, Principal},
    refusal::Refusal,
    state::Expiring,
};

use crate::given::{Give, Org, START, all, project_object};

fn note(org: &Org, limit: usize) -> Vec<Event> {
    org.decide(Author::System, Command::NoteExpiries { limit }).expect("the system may")
}

fn expiring() -> (Org, Principal, grantbook_domain::id::GroupId) {
    let mut org = Org::founded();
    let end = Some(START.plus_millis(100));
    let token = Principal::Token(org.token_until("t", Some(START.plus_millis(140))));
    let group = org.group("g");
    org.key(token, Some(START.plus_millis(130)), None);
    org.join_until(group, token.into(), end);
    org.give(Give::allow(Grantee::Group(group), &["read"], all()).until(START.plus_millis(120)));
    (org, token, group)
}

#[test]
fn what_expired_is_noted_once_oldest_first_and_up_to_the_limit() {
    let (mut org, ..) = expiring();
    org.pass(99);
    assert_eq!(note(&org, 10), []);
    org.pass(1);
    assert!(matches!(note(&org, 10)[..], [Event::MemberExpired { .. }]), "from the very millisecond on");
    org.pass(100);
    assert!(matches!(note(&org, 1)[..], [Event::MemberExpired { .. }]));
    let events = org.act(Author::System, Command::NoteExpiries { limit: 10 }).expect("noted");
    assert!(matches!(
        events[..],
        [
            Event::MemberExpired { .. },
            Event::GrantExpired { .. },
            Event::KeyExpired { .. },
            Event::TokenExpired { .. }
        ]
    ));
    assert_eq!(note(&org, 10), [], "each once");
}

/// The notice was made before the renewal and lands after it.
#[test]
fn a_late_notice_never_kills_a_renewal() {
    let (mut org, token, group) = expiring();
    let project = org.project("p", &[]);
    org.pass(200);
    let late = note(&org, 10);
    assert_eq!(late.len(), 4);
    let Principal::Token(id) = token else { panic!("a token") };
    let renewed = Some(START.plus_millis(900));
    let (name, description, external_id) = (None, None, None);
    org.done(Command::Token(TokenCommand::Update {
        id,
        name,
        description,
        external_id,
        expires_at: Some(renewed),
    }));
    org.join_until(group, token.into(), renewed);
    org.give(Give::allow(Grantee::Group(group), &["read"], all()));
    for event in &late {
        org.state.apply(Author::System.into(), event);
    }
    assert_eq!(org.ask(token, "read", &project_object(project), None), Reason::Granted);
    org.now = START.plus_millis(900);
    let due: Vec<_> = org.state.unnoted_expiries(org.now).collect();
    assert_eq!(
        due,
        [Expiring::Token(id), Expiring::Member(token.into(), group)],
        "the new ends are still to note"
    );
    assert_eq!(note(&org, 10).len(), 2);
}

/// Whether or not a notice was appended, the answer is the same at every instant.
#[test]
fn a_notice_changes_no_answer() {
    let (mut org, token, _) = expiring();
    let project = org.project("p", &[]);
    let quiet = org.clone();
    for millis in [99, 100, 120, 130, 140] {
        org.now = START.plus_millis(millis);
        let silent = Org { now: org.now, ..quiet.clone() };
        org.act(Author::System, Command::NoteExpiries { limit: 10 }).expect("noted");
        let ask = |org: &Org| org.ask(token, "read", &project_object(project), None);
        assert_eq!(ask(&org), ask(&silent), "at {millis}");
    }
}

#[test]
fn only_the_system_notes_and_it_does_nothing_else() {
    let (mut org, _, group) = expiring();
    let ada = org.ada();
    for author in [ada, Author::Operator] {
        let noted = org.act(author, Command::NoteExpiries { limit: 1 });
        assert_eq!(noted.is_err(), author == ada);
    }
    let refused = org.act(Author::System, Command::Group(GroupCommand::Delete { id: group }));
    assert!(matches!(refused, Err(Refusal::Forbidden { .. })), "{refused:?}");
}
