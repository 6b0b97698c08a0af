//! When nobody knows whether a frame landed. Time is paused: the deadline comes as soon as nothing else happens.

use std::time::Duration;

use crate::given::{Given, ORG, keyed, settle};
use grantbook_command::{Submission, SubmitError};
use grantbook_domain::{
    command::{Command, TokenCommand},
    refusal::Refusal,
};
use grantbook_journal::memory::Fault;
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn an_append_that_landed_unnoticed_is_found() {
    let given = Given::settled().await;
    given.journal.inject(Fault::UnknownLanded);
    let outcome = given.submit(given.create_token("name")).await.unwrap();
    assert!(!outcome.replayed);
    assert_eq!(given.tokens_made("name"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_append_that_was_lost_is_sent_again() {
    let given = Given::settled().await;
    given.journal.inject(Fault::UnknownLost);
    given.submit(given.create_token("name")).await.unwrap();
    assert_eq!(given.tokens_made("name"), 1);
}

#[tokio::test(start_paused = true)]
async fn another_writers_frame_in_its_place_means_deciding_again() {
    let given = Given::settled().await;
    let rival = given.rival().await;
    given.journal.inject(Fault::UnknownLost);
    let slow = given.spawn(given.submission(given.create_token("name")));
    given.appends(2).await;
    rival.submit(rival.create_token("name")).await.unwrap();
    assert!(matches!(slow.await.unwrap(), Err(SubmitError::Refused(Refusal::NameTaken(_)))));
    assert_eq!(given.tokens_made("name"), 1);
}

/// A command whose frame hangs somewhere beyond the deadline.
async fn in_doubt() -> (Given, Submission) {
    let given = Given::settled().await;
    given.journal.inject(Fault::UnknownLate);
    // The resend hangs until the deadline and is given up.
    let gate = given.gate();
    let submission = keyed(given.submission(given.create_token("name")), "id", 1);
    let unknown = given.handle.submit(submission.clone()).await;
    assert!(matches!(unknown, Err(SubmitError::OutcomeUnknown)));
    drop(gate);
    (given, submission)
}

#[tokio::test(start_paused = true)]
async fn the_same_request_id_finds_what_landed_late() {
    let (given, submission) = in_doubt().await;
    assert_eq!(given.journal.land_late(), 1);
    let outcome = given.handle.submit(submission).await.unwrap();
    assert!(outcome.replayed);
    assert_eq!(given.tokens_made("name"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_request_id_does_what_did_not_land_and_bars_what_is_late() {
    let (given, submission) = in_doubt().await;
    let outcome = given.handle.submit(submission).await.unwrap();
    assert!(!outcome.replayed);
    assert_eq!(given.journal.land_late(), 0);
    assert_eq!(given.tokens_made("name"), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_decided_before_the_fold_has_caught_up() {
    let (given, submission) = in_doubt().await;
    assert_eq!(given.journal.land_late(), 1);
    let Command::Token(TokenCommand::Create { id, .. }) = submission.command else { panic!("a token") };
    // Without a look at the journal this would be refused: no such token.
    given.submit(Command::Token(TokenCommand::Delete { id })).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_service_finds_out_by_itself() {
    let (given, _) = in_doubt().await;
    assert_eq!(given.journal.land_late(), 1);
    let known = || given.handle.state(ORG).unwrap().tokens().count() == 1;
    assert!(!known());
    // Paused time passes only while nothing else is to be done.
    sleep(Duration::from_secs(2)).await;
    settle().await;
    assert!(known());
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_takes_nothing_is_told_as_such() {
    let given = Given::settled().await;
    given.journal.inject(Fault::Unavailable);
    let error = given.submit(given.create_token("name")).await;
    assert!(matches!(error, Err(SubmitError::JournalUnavailable(_))));
    given.journal.inject(Fault::Busy);
    given.submit(given.create_token("name")).await.unwrap();
    assert_eq!(given.tokens_made("name"), 1);
}
