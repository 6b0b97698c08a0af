//! A journal that is older than what was seen of it, or another one, is written to by nobody and believed by nobody.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::given::{Given, ORG, START, founding_frame, settle};
use grantbook_command::{CommandOptions, CommandService, Fold, Submission, SubmitError};
use grantbook_domain::{
    command::{Author, Command, TokenCommand},
    id::OrgId,
    position::Position,
    principal::{Caller, Principal},
};
use grantbook_journal::{
    Journal,
    embedded::EmbeddedJournal,
    follow::{
        doubt::{Doubts, JournalDoubt},
        known_head::{HEAD_FILE, HeadFile, KnownHead, SeenEnd},
        open::{JournalAddress, OpenError},
    },
    memory::Fault,
    stamp::clock::Clock,
};
use grantbook_node::read_side::VIEW_FILE;
use grantbook_node::{project::NodeState, read::Unready};
use grantbook_server::{
    admin::{
        error::AdminError,
        init::{InitOptions, InitOutcome, RecoverOptions, create_org, init, recover_owner},
    },
    app::{App, config::ServeConfig, error::StartError},
};
use grantbook_views::{Batch, ViewWriter};
use tokio::time::timeout;

pub(crate) const JOURNAL: &str = "journal.redb";

/// An installation of which yesterday's journal was kept, and that went on since.
pub(crate) struct Scene {
    directory: tempfile::TempDir,
    pub(crate) first: InitOutcome,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let first = init(options(directory.path(), "acme")).await.unwrap();
        let scene = Self { directory, first };
        let app = scene.start().await.unwrap();
        scene.write(&app, "yesterday").await.unwrap();
        app.shutdown().await.unwrap();
        fs::copy(scene.data().join(JOURNAL), scene.yesterday()).unwrap();
        let app = scene.start().await.unwrap();
        scene.write(&app, "today").await.unwrap();
        scene.write(&app, "tonight").await.unwrap();
        caught_up(&app, 4).await;
        app.shutdown().await.unwrap();
        scene
    }

    pub(crate) fn data(&self) -> &Path {
        self.directory.path()
    }

    fn yesterday(&self) -> PathBuf {
        self.data().join("yesterday")
    }

    pub(crate) fn roll_back(&self) {
        fs::copy(self.yesterday(), self.data().join(JOURNAL)).unwrap();
    }

    pub(crate) fn forget(&self, file: &str) {
        fs::remove_file(self.data().join(file)).unwrap();
    }

    pub(crate) async fn start(&self) -> Result<App, StartError> {
        let data = self.data().to_owned();
        let journal = JournalAddress::Embedded(data.clone());
        App::build(&ServeConfig { journal, data, ..ServeConfig::default() }).await
    }

    pub(crate) async fn write(&self, app: &App, name: &str) -> Result<Position, SubmitError> {
        let org: OrgId = self.first.organization_id.parse().unwrap();
        let principal = Principal::User(self.first.user_id.parse().unwrap());
        let command = Command::Token(TokenCommand::Create {
            id: app.state().ids.id(),
            name: name.to_owned(),
            description: None,
            external_id: None,
            expires_at: None,
        });
        let author = Author::Caller(Caller { principal, key: None });
        let submission = Submission {
            org,
            author,
            command,
            idempotency: None,
            if_position: None,
            source_ip: None,
            reason: None,
            faults: grantbook_command::TextFaults::default(),
        };
        let outcome = app.state().parts.commands().unwrap().submit(submission).await;
        outcome.map(|outcome| outcome.position)
    }

    /// Nothing is written, asked or done offline; why.
    async fn is_stopped(&self) -> JournalDoubt {
        let app = self.start().await.unwrap();
        let refused = self.write(&app, "fork").await;
        let Err(SubmitError::JournalDoubted(doubt)) = refused else { panic!("{refused:?}") };
        let node = app.state().parts.node().unwrap().clone();
        let read = node.wait_for(self.first.organization_id.parse().unwrap(), Position::START, LIMIT).await;
        assert!(matches!(read, Err(Unready::Quarantined { .. })), "{read:?}");
        assert_eq!(app.state().doubts.get(), Some(doubt.clone()));
        drop(node);
        app.shutdown().await.unwrap();
        let created = create_org(options(self.data(), "zenith")).await;
        assert!(matches!(created, Err(AdminError::Open(OpenError::Doubted(_)))), "{created:?}");
        let recovered = recover_owner(RecoverOptions {
            journal: JournalAddress::Embedded(self.data().to_owned()),
            data: self.data().to_owned(),
            org: "acme".to_owned(),
            email: "ada@example.com".to_owned(),
            reason: "lost".to_owned(),
        })
        .await;
        assert!(matches!(recovered, Err(AdminError::Open(OpenError::Doubted(_)))), "{recovered:?}");
        doubt
    }

    pub(crate) fn known(&self) -> Option<KnownHead> {
        HeadFile::in_directory(self.data()).read().unwrap()
    }
}

