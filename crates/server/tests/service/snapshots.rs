//! Snapshots: made under load, used by new views, refused for whatever is wrong with them; views built beside others.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::given::{Given, ORG};
use grantbook_domain::id::Id;
use grantbook_journal::{Journal as _, memory::MemoryJournal, stamp::clock::Clock};
use grantbook_node::{
    bootstrap::{Source, Stage, bootstrap},
    project::Projector,
    read::ReadNode,
    snapshots::{Made, Manifest, PublicKey, SnapshotKey, SnapshotMaker, Store, make},
};
use grantbook_views::{ViewDigest, ViewWriter};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(30);

/// An organization with a view, and a place for snapshots.
struct Setting {
    given: Given,
    projector: Projector,
    node: ReadNode,
    directory: TempDir,
    key: SnapshotKey,
}

impl Setting {
    async fn new() -> Self {
        let given = Given::settled().await;
        let directory = tempfile::tempdir().unwrap();
        let key = SnapshotKey::create(&directory.path().join("key")).unwrap();
        let (projector, node) = view_of(&given.journal);
        Self { given, projector, node, directory, key }
    }

    fn store(&self) -> Store {
        Store::Directory(self.directory.path().join("snapshots"))
    }

    async fn tokens(&self, tag: &str, count: usize) {
        for n in 0..count {
            self.given.submit(self.given.create_token(&format!("{tag}.{n}"))).await.unwrap();
        }
    }

    async fn make(&self) -> Made {
        self.node.wait_for(ORG, self.given.handle.acknowledged(ORG), LONG).await.unwrap();
        self.make_with(&self.given.journal, &self.key).await
    }

    async fn make_with(&self, journal: &MemoryJournal, key: &SnapshotKey) -> Made {
        let maker = SnapshotMaker {
            store: self.store(),
            key: key.clone(),
            installation: journal.identity().installation,
            node: Id::from_u128(7),
            clock: Clock::system(),
        };
        make(&maker, self.projector.settle().snapshot().await.unwrap()).await.unwrap()
    }

    /// Tries it on a journal; gives the view's digest and sequence if one was made, and every reason why not.
    async fn try_on(&self, journal: &MemoryJournal) -> (Option<(u64, ViewDigest)>, Vec<String>) {
        let journal = Arc::new(journal.clone());
        let trust: Vec<PublicKey> = vec![self.key.public()];
        let source = Source { journal, store: self.store(), trust };
        let view = self.directory.path().join("new.redb");
        let _absent = fs::remove_file(&view);
        let mut refused = Vec::new();
        let made = bootstrap(&source, &view, &mut |stage| {
            if let Stage::Refused { why, .. } = stage {
                refused.push(why.to_string());
            }
        })
        .await
        .unwrap();
        assert_eq!(made.is_some(), view.exists());
        assert!(!view.with_extension("loading.redb").exists());
        (made.map(|(writer, _)| (writer.sequence(), writer.digest())), refused)
    }

    fn pieces(&self, made: &Made) -> PathBuf {
        self.directory.path().join("snapshots").join(&made.name)
    }
}

fn view_of(journal: &MemoryJournal) -> (Projector, ReadNode) {
    let writer = ViewWriter::in_memory(journal.identity().installation).unwrap();
    let projector = Projector::start(Arc::new(journal.clone()), writer);
    let node = ReadNode::new(&projector, &Arc::new(journal.clone()));
    (projector, node)
}

