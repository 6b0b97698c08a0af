//! Threads of questions and streams end with their callers; what only a test can hold still is held still here.

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    time::Duration,
};

use axum::body::to_bytes;
use grantbook_domain::{id::TokenId, principal::Principal};
use grantbook_journal::follow::open::JournalAddress;
use tempfile::TempDir;

use super::*;
use crate::{
    admin::init::{InitOptions, init},
    app::{App, config::ServeConfig},
    endpoints::web,
};

/// Longer than any machine takes; a test that fails waits for it once.
const PATIENCE: Duration = Duration::from_secs(20);

struct Given {
    web: Arc<Web>,
    org: OrgId,
    _app: App,
    _data: TempDir,
}

impl Given {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let (data, journal) =
            (directory.path().to_owned(), JournalAddress::Embedded(directory.path().to_owned()));
        let options = InitOptions {
            journal: journal.clone(),
            data: data.clone(),
            replicas: None,
            journal_only: false,
            org: "acme".into(),
            owner_email: "ada@example.com".into(),
        };
        let founded = init(options).await.unwrap();
        let app = App::build(&ServeConfig { journal, data, ..ServeConfig::default() }).await.unwrap();
        let org = founded.organization_id.parse().unwrap();
        Self { web: web(app.state(), None), org, _app: app, _data: directory }
    }

    fn asks(&self, token: u128) -> ReadContext {
        let principal = Principal::Token(TokenId::from_u128(token));
        let who = Authenticated { org: self.org, caller: Caller { principal, key: None }, has_waited: false };
        ReadContext::now(&self.web, who).unwrap()
    }
}

/// A question that has no end of its own; what ended it is sent.
fn endless(reading: &ReadContext, started: &Sender<()>, ended: &Sender<Failure>) -> Failure {
    started.send(()).unwrap();
    let (org, deadline) = (reading.org, std::time::Instant::now() + PATIENCE);
    let failure = loop {
        if let Err(error) = reading.rows().position(org) {
            break Failure::from(error);
        }
        if std::time::Instant::now() > deadline {
            break Failure::overloaded();
        }
    };
    ended.send(failure.clone()).unwrap();
    failure
}

async fn received<T: Send + 'static>(from: Receiver<T>) -> T {
    tokio::task::spawn_blocking(move || from.recv_timeout(2 * PATIENCE).unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_thread_of_a_question_stops_at_the_next_row_when_its_caller_leaves() {
    let given = Given::new().await;
    let ((started, starts), (ended, ends)) = (mpsc::channel(), mpsc::channel());
    let question =
        given.asks(1).respond_blocking(move |reading| Err::<(), _>(endless(reading, &started, &ended)));
    let asked = tokio::spawn(question);
    received(starts).await;
    asked.abort();
    assert_eq!(received(ends).await.code(), "stopping");
    while given.web.app.scheduler.numbers().iter().any(|one| one.running > 0) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_question_that_never_ends_is_too_costly() {
    let given = Given::new().await;
    let ((started, _starts), (ended, ends)) = (mpsc::channel(), mpsc::channel());
    let answered = given.asks(1).on_thread(Class::Questions, move |mut reading| {
        reading.meter(&Work::limited(10_000));
        Err::<(), _>(endless(&reading, &started, &ended))
    });
    let failure = answered.await.unwrap_err();
    assert_eq!((failure.status(), failure.code()), (StatusCode::BAD_REQUEST, "too_costly"));
    assert_eq!(received(ends).await.code(), "too_costly");
}

#[tokio::test]
async fn things_with_long_selectors_are_read_at_a_lower_priority_than_other_lists() {
    let given = Given::new().await;
    let niceness = |_: &ReadContext| Ok(rustix::process::getpriority_process(None).unwrap());
    let mut found = Vec::new();
    for response in
        [given.asks(1).respond_list(niceness).await, given.asks(1).respond_long_list(niceness).await]
    {
        let body = to_bytes(response.into_body(), 100).await.unwrap();
        found.push(serde_json::from_slice::<i32>(&body).unwrap());
    }
    let [list, long] = found[..] else { panic!("two answers") };
    assert_eq!(long, (list + 10).min(19), "other organizations' requests go first");
}

#[tokio::test]
async fn the_thread_of_a_stream_stops_when_its_reader_leaves() {
    let given = Given::new().await;
    let ((started, starts), (ended, ends)) = (mpsc::channel(), mpsc::channel());
    let response = given.asks(1).stream(move |reading, _| Err(endless(reading, &started, &ended))).unwrap();
    received(starts).await;
    drop(response);
    assert_eq!(received(ends).await.code(), "stopping");
}

#[tokio::test]
async fn a_stream_that_is_cut_off_stops_its_thread_and_breaks_off() {
    let given = Given::new().await;
    let work = Work::unlimited();
    let enter = |token| {
        let principal = Some(Principal::Token(TokenId::from_u128(token)));
        given.web.streams.enter(Party { org: given.org, principal }, &work).unwrap()
    };
    let mut held: Vec<_> = (0..3).map(|_| enter(1)).collect();
    let (ended, ends) = mpsc::channel();
    let response = given.asks(1).stream(move |_, sink| {
        // Nobody reads: some chunks wait, then the thread does.
        while streaming::send_bytes(sink, b"line\n".to_vec()) {}
        ended.send(()).unwrap();
        Ok(streaming::Streamed::NobodyListens)
    });
    let response = response.unwrap();
    held.extend((0..20).map(|number| enter(10 + number / 3)));
    let newcomer = enter(99);
    received(ends).await;
    assert!(to_bytes(response.into_body(), usize::MAX).await.is_err(), "a part is not the whole");
    assert_eq!(given.web.streams.numbers().share, 1);
    drop((held, newcomer));
}