pub(crate) const LIMIT: Duration = Duration::from_mins(1);

pub(crate) fn options(data: &Path, org: &str) -> InitOptions {
    InitOptions {
        journal: JournalAddress::Embedded(data.to_owned()),
        data: data.to_owned(),
        replicas: None,
        journal_only: false,
        org: org.to_owned(),
        owner_email: "ada@example.com".to_owned(),
    }
}

pub(crate) async fn caught_up(app: &App, sequence: u64) {
    let node = app.state().parts.node().unwrap().clone();
    let mut progress = node.follow();
    let reached = progress.wait_for(|progress| progress.sequence >= sequence || progress.has_ended());
    assert_eq!(timeout(LIMIT, reached).await.unwrap().unwrap().sequence, sequence);
}

#[tokio::test]
async fn an_older_journal_beside_todays_view_is_not_written_to() {
    let scene = Scene::new().await;
    assert_eq!(scene.known().unwrap().end.sequence, 4);
    scene.roll_back();
    assert_eq!(scene.is_stopped().await, JournalDoubt::Shorter { known: 4, found: 2 });
    assert_eq!(scene.known().unwrap().end.sequence, 4, "what was known stays known");
}

#[tokio::test]
async fn nor_is_one_without_its_view() {
    let scene = Scene::new().await;
    scene.roll_back();
    scene.forget(VIEW_FILE);
    assert_eq!(scene.is_stopped().await, JournalDoubt::Shorter { known: 4, found: 2 });
}

#[tokio::test]
async fn nor_is_one_of_which_only_the_view_knows_more() {
    let scene = Scene::new().await;
    scene.roll_back();
    scene.forget(HEAD_FILE);
    assert_eq!(scene.is_stopped().await, JournalDoubt::Shorter { known: 4, found: 2 });
    assert_eq!(scene.known(), None, "an older head is not taken for known");
}

/// A head that was recorded again, such as by an older start, does not hide what the view knows.
#[tokio::test]
async fn nor_offline_where_the_view_knows_more_than_the_file() {
    let scene = Scene::new().await;
    let known = scene.known().unwrap();
    scene.roll_back();
    scene.forget(HEAD_FILE);
    let journal = EmbeddedJournal::open(scene.data()).unwrap();
    let hash = journal.read_one(2).await.unwrap().unwrap().hash();
    journal.close();
    let older = KnownHead::new(known.identity, SeenEnd { sequence: 2, hash });
    HeadFile::in_directory(scene.data()).replace(&older).unwrap();
    let created = create_org(options(scene.data(), "zenith")).await;
    let doubt = JournalDoubt::Shorter { known: 4, found: 2 };
    assert!(
        matches!(&created, Err(AdminError::Open(OpenError::Doubted(why))) if *why == doubt),
        "{created:?}"
    );
}

#[tokio::test]
async fn nor_is_one_that_was_written_to_where_nobody_knew() {
    let scene = Scene::new().await;
    let other = tempfile::tempdir().unwrap();
    fs::copy(scene.yesterday(), other.path().join(JOURNAL)).unwrap();
    for org in ["b", "c", "d"] {
        let made = create_org(options(other.path(), org)).await.unwrap();
        assert_eq!(made.warning.is_some(), org == "b", "only at first nothing is known");
    }
    fs::copy(other.path().join(JOURNAL), scene.data().join(JOURNAL)).unwrap();
    assert_eq!(scene.is_stopped().await, JournalDoubt::Exchanged { sequence: 4 });
}

