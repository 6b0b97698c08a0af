//! Request ids: one effect, for ever.

use std::sync::Arc;

use crate::given::{Given, keyed, settle, token_id};
use grantbook_command::SubmitError;
use grantbook_domain::{
    command::{Author, Command, TokenCommand},
    principal::{Caller, Principal},
    refusal::Refusal,
};

#[tokio::test]
async fn the_same_request_again_gives_the_first_record() {
    let given = Given::settled().await;
    let first =
        given.handle.submit(keyed(given.submission(given.create_token("name")), "id", 1)).await.unwrap();
    given.submit(given.create_token("between")).await.unwrap();
    // The retry comes with other ids, as the route makes them anew.
    let again =
        given.handle.submit(keyed(given.submission(given.create_token("name")), "id", 1)).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!((again.position, &again.record), (first.position, &first.record));
    assert!(again.state.token(token_id(&first)).is_some());
    assert_eq!(given.tokens_made("name"), 1);
}

#[tokio::test]
async fn after_a_restart_too() {
    let given = Given::settled().await;
    let submission = keyed(given.submission(given.create_token("name")), "id", 1);
    let first = given.handle.submit(submission.clone()).await.unwrap();
    let given = given.restarted().await;
    let again = given.handle.submit(submission.clone()).await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.position, again.record), (first.position, first.record));
    let other = keyed(submission, "id", 2);
    assert!(matches!(given.handle.submit(other).await, Err(SubmitError::IdempotencyMismatch)));
}

/// What was acknowledged is there: a journal that does not give it just now is asked again, within bounds.
#[tokio::test(start_paused = true)]
async fn however_often_the_journal_has_to_be_asked_for_it() {
    let given = Given::settled().await;
    let submission = keyed(given.submission(given.create_token("name")), "id", 1);
    let first = given.handle.submit(submission.clone()).await.unwrap();
    given.journal.silence_reads(7);
    let again = given.handle.submit(submission.clone()).await.unwrap();
    assert_eq!((again.position, again.record), (first.position, first.record));
    given.journal.silence_reads(u64::MAX);
    let never = given.handle.submit(submission).await;
    assert!(matches!(never, Err(SubmitError::JournalUnavailable(_))), "{never:?}");
}

#[tokio::test]
async fn the_same_id_with_another_request_is_refused() {
    let given = Given::settled().await;
    given.handle.submit(keyed(given.submission(given.create_token("name")), "id", 1)).await.unwrap();
    let appends = given.journal.appends();
    let other = given.handle.submit(keyed(given.submission(given.create_token("other")), "id", 2)).await;
    assert!(matches!(other, Err(SubmitError::IdempotencyMismatch)));
    assert_eq!(given.journal.appends(), appends);
}

#[tokio::test]
async fn an_id_belongs_to_its_principal() {
    let given = Given::settled().await;
    let first = keyed(given.submission(given.create_token("name")), "id", 1);
    let token = token_id(&given.handle.submit(first).await.unwrap());
    let mut stranger = keyed(given.submission(given.create_token("other")), "id", 1);
    stranger.author = Author::Caller(Caller { principal: Principal::Token(token), key: None });
    let refused = given.handle.submit(stranger).await;
    assert!(matches!(refused, Err(SubmitError::Refused(Refusal::Forbidden { .. }))), "decided, not replayed");
}

#[tokio::test]
async fn twins_in_one_frame_have_one_effect() {
    let given = Given::settled().await;
    let gate = given.gate();
    let first = given.spawn(given.submission(given.create_token("first")));
    given.appends(2).await;
    let twin = || given.spawn(keyed(given.submission(given.create_token("name")), "id", 1));
    let (one, two) = (twin(), twin());
    settle().await;
    let other = given.spawn(keyed(given.submission(given.create_token("other")), "id", 2));
    settle().await;
    gate.send(()).unwrap();
    first.await.unwrap().unwrap();
    let (one, two) = (one.await.unwrap().unwrap(), two.await.unwrap().unwrap());
    assert!(!one.replayed && two.replayed);
    assert_eq!(one.position, two.position);
    assert!(Arc::ptr_eq(one.record.as_ref().unwrap(), two.record.as_ref().unwrap()));
    assert!(matches!(other.await.unwrap(), Err(SubmitError::IdempotencyMismatch)));
    assert_eq!(given.frames().iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
}

#[tokio::test]
async fn refusals_and_no_ops_are_decided_anew() {
    let given = Given::settled().await;
    let token = token_id(&given.submit(given.create_token("name")).await.unwrap());
    let again = || keyed(given.submission(given.create_token("name")), "id", 1);
    assert!(matches!(given.handle.submit(again()).await, Err(SubmitError::Refused(_))));
    let no_op = Command::ExtendCatalog { object_types: vec![], permissions: vec![] };
    assert!(given.handle.submit(keyed(given.submission(no_op), "id", 7)).await.unwrap().record.is_none());
    given.submit(Command::Token(TokenCommand::Delete { id: token })).await.unwrap();
    let made = given.handle.submit(again()).await.unwrap();
    assert!(!made.replayed && made.record.is_some());
}
