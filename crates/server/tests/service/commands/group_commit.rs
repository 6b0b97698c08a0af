//! What waits during an append shares the next one, and nobody is told anything before it is durable.

use crate::given::{Given, ORG, keyed, settle, token_id};
use grantbook_command::SubmitError;
use grantbook_domain::{
    command::{Command, GrantCommand, TokenCommand},
    id::GrantId,
    model::Effect,
    position::Position,
    principal::Grantee,
    refusal::Refusal,
    scope::{Atom, Scope, Selector},
};
use grantbook_journal::memory::Fault;

#[tokio::test]
async fn what_waits_during_an_append_shares_the_next_frame() {
    let given = Given::settled().await;
    let gate = given.gate();
    let first = given.spawn(given.submission(given.create_token("first")));
    given.appends(2).await;
    let many: Vec<_> =
        (0..300).map(|n| given.spawn(given.submission(given.create_token(&format!("t{n}"))))).collect();
    settle().await;
    gate.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap().position, Position::of(2, 0));
    let mut positions = Vec::new();
    for one in many {
        let outcome = one.await.unwrap().unwrap();
        assert!(outcome.state.token(token_id(&outcome)).is_some());
        positions.push(outcome.position);
    }
    assert_eq!(positions, (0..300).map(|index| Position::of(3, index)).collect::<Vec<_>>());
    assert_eq!(given.frames().iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 300]);
    assert_eq!(given.journal.appends(), 3);
    assert_eq!(given.handle.acknowledged(ORG), Position::of(3, 299));
}

#[tokio::test]
async fn a_refusal_is_given_only_after_the_frame_it_was_decided_on() {
    let given = Given::settled().await;
    let (first_gate, second_gate) = (given.gate(), given.gate());
    let first = given.spawn(given.submission(given.create_token("first")));
    given.appends(2).await;
    let winner = given.spawn(given.submission(given.create_token("name")));
    settle().await;
    let loser = given.spawn(given.submission(given.create_token("name")));
    settle().await;
    first_gate.send(()).unwrap();
    given.appends(3).await;
    settle().await;
    assert!(first.is_finished());
    assert!(!winner.is_finished() && !loser.is_finished(), "the frame is not durable yet");
    assert!(given.handle.state(ORG).unwrap().tokens().all(|token| token.name != "name"), "nor published");
    second_gate.send(()).unwrap();
    assert_eq!(winner.await.unwrap().unwrap().position, Position::of(3, 0));
    assert!(matches!(loser.await.unwrap(), Err(SubmitError::Refused(Refusal::NameTaken(_)))));
}

#[tokio::test]
async fn a_refusal_is_not_given_when_its_frame_is_lost() {
    let given = Given::settled().await;
    let gate = given.gate();
    given.journal.inject(Fault::Unavailable);
    let first = given.spawn(given.submission(given.create_token("first")));
    given.appends(2).await;
    let winner = given.spawn(given.submission(given.create_token("name")));
    settle().await;
    let loser = given.spawn(given.submission(given.create_token("name")));
    settle().await;
    gate.send(()).unwrap();
    first.await.unwrap().unwrap();
    for lost in [winner, loser] {
        assert!(matches!(lost.await.unwrap(), Err(SubmitError::JournalUnavailable(_))));
    }
    given.submit(given.create_token("name")).await.unwrap();
    assert_eq!(given.tokens_made("name"), 1);
}

#[tokio::test]
async fn what_depends_on_nothing_new_is_answered_without_an_append() {
    let given = Given::settled().await;
    given.submit(given.create_token("name")).await.unwrap();
    let appends = given.journal.appends();
    let taken = given.submit(given.create_token("name")).await;
    assert!(matches!(taken, Err(SubmitError::Refused(Refusal::NameTaken(_)))));
    let no_op = given.submit(Command::ExtendCatalog { object_types: vec![], permissions: vec![] }).await;
    let no_op = no_op.unwrap();
    assert_eq!((no_op.position, no_op.record, no_op.replayed), (Position::of(2, 0), None, false));
    assert_eq!(given.journal.appends(), appends);
}