#[tokio::test]
async fn nor_is_another_installations() {
    let scene = Scene::new().await;
    let other = tempfile::tempdir().unwrap();
    init(options(other.path(), "acme")).await.unwrap();
    fs::copy(other.path().join(JOURNAL), scene.data().join(JOURNAL)).unwrap();
    let app = scene.start().await.unwrap();
    let doubt = app.state().parts.commands().unwrap().doubt();
    assert!(matches!(doubt, Some(JournalDoubt::OtherJournal { .. })), "{doubt:?}");
    app.shutdown().await.unwrap();
    let (view, installation) = (scene.data().join(VIEW_FILE), scene.known().unwrap().identity.installation);
    assert!(ViewWriter::would_resume(&view, installation).unwrap(), "the view is kept");
    // Nor is a new one made where one was.
    scene.forget(JOURNAL);
    let made = init(options(scene.data(), "acme")).await;
    assert!(matches!(made, Err(AdminError::HeadThere { sequence: 4, .. })), "{made:?}");
    assert!(!scene.data().join(JOURNAL).exists());
}

/// Only the journal is doubted by what the journal says.
#[tokio::test]
async fn damage_of_a_view_stops_no_writes() {
    let scene = Scene::new().await;
    let installation = scene.known().unwrap().identity.installation;
    let (mut writer, _) = ViewWriter::open(&scene.data().join(VIEW_FILE), installation).unwrap();
    let nothing = Batch { records: &[], last_sequence: 4, checkpoint: b"garbage" };
    writer.apply(&nothing, true).unwrap();
    drop(writer);
    let app = scene.start().await.unwrap();
    let position = scene.write(&app, "goes on").await.unwrap();
    assert_eq!(position.sequence(), 5);
    let node = app.state().parts.node().unwrap().clone();
    let mut progress = node.follow();
    let ended = timeout(LIMIT, progress.wait_for(grantbook_node::project::Progress::has_ended)).await;
    let state = ended.unwrap().unwrap().state.clone();
    assert!(matches!(state, NodeState::Quarantined { .. }), "{state:?}");
    assert_eq!(app.state().doubts.get(), None);
    app.shutdown().await.unwrap();
    assert_eq!(scene.known().unwrap().end.sequence, 5);
}

#[tokio::test]
async fn where_nothing_is_known_the_journal_is_taken_as_it_is() {
    let scene = Scene::new().await;
    let known = scene.known();
    scene.forget(HEAD_FILE);
    let app = scene.start().await.unwrap();
    app.shutdown().await.unwrap();
    assert_eq!(scene.known(), known);
    // With nobody left who knows more, the older one too.
    scene.roll_back();
    scene.forget(HEAD_FILE);
    scene.forget(VIEW_FILE);
    let app = scene.start().await.unwrap();
    scene.write(&app, "fork").await.unwrap();
    app.shutdown().await.unwrap();
    assert_eq!(scene.known().unwrap().end.sequence, 3);
}

/// Takes the names under which the head file is written before it gets its own; what fails holds for root, too.
fn unwritable(data: &Path) -> Vec<PathBuf> {
    let taken = |number| data.join(format!(".{HEAD_FILE}.{}-{number}.tmp", std::process::id()));
    let taken: Vec<PathBuf> = (0..100).map(taken).collect();
    for path in &taken {
        fs::write(path, "").unwrap();
    }
    taken
}

/// A key is shown once: nothing may be appended whose answer is then lost.
#[tokio::test]
async fn no_key_is_made_where_the_head_cannot_be_kept() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let head = async || EmbeddedJournal::open(data).unwrap().head().await.unwrap();
    let taken = unwritable(data);
    let made = init(options(data, "acme")).await;
    assert!(matches!(made, Err(AdminError::Open(OpenError::HeadFile(_)))), "{made:?}");
    assert_eq!(head().await, 0);
    for path in &taken {
        fs::remove_file(path).unwrap();
    }
    assert_eq!(init(options(data, "acme")).await.unwrap().warning, None);
    let taken = unwritable(data);
    let created = create_org(options(data, "zenith")).await;
    assert!(matches!(created, Err(AdminError::Open(OpenError::HeadFile(_)))), "{created:?}");
    let recover = || RecoverOptions {
        journal: JournalAddress::Embedded(data.to_owned()),
        data: data.to_owned(),
        org: "acme".to_owned(),
        email: "ada@example.com".to_owned(),
        reason: "lost".to_owned(),
    };
    let recovered = recover_owner(recover()).await;
    assert!(matches!(recovered, Err(AdminError::Open(OpenError::HeadFile(_)))), "{recovered:?}");
    assert_eq!(head().await, 1);
    for path in &taken {
        fs::remove_file(path).unwrap();
    }
    recover_owner(recover()).await.unwrap();
    assert_eq!(head().await, 2);
}

