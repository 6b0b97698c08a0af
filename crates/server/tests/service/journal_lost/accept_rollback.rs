//! Going on from an older journal: above the lost head, with a record in every organization, and nobody believes what was lost.

use std::{fs, path::PathBuf};

use crate::{
    given::{Given, founding_frame, settle},
    journal_lost::rolled_back::{JOURNAL, LIMIT, Scene, caught_up, options},
};
use grantbook_command::SubmitError;
use grantbook_domain::{event::Event, id::OrgId, position::Position, principal::Actor};
use grantbook_journal::{
    Item, Journal, Tail,
    chain::ChainError,
    embedded::EmbeddedJournal,
    follow::{
        burned::Burned,
        doubt::JournalDoubt,
        known_head::{HEAD_FILE, HeadFile, KnownHead, SeenEnd},
        open::{JournalAddress, OpenError},
    },
    frame::decode,
    verify::verify,
};
use grantbook_node::error::ReadSideError;
use grantbook_node::project::{NodeState, Progress};
use grantbook_node::read_side::VIEW_FILE;
use grantbook_server::{
    admin::{
        error::AdminError,
        init::{RecoverOptions, create_org, init, recover_owner},
        rollback::{AcceptOptions, Accepted, LOST_VIEW_FILE, accept},
    },
    app::App,
};
use grantbook_views::ViewWriter;
use tokio::time::timeout;

fn asked(scene: &Scene) -> AcceptOptions {
    AcceptOptions {
        journal: JournalAddress::Embedded(scene.data().to_owned()),
        data: scene.data().to_owned(),
        reason: "the disk was lost".to_owned(),
        above: None,
        view: None,
        dry_run: false,
    }
}

async fn accepted(options: &AcceptOptions) -> Result<Accepted, AdminError> {
    accept(options, &mut |_, _| {}).await
}

/// A scene whose journal of four sequences was put back to two.
async fn rolled_back() -> Scene {
    let scene = Scene::new().await;
    scene.roll_back();
    scene
}

async fn items(scene: &Scene) -> Vec<Item> {
    let journal = EmbeddedJournal::open(scene.data()).unwrap();
    let report = verify(&journal, |_, _| {}).await.unwrap();
    assert_eq!(report.violations, []);
    journal.tail(0).next(1000.try_into().unwrap(), LIMIT).await.unwrap()
}

/// A write lands at the sequence, and what reads the journal has it.
async fn goes_on_at(scene: &Scene, sequence: u64) {
    let app = scene.start().await.unwrap();
    assert_eq!(app.state().doubts.get(), None);
    let position = scene.write(&app, &format!("at {sequence}")).await.unwrap();
    assert_eq!(position, Position::of(sequence, 0));
    caught_up(&app, sequence).await;
    app.shutdown().await.unwrap();
}

async fn state_of(app: &App) -> NodeState {
    let mut progress = app.state().parts.node().unwrap().follow();
    let ended = timeout(LIMIT, progress.wait_for(Progress::has_ended)).await;
    ended.unwrap().unwrap().state.clone()
}