/// The last item is in no organization's chain, and proves the history all the same.
#[tokio::test]
async fn a_snapshot_may_end_with_a_foreign_message() {
    let setting = Setting::new().await;
    setting.tokens("before", 3).await;
    let journal = &setting.given.journal;
    let head = journal.head().await.unwrap();
    let last = journal.put_foreign(&ORG.to_string(), head, "foreign".into()).await.unwrap();
    setting.projector.progress().wait_for(|progress| progress.sequence == last).await.unwrap();
    let made = setting.make().await;
    assert_eq!(made.manifest.sequence, last);
    let (found, refused) = setting.try_on(journal).await;
    assert_eq!((found, refused), (Some((last, made.manifest.digest)), vec![]));
    assert!(journal.tamper(last, "exchanged".into()));
    let (found, refused) = setting.try_on(journal).await;
    assert!(found.is_none() && refused.len() == 1, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_made_of_a_snapshot_under_load_goes_on_to_what_a_rebuilt_one_holds() {
    let setting = Setting::new().await;
    setting.tokens("before", 20).await;
    // While it is made, the journal grows and the projector follows.
    let (made, ()) =
        tokio::join!(setting.make_with(&setting.given.journal, &setting.key), setting.tokens("while", 20));
    setting.tokens("after", 5).await;
    let source = Source {
        journal: Arc::new(setting.given.journal.clone()),
        store: setting.store(),
        trust: vec![setting.key.public()],
    };
    let view = setting.directory.path().join("view.redb");
    let (writer, manifest) = bootstrap(&source, &view, &mut |_| {}).await.unwrap().unwrap();
    assert_eq!((writer.sequence(), writer.digest()), (made.manifest.sequence, made.manifest.digest));
    assert_eq!(manifest, made.manifest);
    let projector = Projector::start(Arc::new(setting.given.journal.clone()), writer);
    let node = ReadNode::new(&projector, &Arc::new(setting.given.journal.clone()));
    node.wait_for(ORG, setting.given.handle.acknowledged(ORG), LONG).await.unwrap();
    let (_fresh, rebuilt) = view_of(&setting.given.journal);
    rebuilt.wait_for(ORG, setting.given.handle.acknowledged(ORG), LONG).await.unwrap();
    let digest = |node: &ReadNode| node.reader.snapshot().unwrap().digest(None).unwrap();
    assert_eq!(digest(&node), digest(&rebuilt));
    assert_eq!(node.reader.snapshot().unwrap().kept_digest().unwrap(), digest(&rebuilt));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_thing_that_can_be_wrong_with_a_snapshot_is_refused_in_its_own_words() {
    let setting = Setting::new().await;
    setting.tokens("t", 5).await;
    let made = setting.make().await;
    let (good, refused) = setting.try_on(&setting.given.journal).await;
    assert_eq!((good, refused), (Some((made.manifest.sequence, made.manifest.digest)), Vec::new()));
    let pieces = setting.pieces(&made);
    let (manifest, rows) = (pieces.join("manifest"), pieces.join("rows-000001.lz4"));
    let (whole, whole_rows) = (fs::read(&manifest).unwrap(), fs::read(&rows).unwrap());
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let signed = |change: &dyn Fn(&mut Manifest), key: &SnapshotKey| {
        let mut other = made.manifest.clone();
        change(&mut other);
        other.sign(key).unwrap()
    };
    let foreign = SnapshotKey::create(&setting.directory.path().join("foreign")).unwrap();
    let same = |_: &mut Manifest| {};
    let line = whole.iter().position(|byte| *byte == b'\n').unwrap();
    let cases: Vec<(&Path, Vec<u8>, &str)> = vec![
        (&manifest, whole[..line].to_vec(), "not signed"),
        (&manifest, whole[..whole.len() - 10].to_vec(), "not signed"),
        (&manifest, flipped(&whole, 40), "its signature does not fit"),
        (&manifest, signed(&same, &foreign), "which is not trusted here"),
        (&manifest, signed(&|it| it.format += 1, &setting.key), "its rows have format"),
        (&manifest, signed(&|it| it.installation = Id::from_u128(99), &setting.key), "it is of installation"),
        (&manifest, signed(&|it| it.sequence += 100, &setting.key), "from the future"),
        (&manifest, signed(&|it| it.grantbook_snapshot = 2, &setting.key), "layout 2"),
        (&manifest, signed(&|it| it.sequence -= 1, &setting.key), "the ends of the chains"),
        (&manifest, signed(&|it| it.digest = ViewDigest::default(), &setting.key), "add up to"),
        (&manifest, signed(&|it| drop(it.pieces.pop()), &setting.key), "add up to"),
        (&manifest, signed(&|it| it.pieces[0].name = "../../key.lz4".to_owned(), &setting.key), "is called"),
        (
            &manifest,
            signed(&|it| it.listing.pieces[0].name = "/etc/passwd".to_owned(), &setting.key),
            "is called",
        ),
        (&rows, whole_rows[..whole_rows.len() - 1].to_vec(), "it was cut short"),
        (&rows, [whole_rows.as_slice(), b"x"].concat(), "has more than"),
        (&rows, flipped(&whole_rows, 20), "is damaged"),
    ];
    for (path, bytes, why) in cases {
        fs::write(path, bytes).unwrap();
        let (none, refused) = setting.try_on(&setting.given.journal).await;
        assert_eq!(none, None, "{why}");
        assert!(refused.len() == 1 && refused[0].contains(why), "{why}: {refused:?}");
        fs::write(&manifest, &whole).unwrap();
        fs::write(&rows, &whole_rows).unwrap();
    }
    // Nobody takes it into memory to find out that it is not signed.
    fs::File::create(&manifest).unwrap().set_len(1 << 40).unwrap();
    let (none, refused) = setting.try_on(&setting.given.journal).await;
    assert!(none.is_none() && refused[0].contains("manifest has more than"), "{refused:?}");
    fs::write(&manifest, &whole).unwrap();
    fs::remove_file(&rows).unwrap();
    let (none, refused) = setting.try_on(&setting.given.journal).await;
    assert!(none.is_none() && refused[0].contains("cannot be read"), "{refused:?}");
}

/// Same installation, same length, another history, as after a restored backup: the frames' hashes tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_another_history_or_a_longer_journal_is_refused() {
    let setting = Setting::new().await;
    let other = Given::settled().await;
    setting.tokens("t", 3).await;
    setting.make().await;
    let (none, refused) = setting.try_on(&other.journal).await;
    assert!(none.is_none() && refused[0].contains("from the future"), "{refused:?}");
    for n in 0..5 {
        other.submit(other.create_token(&format!("other.{n}"))).await.unwrap();
    }
    let (none, refused) = setting.try_on(&other.journal).await;
    assert!(none.is_none() && refused[0].contains("is not the one it was made of"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_older_one_is_taken_if_the_newest_is_damaged_and_no_more_than_two_are_kept() {
    let setting = Setting::new().await;
    let mut made = Vec::new();
    for round in 0..3 {
        setting.tokens(&format!("round{round}"), 2).await;
        made.push(setting.make().await);
    }
    let names = setting.store().list().await.unwrap();
    assert_eq!(names, [made[2].name.clone(), made[1].name.clone()]);
    // What a maker that was killed has left is none, and is swept away by the next try.
    let snapshots = setting.directory.path().join("snapshots");
    let maker = made[2].name.rsplit('-').next().unwrap();
    let half = snapshots.join(format!(".{:020}-{:015}-{maker}", 9, 9));
    fs::create_dir(&half).unwrap();
    fs::write(half.join("rows-000000.lz4"), "half").unwrap();
    assert_eq!(setting.store().list().await.unwrap(), names);
    fs::write(setting.pieces(&made[2]).join("rows-000000.lz4"), "damaged").unwrap();
    let (older, refused) = setting.try_on(&setting.given.journal).await;
    assert_eq!(older, Some((made[1].manifest.sequence, made[1].manifest.digest)));
    assert_eq!(refused.len(), 1);
    // Whoever else made one may still be at it, unless it was days ago; what is not called as one is nobody's.
    let others =
        [(999_999_999_999_999_i64, "0123abcd", true), (9, "0123abcd", false)].map(|(at, maker, stays)| {
            let path = snapshots.join(format!(".{:020}-{at:015}-{maker}", 9));
            fs::create_dir(&path).unwrap();
            (path, stays)
        });
    let foreign = ["zzz", "holiday-photos"].map(|name| snapshots.join(name));
    for path in &foreign {
        fs::create_dir(path).unwrap();
        fs::write(path.join("manifest"), "not ours").unwrap();
    }
    setting.tokens("last", 1).await;
    let last = setting.make().await;
    assert!(!half.exists());
    for (path, stays) in others {
        assert_eq!(path.exists(), stays, "{path:?}");
    }
    assert!(foreign.iter().all(|path| path.join("manifest").exists()));
    assert_eq!(setting.store().list().await.unwrap(), [last.name, made[2].name.clone()]);
}

/// Somebody takes the newest one, and it is gone because two newer ones were made meanwhile: these are looked for then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_removed_while_it_is_tried_gives_way_to_a_newer_one() {
    let setting = Setting::new().await;
    setting.tokens("first", 1).await;
    let first = setting.make().await;
    setting.tokens("second", 1).await;
    let second = setting.make().await;
    // Both are kept out of the way, as if they were not made yet, and come while the first is refused.
    let snapshots = setting.directory.path().join("snapshots");
    let later = setting.directory.path().join("later");
    fs::rename(snapshots.join(&second.name), &later).unwrap();
    fs::remove_file(setting.pieces(&first).join("rows-000000.lz4")).unwrap();
    let source = Source {
        journal: Arc::new(setting.given.journal.clone()),
        store: setting.store(),
        trust: vec![setting.key.public()],
    };
    let (view, mut refused) = (setting.directory.path().join("new.redb"), 0);
    let made = bootstrap(&source, &view, &mut |stage| {
        if let Stage::Refused { .. } = stage {
            refused += 1;
            fs::remove_dir_all(snapshots.join(&first.name)).unwrap();
            fs::rename(&later, snapshots.join(&second.name)).unwrap();
        }
    })
    .await
    .unwrap();
    assert_eq!((made.map(|(_, manifest)| manifest.sequence), refused), (Some(second.manifest.sequence), 1));
}