#[tokio::test]
async fn a_no_op_behind_a_record_of_its_frame_stands_at_that_record() {
    let given = Given::settled().await;
    let token = token_id(&given.submit(given.create_token("name")).await.unwrap());
    let gate = given.gate();
    let first = given.spawn(given.submission(given.create_token("first")));
    given.appends(3).await;
    let delete = || given.spawn(given.submission(Command::Token(TokenCommand::Delete { id: token })));
    let deleted = delete();
    settle().await;
    let again = delete();
    settle().await;
    gate.send(()).unwrap();
    first.await.unwrap().unwrap();
    let (deleted, again) = (deleted.await.unwrap().unwrap(), again.await.unwrap().unwrap());
    assert!(deleted.record.is_some() && again.record.is_none());
    assert_eq!((deleted.position, again.position), (Position::of(4, 0), Position::of(4, 0)));
    assert!(again.state.token(token).unwrap().ended_at.is_some());
}

#[tokio::test]
async fn of_a_hundred_racing_for_one_name_one_wins() {
    let given = Given::settled().await;
    let racing: Vec<_> =
        (0..100).map(|_| given.spawn(given.submission(given.create_token("name")))).collect();
    let (mut won, mut lost) = (0, 0);
    for one in racing {
        match one.await.unwrap() {
            Ok(_) => won += 1,
            Err(SubmitError::Refused(Refusal::NameTaken(_))) => lost += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((won, lost), (1, 99));
    assert_eq!(given.tokens_made("name"), 1);
}

/// A command whose record has so many bytes, a little more.
fn large(given: &Given, bytes: usize) -> Command {
    let text = "d".repeat(1024);
    let role =
        given.handle.state(ORG).unwrap().builtin_role(grantbook_domain::model::Builtin::Viewer).unwrap();
    let grant = |_| {
        Command::Grant(GrantCommand::Create {
            id: given.ids.id(),
            to: Grantee::User(crate::given::OWNER),
            gives: grantbook_domain::model::Gives::Role(role),
            on: Scope::Organization,
            effect: Effect::Allow,
            object_type: None,
            expires_at: None,
            reason: Some(text.clone()),
        })
    };
    Command::Batch((0..bytes / 1024).map(grant).collect())
}

#[tokio::test]
async fn sizes_are_checked_before_a_record_joins() {
    let given = Given::settled().await;
    let gate = given.gate();
    let first = given.spawn(given.submission(given.create_token("first")));
    given.appends(2).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(given.spawn(given.submission(large(&given, 250 * 1024))));
        settle().await;
    }
    let too_large = given.spawn(given.submission(large(&given, 600 * 1024)));
    settle().await;
    let last = given.spawn(given.submission(given.create_token("last")));
    settle().await;
    gate.send(()).unwrap();
    first.await.unwrap().unwrap();
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    assert!(matches!(too_large.await.unwrap(), Err(SubmitError::RecordTooLarge { limit: 507_904, .. })));
    last.await.unwrap().unwrap();
    // Two fit into a frame, the third takes what came behind it into the next.
    assert_eq!(given.frames().iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 2, 2]);
}

/// A grant on projects with one of so many long labels.
fn wide(given: &Given, names: usize) -> (GrantId, Command) {
    let role =
        given.handle.state(ORG).unwrap().builtin_role(grantbook_domain::model::Builtin::Viewer).unwrap();
    let include: Vec<_> = (0..names)
        .map(|n| Atom::Label((0..2).map(|key| (format!("{key}{n:0200}"), "v".repeat(200))).collect()))
        .collect();
    let id = given.ids.id();
    let command = Command::Grant(GrantCommand::Create {
        id,
        to: Grantee::User(crate::given::OWNER),
        gives: grantbook_domain::model::Gives::Role(role),
        on: Scope::Projects(Selector { include: include.into(), exclude: Vec::new().into() }),
        effect: Effect::Allow,
        object_type: None,
        expires_at: None,
        reason: Some("r".repeat(1024)),
    });
    (id, command)
}