#[tokio::test]
async fn the_journal_goes_on_above_what_was_lost() {
    let scene = rolled_back().await;
    let looked = accepted(&AcceptOptions { dry_run: true, ..asked(&scene) }).await.unwrap();
    assert_eq!((looked.kept, looked.lost, looked.burned, looked.organizations), (2, 4, 2, 1));
    assert_eq!(looked.reused_up_to, None);
    assert_eq!(items(&scene).await.len(), 2, "nothing was done");
    let done = accepted(&asked(&scene)).await.unwrap();
    let view = scene.data().join(LOST_VIEW_FILE);
    assert_eq!(done, Accepted { view: Some(view.clone()), ..looked });
    assert!(view.exists() && !scene.data().join(VIEW_FILE).exists());
    let events = done.events.unwrap();
    assert_eq!((events.records, events.count, events.ends), (2, 2, 0));
    let about: Vec<&str> = events.listed.iter().map(|event| event.about.split(' ').next().unwrap()).collect();
    assert_eq!(about, ["today", "tonight"]);
    let items = items(&scene).await;
    assert_eq!(items.len(), 5);
    for burned in &items[2..4] {
        let Item::Foreign(foreign) = burned else { panic!("{burned:?}") };
        assert_eq!(
            (foreign.token.as_str(), &foreign.bytes[..]),
            ("burned", &br#"{"burned":{"kept":2,"lost":4}}"#[..])
        );
    }
    let record = decode(items[4].bytes()).unwrap().records.remove(0);
    assert_eq!(record.actor, Actor::Operator);
    assert_eq!(record.reason.as_deref(), Some("the disk was lost"));
    assert_eq!(record.events, [Event::RollbackAccepted { kept: 2, lost: 4 }]);
    assert_eq!(scene.known().unwrap().end, SeenEnd { sequence: 5, hash: items[4].hash() });
    goes_on_at(&scene, 6).await;
    goes_on_at(&scene, 7).await;
    let again = accepted(&asked(&scene)).await;
    assert!(matches!(again, Err(AdminError::NothingLost { head: 7 })), "{again:?}");
}

#[tokio::test]
async fn every_organization_gets_the_record_once_however_often_it_is_interrupted() {
    let scene = Scene::new().await;
    let mut orgs = vec![scene.first.organization_id.clone()];
    for name in ["b", "c"] {
        orgs.push(create_org(options(scene.data(), name)).await.unwrap().organization_id);
    }
    let known = scene.known().unwrap();
    // The lost journal went on by four sequences.
    let seen = SeenEnd { sequence: 10, hash: known.end.hash };
    let file = HeadFile::in_directory(scene.data());
    file.replace(&KnownHead::new(known.identity, seen)).unwrap();
    // An attempt that ended after two of them were burned.
    let journal = EmbeddedJournal::open(scene.data()).unwrap();
    let body = serde_json::json!({"burned": Burned { kept: 6, lost: 10 }}).to_string();
    journal.put_foreign_run("burned", 6, vec![body.into(); 2]).await.unwrap();
    journal.close();
    let done = accepted(&asked(&scene)).await.unwrap();
    assert_eq!((done.kept, done.lost, done.burned, done.organizations), (6, 10, 2, 3));
    let before = items(&scene).await;
    assert_eq!(before.len(), 13);
    // One that ended before the new head was kept.
    file.replace(&KnownHead::new(known.identity, seen)).unwrap();
    let done = accepted(&asked(&scene)).await.unwrap();
    assert_eq!((done.kept, done.lost, done.burned, done.organizations), (6, 10, 0, 3));
    assert_eq!(items(&scene).await, before);
    let recorded = before[10..].iter().map(|item| item.org().unwrap().to_string());
    orgs.sort_unstable();
    assert_eq!(recorded.collect::<Vec<_>>(), orgs);
    assert_eq!(scene.known().unwrap().end.sequence, 13);
}

#[tokio::test]
async fn who_saw_no_more_than_was_given_up_goes_on() {
    let scene = rolled_back().await;
    let lost = scene.known().unwrap();
    accepted(&asked(&scene)).await.unwrap();
    // As another service's, that had come as far, and one step less.
    for sequence in [4, 3] {
        let seen = SeenEnd { sequence, hash: lost.end.hash };
        HeadFile::in_directory(scene.data()).replace(&KnownHead::new(lost.identity, seen)).unwrap();
        let app = scene.start().await.unwrap();
        assert_eq!(app.state().doubts.get(), None);
        app.shutdown().await.unwrap();
        assert_eq!(scene.known().unwrap().end.sequence, 5, "and knows what there is");
    }
    // One that had come further does not, until that is given up too.
    let seen = SeenEnd { sequence: 9, hash: lost.end.hash };
    HeadFile::in_directory(scene.data()).replace(&KnownHead::new(lost.identity, seen)).unwrap();
    let app = scene.start().await.unwrap();
    assert_eq!(app.state().doubts.get(), Some(JournalDoubt::Shorter { known: 9, found: 5 }));
    app.shutdown().await.unwrap();
    let done = accepted(&asked(&scene)).await.unwrap();
    assert_eq!((done.kept, done.lost, done.burned), (5, 9, 4));
    goes_on_at(&scene, 11).await;
}

/// Foreign messages alone are no operator's word.
#[tokio::test]
async fn burned_sequences_without_a_record_count_for_nothing() {
    let scene = rolled_back().await;
    let journal = EmbeddedJournal::open(scene.data()).unwrap();
    let body = serde_json::json!({"burned": Burned { kept: 2, lost: 4 }}).to_string();
    journal.put_foreign_run("burned", 2, vec![body.into(); 2]).await.unwrap();
    journal.close();
    let app = scene.start().await.unwrap();
    assert_eq!(app.state().doubts.get(), Some(JournalDoubt::Exchanged { sequence: 4 }));
    let refused = scene.write(&app, "fork").await;
    assert!(matches!(refused, Err(SubmitError::JournalDoubted(_))), "{refused:?}");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_view_that_holds_what_was_lost_is_not_read_and_stops_no_writes() {
    let scene = rolled_back().await;
    accepted(&asked(&scene)).await.unwrap();
    fs::rename(scene.data().join(LOST_VIEW_FILE), scene.data().join(VIEW_FILE)).unwrap();
    let app = scene.start().await.unwrap();
    let state = state_of(&app).await;
    let NodeState::Quarantined { sequence: 4, why } = state else { panic!("{state:?}") };
    assert!(
        why.contains("after sequence 2, which an operator gave up") && why.contains("remove view.redb"),
        "{why}"
    );
    assert_eq!(app.state().doubts.get(), None);
    scene.write(&app, "goes on").await.unwrap();
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_others_saw_is_given_up_on_their_word() {
    let scene = rolled_back().await;
    fs::remove_file(scene.data().join(HEAD_FILE)).unwrap();
    let view = scene.data().join("elsewhere.redb");
    fs::rename(scene.data().join(VIEW_FILE), &view).unwrap();
    let nothing = accepted(&asked(&scene)).await;
    assert!(matches!(nothing, Err(AdminError::NothingLost { head: 2 })), "{nothing:?}");
    let told = AcceptOptions { above: Some(7), view: Some(view.clone()), ..asked(&scene) };
    let done = accepted(&told).await.unwrap();
    assert_eq!((done.kept, done.lost, done.burned), (2, 7, 5));
    assert_eq!(done.events.unwrap().records, 2, "another node's view tells what it knows");
    assert!(done.view.is_none() && view.exists(), "and stays where it is");
    goes_on_at(&scene, 9).await;
    let mistyped = AcceptOptions { above: Some(1 << 40), ..asked(&scene) };
    assert!(matches!(accepted(&mistyped).await, Err(AdminError::TooMuchLost { .. })));
}

/// A record whose range holds an organization's end would stop every reader of the journal for good.
#[tokio::test]
async fn a_range_is_not_extended_over_records() {
    let scene = rolled_back().await;
    let lost = scene.known().unwrap();
    accepted(&asked(&scene)).await.unwrap();
    // Another service that had come as far, and heard of one that had come further.
    HeadFile::in_directory(scene.data()).replace(&lost).unwrap();
    let done = accepted(&AcceptOptions { above: Some(7), ..asked(&scene) }).await.unwrap();
    assert_eq!((done.kept, done.lost, done.burned), (5, 7, 2), "the record at 5 stays");
    assert_eq!(items(&scene).await.len(), 8);
    goes_on_at(&scene, 9).await;
    // A head above the range beside a view within it.
    let seen = SeenEnd { sequence: 12, ..lost.end };
    HeadFile::in_directory(scene.data()).replace(&KnownHead::new(lost.identity, seen)).unwrap();
    fs::remove_file(scene.data().join(VIEW_FILE)).unwrap();
    fs::rename(scene.data().join(LOST_VIEW_FILE), scene.data().join(VIEW_FILE)).unwrap();
    let done = accepted(&asked(&scene)).await.unwrap();
    assert_eq!((done.kept, done.lost, done.burned), (9, 12, 3));
    assert_eq!(items(&scene).await.len(), 13);
    goes_on_at(&scene, 14).await;
    // What an interrupted attempt left to be recorded is not mixed with what comes on top of it.
    HeadFile::in_directory(scene.data()).replace(&lost).unwrap();
    let refused = accepted(&AcceptOptions { above: Some(13), ..asked(&scene) }).await;
    assert!(matches!(refused, Err(AdminError::NothingLost { head: 14 })), "{refused:?}");
}

/// Any key that may publish in the journal's stream can write such a message.
#[tokio::test]
async fn a_planted_range_is_not_believed() {
    for planted in [Burned { kept: 0, lost: 4 }, Burned { kept: 2, lost: u64::MAX }] {
        let scene = rolled_back().await;
        let journal = EmbeddedJournal::open(scene.data()).unwrap();
        let body = serde_json::json!({ "burned": planted }).to_string();
        journal.put_foreign_run("burned", 2, vec![body.into()]).await.unwrap();
        journal.close();
        let done = accepted(&asked(&scene)).await.unwrap();
        assert_eq!((done.kept, done.lost, done.burned), (3, 4, 1), "{planted:?}");
        assert_eq!(items(&scene).await.len(), 5);
        goes_on_at(&scene, 6).await;
    }
}

#[tokio::test]
async fn too_much_is_not_burned_whichever_way_it_is_asked_for() {
    let scene = rolled_back().await;
    let lost = scene.known().unwrap();
    let mistyped = AcceptOptions { above: Some(1 << 40), ..asked(&scene) };
    for _ in 0..2 {
        let refused = accepted(&mistyped).await;
        assert!(matches!(refused, Err(AdminError::TooMuchLost { .. })), "{refused:?}");
        // The second time an attempt was begun.
        let journal = EmbeddedJournal::open(scene.data()).unwrap();
        let body = serde_json::json!({"burned": Burned { kept: 2, lost: 4 }}).to_string();
        journal.put_foreign_run("burned", 2, vec![body.into(); 2]).await.unwrap_or_default();
        journal.close();
    }
    accepted(&asked(&scene)).await.unwrap();
    HeadFile::in_directory(scene.data()).replace(&lost).unwrap();
    let refused = accepted(&mistyped).await;
    assert!(matches!(refused, Err(AdminError::TooMuchLost { .. })), "{refused:?}");
}

/// Any record that covers a sequence answers a process that saw it.
#[tokio::test]
async fn a_record_covers_what_was_burned_before_its_range_was_extended() {
    let scene = rolled_back().await;
    let lost = scene.known().unwrap();
    let journal = EmbeddedJournal::open(scene.data()).unwrap();
    let body = serde_json::json!({"burned": Burned { kept: 2, lost: 4 }}).to_string();
    journal.put_foreign_run("burned", 2, vec![body.into()]).await.unwrap();
    journal.close();
    let done = accepted(&AcceptOptions { above: Some(6), ..asked(&scene) }).await.unwrap();
    assert_eq!((done.kept, done.lost, done.burned), (2, 6, 3));
    for sequence in 3..=6 {
        let seen = SeenEnd { sequence, ..lost.end };
        HeadFile::in_directory(scene.data()).replace(&KnownHead::new(lost.identity, seen)).unwrap();
        let app = scene.start().await.unwrap();
        assert_eq!(app.state().doubts.get(), None, "{sequence}");
        app.shutdown().await.unwrap();
    }
}

/// What a view of another node holds was seen, too: no position of it is used again.
#[tokio::test]
async fn a_view_that_is_named_is_believed() {
    let scene = rolled_back().await;
    fs::remove_file(scene.data().join(HEAD_FILE)).unwrap();
    let view = scene.data().join("elsewhere.redb");
    fs::rename(scene.data().join(VIEW_FILE), &view).unwrap();
    let named = AcceptOptions { view: Some(view.clone()), ..asked(&scene) };
    let installation = EmbeddedJournal::open(scene.data()).unwrap().identity().installation;
    let (held, _) = ViewWriter::open(&view, installation).unwrap();
    let refused = accepted(&named).await;
    assert!(
        matches!(&refused, Err(AdminError::ReadSide(ReadSideError::ViewInUse(path))) if *path == view),
        "{refused:?}"
    );
    drop(held);
    let absent = AcceptOptions { view: Some(scene.data().join("absent.redb")), ..asked(&scene) };
    assert!(matches!(accepted(&absent).await, Err(AdminError::ReadSide(ReadSideError::NoSuchView(_)))));
    let done = accepted(&named).await.unwrap();
    assert_eq!((done.kept, done.lost, done.burned), (2, 4, 2));
    goes_on_at(&scene, 6).await;
}

#[tokio::test]
async fn an_older_journal_that_was_written_to_is_accepted_too() {
    let scene = Scene::new().await;
    let other = tempfile::tempdir().unwrap();
    let yesterday: PathBuf = scene.data().join("yesterday");
    fs::copy(&yesterday, other.path().join(JOURNAL)).unwrap();
    for org in ["b", "c", "d"] {
        create_org(options(other.path(), org)).await.unwrap();
    }
    fs::copy(other.path().join(JOURNAL), scene.data().join(JOURNAL)).unwrap();
    let done = accepted(&asked(&scene)).await.unwrap();
    assert_eq!((done.kept, done.lost, done.burned, done.organizations), (5, 4, 0, 4));
    assert_eq!(done.events.unwrap().records, 2, "from where the two part");
    assert_eq!(done.reused_up_to, Some(4), "3 and 4 name two records each");
    assert!(done.view.is_some());
    goes_on_at(&scene, 10).await;
}

/// The head lies beyond what was written after the journal was put back: the view shows it.
#[tokio::test]
async fn a_fork_that_is_shorter_than_what_was_lost_is_told_of() {
    let scene = rolled_back().await;
    let lost = scene.known().unwrap();
    fs::remove_file(scene.data().join(HEAD_FILE)).unwrap();
    fs::rename(scene.data().join(VIEW_FILE), scene.data().join("kept.redb")).unwrap();
    create_org(options(scene.data(), "b")).await.unwrap();
    fs::rename(scene.data().join("kept.redb"), scene.data().join(VIEW_FILE)).unwrap();
    HeadFile::in_directory(scene.data()).replace(&lost).unwrap();
    let done = accepted(&asked(&scene)).await.unwrap();
    assert_eq!((done.kept, done.lost, done.reused_up_to), (3, 4, Some(3)));
}

/// What is judged late cannot be taken back.
#[tokio::test]
async fn a_reason_is_judged_before_anything_is_done() {
    let scene = rolled_back().await;
    let secret = scene.first.key.get(29..72).unwrap().to_owned();
    for reason in ["lost \u{202e}disk".to_owned(), format!("the key {secret}"), "x".repeat(5000)] {
        for dry_run in [true, false] {
            let asked = AcceptOptions { reason: reason.clone(), dry_run, ..asked(&scene) };
            let refused = accepted(&asked).await;
            assert!(matches!(refused, Err(AdminError::Reason(_))), "{refused:?}");
        }
    }
    assert_eq!(items(&scene).await.len(), 2);
    accepted(&asked(&scene)).await.unwrap();
    let recovered = recover_owner(RecoverOptions {
        journal: JournalAddress::Embedded(scene.data().to_owned()),
        data: scene.data().to_owned(),
        org: "acme".to_owned(),
        email: "ada@example.com".to_owned(),
        reason: secret,
    })
    .await;
    assert!(matches!(recovered, Err(AdminError::Reason(_))), "{recovered:?}");
    assert_eq!(items(&scene).await.len(), 5);
}

#[tokio::test]
async fn a_journal_without_organizations_is_not_accepted() {
    let scene = Scene::new().await;
    let identity = scene.known().unwrap().identity;
    fs::remove_file(scene.data().join(JOURNAL)).unwrap();
    EmbeddedJournal::create(scene.data(), identity).unwrap().close();
    let refused = accepted(&asked(&scene)).await;
    assert!(matches!(refused, Err(AdminError::NoOrganization)), "{refused:?}");
}

#[tokio::test]
async fn another_journal_is_not_accepted() {
    let scene = Scene::new().await;
    let other = tempfile::tempdir().unwrap();
    init(options(other.path(), "acme")).await.unwrap();
    fs::copy(other.path().join(JOURNAL), scene.data().join(JOURNAL)).unwrap();
    let refused = accepted(&asked(&scene)).await;
    let is_other =
        matches!(refused, Err(AdminError::Open(OpenError::Doubted(JournalDoubt::OtherJournal { .. }))));
    assert!(is_other, "{refused:?}");
}

/// An organization that was lost whole has no chain that breaks: the record of the rollback shows that it is gone.
#[tokio::test(start_paused = true)]
async fn who_holds_an_organization_that_was_lost_stops_at_the_record() {
    let given = Given::settled().await;
    let lost = OrgId::from_u128(0xb);
    let frame = founding_frame(given.journal.identity(), lost, "lost", &given.secret);
    given.journal.found(lost, 1, frame).await.unwrap();
    while given.handle.last_sequence() < 2 {
        settle().await;
    }
    // The other process that went on.
    given.journal.roll_back(1);
    let rival = given.rival().await;
    let body = serde_json::json!({"burned": Burned { kept: 1, lost: 2 }}).to_string();
    given.journal.put_foreign("burned", 1, body.into()).await.unwrap();
    let mut submission =
        rival.submission(grantbook_domain::command::Command::AcceptRollback { kept: 1, lost: 2 });
    submission.author = grantbook_domain::command::Author::Operator;
    rival.handle.submit(submission).await.unwrap();
    let doubted = async {
        while given.handle.doubt().is_none() {
            settle().await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    timeout(LIMIT, doubted).await.unwrap();
    assert_eq!(given.handle.doubt(), Some(JournalDoubt::Lost { kept: 1 }));
    assert_eq!(rival.handle.doubt(), None);
    let lost = ChainError::Lost { sequence: 3, kept: 1, lost: 2 };
    assert!(matches!(JournalDoubt::from(lost), JournalDoubt::Lost { kept: 1 }));
}