#[tokio::test]
async fn a_file_that_is_not_understood_does_not_pass_for_none() {
    let scene = Scene::new().await;
    fs::write(scene.data().join(HEAD_FILE), "{}").unwrap();
    assert!(matches!(scene.start().await, Err(StartError::Open(OpenError::HeadFile(_)))));
}

/// What landed where another frame was read is not acknowledged, and nothing after it is written.
#[tokio::test(start_paused = true)]
async fn a_frame_that_lands_where_another_one_was_read_is_not_acknowledged() {
    let given = Given::settled().await;
    let other = OrgId::from_u128(0xb);
    for org in [other, OrgId::from_u128(0xc), OrgId::from_u128(0xd)] {
        let frame = founding_frame(given.journal.identity(), org, "other", &given.secret);
        let head = given.journal.head().await.unwrap();
        given.journal.found(org, head, frame).await.unwrap();
    }
    while given.handle.last_sequence() < 4 {
        settle().await;
    }
    settle().await;
    given.journal.roll_back(2);
    let landed = given.submit(given.create_token("fork")).await;
    assert!(matches!(landed, Err(SubmitError::OutcomeUnknown)), "{landed:?}");
    let refused = given.submit(given.create_token("late")).await;
    let doubt = JournalDoubt::Exchanged { sequence: 3 };
    assert!(matches!(&refused, Err(SubmitError::JournalDoubted(why)) if *why == doubt), "{refused:?}");
    assert_eq!(given.tokens_made("late"), 0);
    assert!(given.handle.state(ORG).is_some());
}

/// The doubt may come while commands wait.
#[tokio::test]
async fn commands_that_waited_are_not_appended_to_a_doubted_journal() {
    let Given { journal, service, owner, ids, .. } = Given::settled().await;
    service.shutdown().await;
    let fold = Fold::replay(&journal).await.unwrap();
    let doubts = Doubts::default();
    let (clock, _hand) = Clock::settable(START);
    let options = CommandOptions { doubts: doubts.clone(), ..CommandOptions::of(clock, ids.clone()) };
    let service = CommandService::start_with(Arc::new(journal.clone()), fold, options);
    let submit = |name: &str| {
        let (name, id) = (name.to_owned(), ids.id());
        let command = Command::Token(TokenCommand::Create {
            id,
            name,
            description: None,
            external_id: None,
            expires_at: None,
        });
        let submission = Submission {
            org: ORG,
            author: Author::Caller(owner),
            command,
            idempotency: None,
            if_position: None,
            source_ip: None,
            reason: None,
            faults: grantbook_command::TextFaults::default(),
        };
        let handle = service.handle();
        tokio::spawn(async move { handle.submit(submission).await })
    };
    let (gate, delayed) = tokio::sync::oneshot::channel();
    journal.inject(Fault::Delay(delayed));
    let under_way = submit("under way");
    while journal.appends() < 2 {
        tokio::task::yield_now().await;
    }
    let waiting = [submit("one"), submit("two")];
    settle().await;
    let doubt = JournalDoubt::Exchanged { sequence: 1 };
    doubts.raise(doubt.clone());
    gate.send(()).unwrap();
    under_way.await.unwrap().unwrap();
    for one in waiting {
        let refused = one.await.unwrap();
        assert!(matches!(&refused, Err(SubmitError::JournalDoubted(why)) if *why == doubt), "{refused:?}");
    }
    assert_eq!(journal.head().await.unwrap(), 2);
}

/// Without a write too.
#[tokio::test(start_paused = true)]
async fn a_head_that_goes_back_stops_writes() {
    let given = Given::settled().await;
    for number in 0..5 {
        given.submit(given.create_token(&format!("t{number}"))).await.unwrap();
    }
    let end = *given.service.last().borrow();
    let frames = given.journal.read(5, 1.try_into().unwrap());
    assert_eq!(end, SeenEnd { sequence: 6, hash: frames[0].hash() });
    given.journal.roll_back(3);
    let doubted = async {
        while given.handle.doubt().is_none() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(10), doubted).await.unwrap();
    assert_eq!(given.handle.doubt(), Some(JournalDoubt::Shorter { known: 6, found: 3 }));
    let refused = given.submit(given.create_token("late")).await;
    assert!(matches!(refused, Err(SubmitError::JournalDoubted(_))), "{refused:?}");
}