/// The largest grant that is taken can be revoked, with the longest request id and reason.
#[tokio::test]
async fn the_largest_grant_can_be_revoked() {
    let given = Given::settled().await;
    let (mut largest, mut refused) = (None, false);
    for names in (596..700).step_by(2) {
        let (id, command) = wide(&given, names);
        match given.submit(command).await {
            Ok(_) => largest = Some(id),
            Err(SubmitError::RecordTooLarge { .. }) => {
                refused = true;
                break;
            }
            Err(error) => panic!("{names}: {error}"),
        }
    }
    assert!(refused, "no limit was met");
    let mut revoke = given.submission(Command::Grant(GrantCommand::Revoke { id: largest.unwrap() }));
    revoke.reason = Some("\"".repeat(1024));
    revoke.source_ip = Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".to_owned());
    let outcome = given.handle.submit(keyed(revoke, &"\"".repeat(128), 1)).await.unwrap();
    assert!(outcome.record.is_some());
}

#[tokio::test]
async fn a_full_queue_is_told_at_once() {
    let given = Given::settled().await;
    let token = token_id(&given.submit(given.create_token("old")).await.unwrap());
    let gate = given.gate();
    let first = given.spawn(given.submission(given.create_token("first")));
    given.appends(3).await;
    let no_op = || given.submission(Command::ExtendCatalog { object_types: vec![], permissions: vec![] });
    let waiting: Vec<_> = (0..4096).map(|_| given.spawn(no_op())).collect();
    settle().await;
    assert!(matches!(given.handle.submit(no_op()).await, Err(SubmitError::Overloaded)));
    // What takes away has places of its own, and its turn before what waits.
    let ended = given.spawn(given.submission(Command::Token(TokenCommand::Delete { id: token })));
    settle().await;
    assert!(!ended.is_finished());
    gate.send(()).unwrap();
    assert_eq!(ended.await.unwrap().unwrap().position, Position::of(4, 0));
    first.await.unwrap().unwrap();
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    given.submit(given.create_token("later")).await.unwrap();
}

#[tokio::test]
async fn shutdown_drains_what_waits_and_takes_nothing_more() {
    let given = Given::settled().await;
    let gate = given.gate();
    let first = given.spawn(given.submission(given.create_token("first")));
    given.appends(2).await;
    let waiting: Vec<_> =
        (0..50).map(|n| given.spawn(given.submission(given.create_token(&format!("t{n}"))))).collect();
    settle().await;
    let late = given.submission(given.create_token("late"));
    let Given { service, handle, journal, secret, .. } = given;
    let ending = tokio::spawn(service.shutdown());
    settle().await;
    assert!(!ending.is_finished(), "an append is under way");
    gate.send(()).unwrap();
    ending.await.unwrap();
    assert!(first.await.unwrap().is_ok());
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    assert!(matches!(handle.submit(late).await, Err(SubmitError::Stopping)));
    let after = Given::over(journal, secret).await;
    assert_eq!(after.handle.state(ORG).unwrap().tokens().count(), 51);
}

/// Whichever the idle task hears of first, the command or the end.
#[tokio::test]
async fn a_command_that_came_before_the_end_is_served() {
    for _ in 0..30 {
        let given = Given::settled().await;
        given.submit(given.create_token("first")).await.unwrap();
        settle().await;
        let last = given.submission(given.create_token("last"));
        let (served, ()) = tokio::join!(given.handle.submit(last), given.service.shutdown());
        served.unwrap();
    }
}

#[tokio::test]
async fn an_organization_that_is_not_there_takes_no_commands() {
    let given = Given::settled().await;
    let mut submission = given.submission(given.create_token("name"));
    submission.org = grantbook_domain::id::OrgId::from_u128(404);
    assert!(matches!(given.handle.submit(submission).await, Err(SubmitError::UnknownOrganization)));
}

#[tokio::test]
async fn a_reason_is_kept_if_it_is_one() {
    let given = Given::settled().await;
    let mut submission = given.submission(given.create_token("name"));
    submission.reason = Some("a\u{0}b".to_owned());
    submission.source_ip = Some("192.0.2.7".to_owned());
    let refused = given.handle.submit(submission.clone()).await;
    assert!(
        matches!(refused, Err(SubmitError::Refused(Refusal::Text { pointer, .. })) if pointer == "/reason")
    );
    submission.reason = Some("for the deploy".to_owned());
    let record = given.handle.submit(submission).await.unwrap().record.unwrap();
    assert_eq!(record.reason.as_deref(), Some("for the deploy"));
    assert_eq!(record.source_ip.as_ref().unwrap().clear(), Some("192.0.2.7"));
    assert_eq!((record.actor.principal(), record.credential), (Some(given.owner.principal), given.owner.key));
}
