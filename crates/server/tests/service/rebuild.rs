//! A view built beside the one that serves: compared with what that one says, and adopted by the next start.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use grantbook_journal::{follow::open::JournalAddress, hash::Hash};
use grantbook_node::read_side::NEXT_FILE;
use grantbook_node::{
    rebuild::{BUILDING_FILE, BuildOptions, ViewOptions, build, make_offline, verify},
    snapshots::{Manifest, Place, SnapshotConfig, SnapshotKey},
};
use grantbook_server::{
    admin::init::{InitOptions, init},
    app::{App, config::ServeConfig},
};
use grantbook_views::AccessParts;

struct Setting {
    directory: tempfile::TempDir,
    options: ViewOptions,
    key: SnapshotKey,
}

impl Setting {
    /// A data directory with a view, and a snapshot of it.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let journal = JournalAddress::Embedded(data.clone());
        let (org, owner_email) = ("acme".to_owned(), "ada@example.com".to_owned());
        let of = (journal.clone(), data.clone());
        let options =
            InitOptions { journal: of.0, data: of.1, replicas: None, journal_only: false, org, owner_email };
        init(options).await.unwrap();
        let key_file = directory.path().join("key");
        let key = SnapshotKey::create(&key_file).unwrap();
        let snapshots = SnapshotConfig {
            place: Some(Place::Directory(directory.path().join("snapshots"))),
            key: Some(key_file),
            trust: vec![key.public()],
            ..SnapshotConfig::default()
        };
        let setting = Self { directory, options: ViewOptions { journal, data, snapshots }, key };
        setting.serve_once().await;
        make_offline(&setting.options).await.unwrap();
        setting
    }

    fn data(&self) -> &Path {
        &self.options.data
    }

    /// Starts the service, waits until its view follows, and ends it.
    async fn serve_once(&self) {
        let (journal, data) = (self.options.journal.clone(), self.data().to_owned());
        let app = App::build(&ServeConfig { journal, data, ..ServeConfig::default() }).await.unwrap();
        let node = app.state().parts.node().unwrap().clone();
        let org = grantbook_domain::id::OrgId::from_u128(0);
        node.wait_for(org, grantbook_domain::position::Position::START, Duration::from_secs(30))
            .await
            .unwrap();
        drop(node);
        app.shutdown().await.unwrap();
    }

    fn snapshot(&self) -> PathBuf {
        let snapshots = self.directory.path().join("snapshots");
        fs::read_dir(snapshots).unwrap().next().unwrap().unwrap().path()
    }

    /// Changes the manifest of the only snapshot, and signs it anew.
    fn sign_anew(&self, change: impl FnOnce(&mut Manifest)) {
        let path = self.snapshot().join("manifest");
        let mut signed = Manifest::read(&fs::read(&path).unwrap(), &[self.key.public()]).unwrap();
        change(&mut signed.manifest);
        fs::write(path, signed.manifest.sign(&self.key).unwrap()).unwrap();
    }

    /// Changes the listing of the only snapshot, and signs it anew.
    fn doctor(&self, change: impl Fn(&str) -> String) {
        self.sign_anew(|manifest| {
            let piece = &mut manifest.listing.pieces[0];
            let path = self.snapshot().join(&piece.name);
            let text = lz4_flex::block::decompress_size_prepended(&fs::read(&path).unwrap()).unwrap();
            let text = change(std::str::from_utf8(&text).unwrap());
            let bytes = lz4_flex::block::compress_prepend_size(text.as_bytes());
            (piece.bytes, piece.hash) = (u64::try_from(bytes.len()).unwrap(), Hash::of(&bytes));
            fs::write(path, bytes).unwrap();
        });
    }

    async fn build(&self, accept_differences: bool) -> grantbook_node::rebuild::Built {
        let how = BuildOptions { from_snapshot: false, accept_differences };
        build(&self.options, how, &mut |_| {}).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_says_the_same_is_put_in_place_and_adopted_by_the_next_start() {
    let setting = Setting::new().await;
    let before = verify(setting.data(), |_| true).unwrap();
    let built = setting.build(false).await;
    assert!(built.ready);
    let compared = built.compared.unwrap();
    assert_eq!((compared.sequence, compared.differences.total), (before.sequence, 0));
    assert!(setting.data().join(NEXT_FILE).exists());
    // What served is of no use by now, as after an upgrade.
    fs::write(setting.data().join("view.redb"), "").unwrap();
    setting.serve_once().await;
    assert!(!setting.data().join(NEXT_FILE).exists());
    assert_eq!(verify(setting.data(), |_| true).unwrap().digest, before.digest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_in_access_is_told_and_keeps_the_view_out_of_its_place() {
    let setting = Setting::new().await;
    // The serving view would have said less of somebody.
    setting.doctor(|text| {
        let mut lines = String::new();
        for line in text.lines() {
            let mut parts = AccessParts::parse(line).unwrap();
            parts.allow.retain(|part| part.permission != "delegate");
            lines += &(parts.line().unwrap() + "\n");
        }
        assert!(lines.len() < text.len());
        lines
    });
    let built = setting.build(false).await;
    assert!(!built.ready);
    let differences = built.compared.unwrap().differences;
    assert_eq!(differences.total, 1);
    let one = &differences.principals[0];
    assert!(one.principal.starts_with("user:") && one.before.is_empty());
    assert!(one.after.iter().all(|line| line.starts_with("delegate on ")), "{one:?}");
    assert!(!setting.data().join(NEXT_FILE).exists() && setting.data().join(BUILDING_FILE).exists());
    let accepted = setting.build(true).await;
    assert!(accepted.ready && setting.data().join(NEXT_FILE).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_of_another_form_or_that_is_not_whole_is_not_compared_with() {
    let setting = Setting::new().await;
    setting.doctor(|text| text.split_inclusive('\n').skip(1).collect());
    assert!(setting.build(false).await.compared.is_none());
    setting.doctor(|text| format!("{text}user:none\n"));
    assert!(setting.build(false).await.compared.is_none());
    let setting = Setting::new().await;
    setting.sign_anew(|manifest| manifest.listing.form = 1);
    let built = setting.build(false).await;
    assert!(!built.ready && built.compared.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nothing_to_compare_with_a_view_is_not_put_in_place_by_itself() {
    let setting = Setting::new().await;
    fs::remove_dir_all(setting.directory.path().join("snapshots")).unwrap();
    let built = setting.build(false).await;
    assert!(!built.ready && built.compared.is_none());
}

/// A flipped byte in the file of a stopped node is found by looking, and by a node that starts with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_damaged_view_quarantines_itself() {
    let setting = Setting::new().await;
    let view = setting.data().join("view.redb");
    let whole = fs::read(&view).unwrap();
    let places: Vec<usize> = whole
        .windows(15)
        .enumerate()
        .filter(|(_, bytes)| bytes == b"ada@example.com")
        .map(|(place, _)| place)
        .collect();
    assert!(!places.is_empty());
    let mut quarantined = 0;
    for place in places {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&view, &bytes).unwrap();
        if verify(setting.data(), |_| true).is_ok() {
            // A page of an earlier commit.
            continue;
        }
        fs::write(&view, &bytes).unwrap();
        let (journal, data) = (setting.options.journal.clone(), setting.data().to_owned());
        let config = ServeConfig { journal, data, ..ServeConfig::default() };
        let Ok(app) = App::build(&config).await else { continue };
        let node = app.state().parts.node().unwrap().clone();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while !matches!(node.status().state, grantbook_node::project::NodeState::Quarantined { .. }) {
            assert!(tokio::time::Instant::now() < deadline, "not found: {:?}", node.status());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        quarantined += 1;
        drop(node);
        app.shutdown().await.unwrap();
    }
    assert!(quarantined > 0);
}
