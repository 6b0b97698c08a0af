//! The projector follows, resumes where it left off, and stops at what it does not understand.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    given::{Given, ORG, memory},
    journal_lost::behind_its_head::Silent,
};
use bytes::Bytes;
use grantbook_domain::{position::Position, record::Recorded};
use grantbook_journal::{
    Item, Journal,
    chain::{Chains, Step},
    memory::MemoryJournal,
};
use grantbook_node::{
    project::{NodeState, Projector},
    read::{NodeStatus, ReadNode, Unready},
};
use grantbook_views::{Batch, Image, Opened, ViewWriter};

use tokio::time::timeout;

/// Long enough for any machine, and never waited for when all is well.
const LONG: Duration = Duration::from_secs(30);

fn project(journal: &MemoryJournal, view: &Path) -> (Projector, ReadNode) {
    let (writer, _) = ViewWriter::open(view, journal.identity().installation).unwrap();
    start(journal, writer)
}

fn start(journal: &MemoryJournal, writer: ViewWriter) -> (Projector, ReadNode) {
    let projector = Projector::start(Arc::new(journal.clone()), writer);
    let node = ReadNode::new(&projector, &Arc::new(journal.clone()));
    (projector, node)
}

/// Until the projector does what is asked of it.
async fn until(projector: &Projector, state: impl Fn(&NodeState) -> bool) {
    let mut progress = projector.progress();
    let reached = progress.wait_for(|progress| state(&progress.state));
    timeout(LONG, reached).await.expect("in time").map(drop).unwrap();
}

async fn why_quarantined(projector: &Projector, node: &ReadNode) -> String {
    until(projector, |state| matches!(state, NodeState::Quarantined { .. })).await;
    match node.wait_for(ORG, Position::START, LONG).await {
        Err(Unready::Quarantined { why, .. }) => why,
        other => panic!("a quarantined view must not be read: {other:?}"),
    }
}

/// Whatever an old view holds, nothing is said from it before the journal was heard.
#[tokio::test(start_paused = true)]
async fn before_the_head_was_heard_nothing_is_answered() {
    let given = Given::settled().await;
    let writer = view_with(&given, |chains| serde_json::json!({"end": chains.end()}));
    let journal = Arc::new(Silent(given.journal.clone()));
    let projector = Projector::start(Arc::clone(&journal), writer);
    let node = ReadNode::new(&projector, &journal);
    let asked = node.wait_for(ORG, Position::START, Duration::from_secs(2)).await;
    assert_eq!(asked, Err(Unready::Starting));
}

