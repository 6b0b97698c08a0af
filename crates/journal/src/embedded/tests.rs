//! The embedded journal: conformance, restarts, refusals.

use grantbook_domain::{id::InstallationId, time::Timestamp};
use redb::TableDefinition;
use tempfile::TempDir;

mod disk;
mod power;

use crate::{
    conformance::{self, org},
    embedded::*,
};

fn identity(number: u128) -> Identity {
    Identity { installation: InstallationId::from_u128(number), created_at: Timestamp::from_millis(1) }
}

fn text(frame: &'static str) -> Bytes {
    Bytes::from_static(frame.as_bytes())
}

#[tokio::test]
async fn it_conforms() {
    let base = TempDir::new().unwrap();
    let count = std::cell::Cell::new(0);
    let fresh = async || {
        count.set(count.get() + 1);
        EmbeddedJournal::create(&base.path().join(count.get().to_string()), identity(1)).unwrap()
    };
    let again = async |journal: EmbeddedJournal| {
        let directory = base.path().join(count.get().to_string());
        journal.close();
        EmbeddedJournal::open(&directory).unwrap()
    };
    conformance::run(fresh, again).await;
}

#[tokio::test]
async fn creating_over_frames_and_opening_nothing_are_refused() {
    let base = TempDir::new().unwrap();
    let missing = EmbeddedJournal::open(base.path()).unwrap_err();
    assert!(matches!(missing, EmbeddedError::Missing { .. }), "{missing}");
    assert!(!EmbeddedJournal::exists(base.path()), "opening makes no file");

    EmbeddedJournal::create(base.path(), identity(1)).unwrap().close();
    let journal = EmbeddedJournal::create(base.path(), identity(2)).unwrap();
    assert_eq!(journal.identity(), identity(2), "an empty journal may be made anew");
    journal.append(org(1), 0, text("frame")).await.unwrap();
    journal.close();
    let not_empty = EmbeddedJournal::create(base.path(), identity(3)).unwrap_err();
    assert!(matches!(not_empty, EmbeddedError::NotEmpty { .. }), "{not_empty}");
    assert_eq!(EmbeddedJournal::open(base.path()).unwrap().identity(), identity(2));
}

#[test]
fn a_file_in_use_is_refused_and_free_after_the_journal_is_gone() {
    let base = TempDir::new().unwrap();
    let journal = EmbeddedJournal::create(base.path(), identity(1)).unwrap();
    for outcome in [EmbeddedJournal::open(base.path()), EmbeddedJournal::create(base.path(), identity(2))] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, EmbeddedError::InUse { .. }));
        assert!(error.to_string().ends_with("is in use by another process"), "{error}");
    }
    drop(journal);
    EmbeddedJournal::open(base.path()).unwrap();
}

#[test]
fn another_format_is_refused_by_both_numbers() {
    let base = TempDir::new().unwrap();
    EmbeddedJournal::create(base.path(), identity(1)).unwrap().close();
    let db = Database::open(base.path().join(FILE_NAME)).unwrap();
    let transaction = db.begin_write().unwrap();
    let meta: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
    transaction.open_table(meta).unwrap().insert("format", "7").unwrap();
    transaction.commit().unwrap();
    drop(db);
    let error = EmbeddedJournal::open(base.path()).unwrap_err();
    assert_eq!(error.to_string(), "journal file format 7 is not understood, expected 1");
}

#[test]
fn what_is_no_journal_is_refused() {
    let base = TempDir::new().unwrap();
    let path = base.path().join(FILE_NAME);
    for content in [Vec::new(), b"not a redb file".to_vec(), vec![0; 10_000]] {
        std::fs::write(&path, &content).unwrap();
        let error = EmbeddedJournal::open(base.path()).unwrap_err();
        assert!(matches!(error, EmbeddedError::NotAJournal { .. }), "{} bytes: {error:?}", content.len());
    }
    std::fs::remove_file(&path).unwrap();
    let db = Database::create(&path).unwrap();
    let transaction = db.begin_write().unwrap();
    let foreign: TableDefinition<'_, u64, u64> = TableDefinition::new("rows");
    transaction.open_table(foreign).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(db);
    for outcome in [EmbeddedJournal::open(base.path()), EmbeddedJournal::create(base.path(), identity(1))] {
        assert!(matches!(outcome.unwrap_err(), EmbeddedError::NotAJournal { .. }));
    }
}

#[tokio::test]
async fn a_missing_frame_is_noticed_on_opening() {
    let base = TempDir::new().unwrap();
    let journal = EmbeddedJournal::create(base.path(), identity(1)).unwrap();
    for after in 0..3 {
        journal.append(org(1), after, text("frame")).await.unwrap();
    }
    journal.close();
    let db = Database::open(base.path().join(FILE_NAME)).unwrap();
    let transaction = db.begin_write().unwrap();
    transaction.open_table(file::FRAMES).unwrap().remove(2).unwrap();
    transaction.commit().unwrap();
    drop(db);
    let error = EmbeddedJournal::open(base.path()).unwrap_err();
    assert!(matches!(error, EmbeddedError::Damaged { frames: 2, head: 3 }), "{error}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let base = TempDir::new().unwrap();
    drop(EmbeddedJournal::create(base.path(), identity(1)).unwrap());
    let mode = std::fs::metadata(base.path().join(FILE_NAME)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
