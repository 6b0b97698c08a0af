//! Foreign messages between frames: everybody goes over them, nobody believes them.

use std::{sync::Arc, time::Duration};

use crate::given::{Given, ORG};
use bytes::Bytes;
use grantbook_command::Fold;
use grantbook_domain::position::Position;
use grantbook_journal::{
    Item, Journal,
    memory::{Fault, MemoryJournal},
    verify::verify,
};
use grantbook_node::{project::Projector, read::ReadNode};
use grantbook_views::ViewWriter;

const LONG: Duration = Duration::from_secs(30);

/// Puts a foreign message on the organization's subject, behind whatever is there.
async fn put(journal: &MemoryJournal) -> u64 {
    put_on(journal, &ORG.to_string()).await
}

async fn put_on(journal: &MemoryJournal, token: &str) -> u64 {
    let head = journal.head().await.unwrap();
    journal.put_foreign(token, head, Bytes::from_static(b"foreign")).await.unwrap()
}

#[tokio::test]
async fn commands_go_on_behind_foreign_messages() {
    let given = Given::settled().await;
    for n in 0..5 {
        put(&given.journal).await;
        put_on(&given.journal, "nobody").await;
        given.submit(given.create_token(&format!("t{n}"))).await.unwrap();
    }
    let fold = Fold::replay(&given.journal).await.unwrap();
    assert_eq!(fold.organizations().next().unwrap().state().tokens().count(), 5);
    let report = verify(&given.journal, |_, _| {}).await.unwrap();
    assert_eq!((report.violations, report.foreign.count, report.frames, report.guards), (vec![], 10, 6, 6));
}

/// A frame that lost against another writer's eight times is given up; foreign messages decide nothing.
#[tokio::test]
async fn foreign_messages_are_no_rounds_of_a_race() {
    let given = Given::settled().await;
    let before = given.journal.appends();
    let mut gates: Vec<_> = (0..20).map(|_| given.gate()).collect();
    let asked = given.spawn(given.submission(given.create_token("late")));
    for (n, gate) in (1..).zip(gates.drain(..)) {
        given.appends(before + n).await;
        put(&given.journal).await;
        gate.send(()).unwrap();
    }
    asked.await.unwrap().unwrap();
    assert_eq!(given.tokens_made("late"), 1);
}

/// A frame whose outcome is unknown and behind whose guard a foreign message stands did not land, and is decided anew.
#[tokio::test(start_paused = true)]
async fn a_foreign_message_ends_the_doubt_about_a_frame_that_was_lost() {
    let given = Given::settled().await;
    given.journal.inject(Fault::UnknownLost);
    let before = given.journal.appends();
    let asked = given.spawn(given.submission(given.create_token("once")));
    given.appends(before + 1).await;
    put(&given.journal).await;
    asked.await.unwrap().unwrap();
    assert_eq!(given.tokens_made("once"), 1);
}

fn view_of(journal: &MemoryJournal, writer: ViewWriter) -> (Projector, ReadNode) {
    let projector = Projector::start(Arc::new(journal.clone()), writer);
    let node = ReadNode::new(&projector, &Arc::new(journal.clone()));
    (projector, node)
}

/// A view may end with a foreign message, and goes on from there; its rows are those of the frames alone.
#[tokio::test]
async fn a_view_stands_on_foreign_messages_and_goes_on() {
    let (given, directory) = (Given::settled().await, tempfile::tempdir().unwrap());
    let (view, installation) = (directory.path().join("view"), given.journal.identity().installation);
    let mut digest = None;
    for round in 0..3 {
        let (writer, _) = ViewWriter::open(&view, installation).unwrap();
        assert_eq!(digest.unwrap_or(writer.digest()), writer.digest());
        let (projector, node) = view_of(&given.journal, writer);
        given.submit(given.create_token(&format!("t{round}"))).await.unwrap();
        let (last, head) = (given.handle.acknowledged(ORG), put(&given.journal).await);
        node.wait_for(ORG, last, LONG).await.unwrap();
        let mut progress = projector.progress();
        progress.wait_for(|progress| progress.sequence == head).await.unwrap();
        let met = node.foreign();
        assert_eq!((met.count, met.last), (round + 1, head));
        assert_eq!(node.reader.snapshot().unwrap().position(ORG).unwrap(), last);
        digest = Some(node.reader.snapshot().unwrap().kept_digest().unwrap());
        drop((progress, node));
        projector.stop().await;
    }
}

/// A view whose last item was exchanged, a foreign message for another one, is not believed.
#[tokio::test]
async fn an_exchanged_foreign_message_is_noticed() {
    let (given, directory) = (Given::settled().await, tempfile::tempdir().unwrap());
    let (view, installation) = (directory.path().join("view"), given.journal.identity().installation);
    let head = put(&given.journal).await;
    let (projector, node) = view_of(&given.journal, ViewWriter::open(&view, installation).unwrap().0);
    projector.progress().wait_for(|progress| progress.sequence == head).await.unwrap();
    drop(node);
    projector.stop().await;
    assert!(given.journal.tamper(head, Bytes::from_static(b"exchanged")));
    let (projector, node) = view_of(&given.journal, ViewWriter::open(&view, installation).unwrap().0);
    let mut progress = projector.progress();
    progress.wait_for(grantbook_node::project::Progress::has_ended).await.unwrap();
    let answered = node.wait_for(ORG, Position::START, LONG).await;
    assert!(format!("{answered:?}").contains("holds another frame at sequence"), "{answered:?}");
}

/// Everybody stops at a message with the mark of an append that is no valid frame.
#[tokio::test]
async fn what_was_appended_and_is_no_frame_still_stops_everybody() {
    let given = Given::settled().await;
    let head = given.journal.head().await.unwrap();
    given.journal.append(ORG, head, Bytes::from_static(b"no frame")).await.unwrap();
    assert!(matches!(given.journal.read_one(head + 1).await.unwrap(), Some(Item::Frame(_))));
    Fold::replay(&given.journal).await.unwrap_err();
    let writer = ViewWriter::in_memory(given.journal.identity().installation).unwrap();
    let (projector, _node) = view_of(&given.journal, writer);
    let mut progress = projector.progress();
    progress.wait_for(grantbook_node::project::Progress::has_ended).await.unwrap();
}