#[tokio::test]
async fn what_was_acknowledged_can_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let given = Given::settled().await;
    let (projector, node) = project(&given.journal, &directory.path().join("view"));
    for n in 0..5 {
        given.submit(given.create_token(&format!("t{n}"))).await.unwrap();
        let position = given.handle.acknowledged(ORG);
        node.wait_for(ORG, position, LONG).await.unwrap();
        assert_eq!(node.reader.snapshot().unwrap().position(ORG).unwrap(), position);
        assert_eq!(node.image().unwrap().position(ORG), position);
    }
    until(&projector, |state| *state == NodeState::Running).await;
    let status = node.status();
    let (contact_ms, state) = (status.contact_ms, NodeState::Running);
    assert!(contact_ms.is_some());
    let expected = NodeStatus { sequence: 6, head: 6, lag_frames: 0, age_ms: 0, contact_ms, state };
    assert_eq!(status, expected);
    projector.stop().await;
    assert_eq!(node.wait_for(ORG, Position::START, LONG).await, Err(Unready::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_position_that_does_not_come_is_waited_for_no_longer_than_asked() {
    let given = Given::settled().await;
    let writer = ViewWriter::in_memory(given.journal.identity().installation).unwrap();
    let (projector, node) = start(&given.journal, writer);
    until(&projector, |state| *state == NodeState::Running).await;
    let behind = node.wait_for(ORG, Position::of(2, 0), Duration::from_secs(2)).await;
    assert_eq!(behind, Err(Unready::Behind { reached: Position::of(1, 0) }));
}

#[tokio::test]
async fn a_view_goes_on_where_it_was_stopped_and_equals_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let view = directory.path().join("view");
    let given = Given::settled().await;
    let mut last = 1;
    for round in 0..3 {
        let (projector, node) = project(&given.journal, &view);
        assert_eq!(projector.progress().borrow().sequence, if round == 0 { 0 } else { last });
        for n in 0..10 {
            given.submit(given.create_token(&format!("t{round}.{n}"))).await.unwrap();
        }
        last = given.handle.acknowledged(ORG).sequence();
        node.wait_for(ORG, given.handle.acknowledged(ORG), LONG).await.unwrap();
        let built = Image::build(&node.reader.snapshot().unwrap()).unwrap();
        assert_eq!(node.image().unwrap().content(), built.content());
        drop(node);
        projector.stop().await;
    }
    let installation = given.journal.identity().installation;
    let (resumed, opened) = ViewWriter::open(&view, installation).unwrap();
    assert_eq!(opened, Opened::Resumed);
    let (_projector, node) = start(&given.journal, ViewWriter::in_memory(installation).unwrap());
    node.wait_for(ORG, given.handle.acknowledged(ORG), LONG).await.unwrap();
    let digest = |reader: &grantbook_views::ViewReader| reader.snapshot().unwrap().digest(None).unwrap();
    assert_eq!(digest(&resumed.reader()), digest(&node.reader));
}

/// Far behind, it commits one batch while it works out the next; stopped in between, it goes on where it was.
#[tokio::test]
async fn what_is_far_behind_is_filled_two_batches_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let view = directory.path().join("view");
    let given = Given::settled().await;
    for n in 0..3500 {
        given.submit(given.create_token(&format!("t{n}"))).await.unwrap();
    }
    let (projector, _) = project(&given.journal, &view);
    let mut progress = projector.progress();
    timeout(LONG, progress.wait_for(|progress| progress.sequence >= 1024)).await.unwrap().map(drop).unwrap();
    projector.stop().await;
    let installation = given.journal.identity().installation;
    let (writer, opened) = ViewWriter::open(&view, installation).unwrap();
    assert_eq!(opened, Opened::Resumed);
    let (projector, node) = start(&given.journal, writer);
    node.wait_for(ORG, given.handle.acknowledged(ORG), LONG).await.unwrap();
    let built = Image::build(&node.reader.snapshot().unwrap()).unwrap();
    assert_eq!(node.image().unwrap().content(), built.content());
    let at_once = view_with(&given, |chains| serde_json::json!({"end": chains.end()}));
    let digest = |reader: &grantbook_views::ViewReader| reader.snapshot().unwrap().digest(None).unwrap();
    assert_eq!(digest(&at_once.reader()), digest(&node.reader));
    projector.stop().await;
}

/// With nothing to read, the image of what the view holds is there as soon as the view may be believed.
#[tokio::test]
async fn a_resumed_view_has_its_image_before_the_next_frame() {
    let given = Given::settled().await;
    given.submit(given.create_token("one")).await.unwrap();
    let writer = view_with(&given, |chains| serde_json::json!({"end": chains.end()}));
    let (_projector, node) = start(&given.journal, writer);
    node.wait_for(ORG, Position::START, LONG).await.unwrap();
    assert_eq!(node.image().unwrap().position(ORG), given.handle.acknowledged(ORG));
}

/// A view of the whole journal with this beside its rows.
fn view_with(given: &Given, checkpoint: impl Fn(&Chains) -> serde_json::Value) -> ViewWriter {
    let installation = given.journal.identity().installation;
    let mut chains = Chains::new(installation);
    let mut records = Vec::new();
    for stored in given.journal.read(0, 5000.try_into().unwrap()).into_iter().filter_map(Item::into_frame) {
        let Step::Next(frame) = chains.take(&stored).unwrap() else { panic!("no frame comes twice") };
        let position = |index| Position::of(stored.sequence, index);
        let place = |(index, record)| Recorded { position: position(index), org: stored.org, record };
        records.extend((0..).zip(frame.records).map(place));
    }
    let checkpoint = checkpoint(&chains).to_string();
    let batch =
        Batch { records: &records, last_sequence: chains.end().sequence, checkpoint: checkpoint.as_bytes() };
    let mut writer = ViewWriter::in_memory(installation).unwrap();
    writer.apply(&batch, false).unwrap();
    writer
}

