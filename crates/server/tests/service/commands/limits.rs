//! Limits of the command service: what an organization's commands cost in the long run, and services that differ.

use std::sync::Arc;

use grantbook_command::{CommandOptions, CommandService, Fold, SubmitError, WorkRate};
use grantbook_domain::{
    command::{Command, TokenCommand},
    limits::{Limit, Limits},
    refusal::Refusal,
};
use grantbook_journal::stamp::clock::Clock;

use crate::given::{Given, ORG, START};

/// Another service on the same journal.
async fn started(given: &Given, limits: Limits, rate: WorkRate) -> CommandService {
    let (clock, _hand) = Clock::settable(START);
    let fold = Fold::replay(&given.journal).await.unwrap();
    let options = CommandOptions { limits, rate, ..CommandOptions::of(clock, given.ids.clone()) };
    CommandService::start_with(Arc::new(given.journal.clone()), fold, options)
}

/// The end of the token that the command makes.
fn end_of(command: &Command) -> Command {
    let Command::Token(TokenCommand::Create { id, .. }) = command else { panic!("{command:?}") };
    Command::Token(TokenCommand::Delete { id: *id })
}

/// A bucket of one unit that is filled once in eleven days: the first command overdraws it.
#[tokio::test]
async fn commands_that_cost_too_much_in_the_long_run_wait_and_what_takes_does_not() {
    let given = Given::settled().await;
    let rate = WorkRate { per_second: 1, burst: 1 };
    let service = started(&given, Limits::DEFAULT, rate).await;
    let handle = service.handle();
    let (first, second) = (given.create_token("first"), given.create_token("second"));
    handle.submit(given.submission(first.clone())).await.expect("the bucket is full");
    let again = handle.submit(given.submission(second.clone())).await;
    let Err(SubmitError::Busy { wait }) = again else { panic!("{again:?}") };
    assert!(wait.as_secs() < 60, "{wait:?}");
    handle.submit(given.submission(end_of(&first))).await.expect("taking is free");
    let mut named = given.submission(first.clone());
    named.command = second;
    assert!(matches!(handle.submit(named).await, Err(SubmitError::Busy { .. })));
    service.shutdown().await;
}

/// A service with no room at all follows what one with more has written, and still takes away.
#[tokio::test]
async fn services_with_different_limits_write_to_one_journal() {
    let given = Given::settled().await;
    let wide = started(&given, Limits::DEFAULT, WorkRate::DEFAULT).await;
    let token = given.create_token("t");
    wide.handle().submit(given.submission(token.clone())).await.expect("made");
    wide.shutdown().await;
    let none = Limits { record_work: 0, ..Limits::DEFAULT };
    let narrow = started(&given, none, WorkRate::DEFAULT).await;
    let handle = narrow.handle();
    let refused = handle.submit(given.submission(given.create_token("u"))).await;
    assert!(
        matches!(refused, Err(SubmitError::Refused(Refusal::Limit { limit: Limit::RecordWork, most: 0 }))),
        "{refused:?}"
    );
    handle.submit(given.submission(end_of(&token))).await.expect("taking is free");
    narrow.shutdown().await;
    let wide = started(&given, Limits::DEFAULT, WorkRate::DEFAULT).await;
    assert!(wide.handle().state(ORG).is_some_and(|state| state.tokens().all(|one| one.ended_at.is_some())));
    wide.shutdown().await;
}
