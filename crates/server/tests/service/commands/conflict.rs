//! Two command services on one journal, and writers that always come first.

use crate::given::{Given, ORG, START, keyed};
use grantbook_command::{Fold, SubmitError};
use grantbook_domain::{refusal::Refusal, time::Timestamp};
use grantbook_journal::{Journal, memory::Fault};

#[tokio::test]
async fn the_slower_writer_decides_again_on_what_the_faster_one_made() {
    let one = Given::settled().await;
    let other = one.rival().await;
    one.submit(one.create_token("name")).await.unwrap();
    other.submit(other.create_token("another")).await.unwrap();
    let refused = one.submit(one.create_token("another")).await;
    assert!(
        matches!(refused, Err(SubmitError::Refused(Refusal::NameTaken(_)))),
        "decided on the rival's record"
    );
    let refused = other.submit(other.create_token("name")).await;
    assert!(matches!(refused, Err(SubmitError::Refused(Refusal::NameTaken(_)))));
    assert_eq!(one.frames().len(), 3);
}

#[tokio::test]
async fn a_request_that_the_rival_served_is_replayed() {
    let one = Given::settled().await;
    let other = one.rival().await;
    let submission = one.submission(one.create_token("name"));
    let first = one.handle.submit(keyed(submission.clone(), "id", 1)).await.unwrap();
    let again = other.handle.submit(keyed(submission, "id", 1)).await.unwrap();
    assert!(again.replayed && !first.replayed);
    assert_eq!((again.position, again.record), (first.position, first.record));
    assert_eq!(one.tokens_made("name"), 1);
}

#[tokio::test]
async fn two_services_that_race_lose_nothing_and_agree() {
    let one = Given::settled().await;
    let other = one.rival().await;
    let mut racing = Vec::new();
    for n in 0..100 {
        for given in [&one, &other] {
            racing.push(given.spawn(given.submission(given.create_token(&format!("t{n}")))));
        }
    }
    let (mut won, mut lost) = (0, 0);
    for one in racing {
        match one.await.unwrap() {
            Ok(_) => won += 1,
            Err(SubmitError::Refused(Refusal::NameTaken(_))) => lost += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((won, lost), (100, 100));
    let replayed = Fold::replay(&one.journal).await.unwrap();
    assert_eq!(replayed.organizations().next().unwrap().state().tokens().count(), 100);
}

#[tokio::test]
async fn seven_conflicts_are_borne_and_eight_are_too_many() {
    let given = Given::settled().await;
    for _ in 0..7 {
        given.journal.inject(Fault::Conflict);
    }
    given.submit(given.create_token("seven")).await.unwrap();
    for _ in 0..8 {
        given.journal.inject(Fault::Conflict);
    }
    let eight = given.submit(given.create_token("eight")).await;
    assert!(matches!(eight, Err(SubmitError::Contended)));
    assert_eq!((given.tokens_made("seven"), given.tokens_made("eight")), (1, 0));
    given.submit(given.create_token("eight")).await.unwrap();
}

/// What the service published is what a reader of the journal folds.
#[tokio::test]
async fn the_fold_is_that_of_the_journal() {
    let one = Given::settled().await;
    let other = one.rival().await;
    for n in 0..20 {
        let given = if n % 3 == 0 { &other } else { &one };
        let submission = given.submission(given.create_token(&format!("t{n}")));
        given.handle.submit(keyed(submission, &format!("id{n}"), 0)).await.unwrap();
    }
    one.submit(one.create_token("last")).await.unwrap();
    let replayed = Fold::replay(&one.journal).await.unwrap();
    let replayed = replayed.organizations().next().unwrap();
    assert_eq!(format!("{:?}", one.handle.state(ORG).unwrap()), format!("{:?}", replayed.state()));
    assert_eq!(one.handle.acknowledged(ORG), replayed.position());
    assert_eq!(replayed.remembered(), 20);
    assert_eq!(replayed.end().sequence, one.journal.head().await.unwrap());
}

#[tokio::test]
async fn time_never_steps_back_in_an_organization() {
    let given = Given::settled().await;
    given.hand.set(START.plus_millis(5000));
    given.submit(given.create_token("now")).await.unwrap();
    given.hand.set(Timestamp::EPOCH);
    let record = given.submit(given.create_token("earlier")).await.unwrap().record.unwrap();
    assert_eq!(record.at, START.plus_millis(5000));
}