/// As a batch that was not durable leaves it, if the view is closed all the same.
#[tokio::test]
async fn a_checkpoint_without_the_organizations_is_completed_from_the_journal() {
    let given = Given::settled().await;
    given.submit(given.create_token("one")).await.unwrap();
    let writer = view_with(&given, |chains| serde_json::json!({"end": chains.end()}));
    given.submit(given.create_token("two")).await.unwrap();
    let (_projector, node) = start(&given.journal, writer);
    node.wait_for(ORG, given.handle.acknowledged(ORG), LONG).await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_that_is_not_the_views_stops_it() {
    let given = Given::settled().await;
    let other = |chains: &Chains| {
        let hash = grantbook_journal::hash::Hash::of(b"other");
        serde_json::json!({"end": {"sequence": chains.end().sequence, "hash": hash}})
    };
    for writer in [view_with(&given, |_| serde_json::json!({})), view_with(&given, other)] {
        let (projector, node) = start(&given.journal, writer);
        let why = why_quarantined(&projector, &node).await;
        assert_eq!(why, "the view's checkpoint is not understood");
    }
}

#[tokio::test]
async fn a_changed_frame_stops_it() {
    let given = Given::settled().await;
    given.submit(given.create_token("one")).await.unwrap();
    let stored = given.journal.read_one(2).await.unwrap().unwrap().into_frame().unwrap();
    let text = String::from_utf8(stored.bytes.to_vec()).unwrap().replace("one", "two");
    assert!(given.journal.tamper(2, Bytes::from(text)));
    let writer = ViewWriter::in_memory(given.journal.identity().installation).unwrap();
    let (projector, node) = start(&given.journal, writer);
    let why = why_quarantined(&projector, &node).await;
    assert!(why.contains("sequence 2"), "{why}");
}

#[tokio::test]
async fn another_journals_frame_stops_it() {
    let (given, foreign) = (Given::settled().await, memory(2));
    let stored = given.journal.read_one(1).await.unwrap().unwrap().into_frame().unwrap();
    foreign.append(ORG, 0, stored.bytes).await.unwrap();
    let writer = ViewWriter::in_memory(foreign.identity().installation).unwrap();
    let (projector, node) = start(&foreign, writer);
    let why = why_quarantined(&projector, &node).await;
    assert!(why.contains("installation"), "{why}");
}

/// A view that was filled from `given`, stopped, and started on another history of the same installation.
async fn restarted_on(given: &Given, other: &MemoryJournal) -> String {
    let directory = tempfile::tempdir().unwrap();
    let view = directory.path().join("view");
    let (projector, node) = project(&given.journal, &view);
    node.wait_for(ORG, given.handle.acknowledged(ORG), LONG).await.unwrap();
    drop(node);
    projector.stop().await;
    let (projector, node) = project(other, &view);
    why_quarantined(&projector, &node).await
}

#[tokio::test]
async fn a_history_that_was_exchanged_stops_it() {
    let (given, other) = (Given::settled().await, Given::settled().await);
    for n in 0..3 {
        given.submit(given.create_token(&format!("t{n}"))).await.unwrap();
        other.submit(other.create_token(&format!("t{n}"))).await.unwrap();
    }
    let why = restarted_on(&given, &other.journal).await;
    assert!(why.contains("holds another frame at sequence"), "{why}");
}

#[tokio::test]
async fn a_history_that_lost_its_tail_stops_it() {
    let given = Given::settled().await;
    let shorter = memory(1);
    let founding = given.journal.read_one(1).await.unwrap().unwrap().into_frame().unwrap();
    shorter.append(ORG, 0, founding.bytes).await.unwrap();
    given.submit(given.create_token("lost")).await.unwrap();
    let why = restarted_on(&given, &shorter).await;
    assert!(why.contains("the journal ends at sequence 1, not at 2"), "{why}");
}

#[tokio::test]
async fn what_is_known_when_it_stops_is_told() {
    let given = Given::settled().await;
    let writer = ViewWriter::in_memory(given.journal.identity().installation).unwrap();
    let (projector, node) = start(&given.journal, writer);
    until(&projector, |state| *state == NodeState::Running).await;
    projector.stop().await;
    let status = node.status();
    assert_eq!((status.sequence, status.head, status.lag_frames), (1, 1, 0));
    assert_eq!(status.state, NodeState::Stopped);
}
