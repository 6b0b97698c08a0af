//! Files: opened, resumed after a crash, rebuilt, refused; and batches that must not go in.

use std::{fs, path::Path};

use grantbook_domain::{
    event::Event,
    id::{Id, InstallationId},
    model::{Gives, Grant},
    record::Recorded,
};
use grantbook_views::{Batch, FORMAT_VERSION, Opened, Stale, ViewDigest, ViewError, ViewWriter};
use redb::{Database, TableDefinition};
use tempfile::tempdir;

use crate::world::{INSTALLATION, World, view_of};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("view_meta");

pub(crate) fn batch(records: &[Recorded]) -> Batch<'_> {
    let last_sequence = records.last().unwrap().position.sequence();
    Batch { records, last_sequence, checkpoint: b"checkpoint" }
}

fn digest(writer: &ViewWriter) -> ViewDigest {
    writer.reader().snapshot().unwrap().digest(None).unwrap()
}

#[test]
fn a_view_is_fresh_then_resumed_with_its_checkpoint() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("view.redb");
    let world = World::settled(5);
    let (mut writer, opened) = ViewWriter::open(&path, INSTALLATION).unwrap();
    assert_eq!((opened, writer.sequence(), writer.checkpoint()), (Opened::Fresh, 0, &b""[..]));
    writer.apply(&batch(&world.records), true).unwrap();
    let content = digest(&writer);
    drop(writer);
    let (writer, opened) = ViewWriter::open(&path, INSTALLATION).unwrap();
    assert_eq!(opened, Opened::Resumed);
    assert_eq!(writer.sequence(), world.position().sequence());
    assert_eq!(writer.checkpoint(), b"checkpoint");
    assert_eq!(digest(&writer), content);
    assert_eq!(digest(&view_of(&world.records, 1)), content);
}

/// A copy of the file while it is open is what a crash leaves behind.
#[test]
fn a_crash_loses_no_more_than_what_followed_the_last_durable_batch() {
    let directory = tempdir().unwrap();
    let (path, crashed) = (directory.path().join("view.redb"), directory.path().join("crashed.redb"));
    let world = World::settled(5);
    let (durable, lost) = world.records.split_at(10);
    let (mut writer, _) = ViewWriter::open(&path, INSTALLATION).unwrap();
    for records in durable.chunks(3) {
        writer.apply(&batch(records), records.last() == durable.last()).unwrap();
    }
    for records in lost.chunks(1) {
        writer.apply(&batch(records), false).unwrap();
    }
    assert_eq!(writer.sequence(), world.position().sequence());
    fs::copy(&path, &crashed).unwrap();
    let (mut resumed, opened) = ViewWriter::open(&crashed, INSTALLATION).unwrap();
    assert_eq!(opened, Opened::Resumed);
    assert_eq!(resumed.sequence(), durable.last().unwrap().position.sequence());
    assert_eq!(digest(&resumed), digest(&view_of(durable, 1)));
    resumed.apply(&batch(lost), true).unwrap();
    assert_eq!(digest(&resumed), digest(&writer));
}

fn rewrite(path: &Path, key: &str, value: &[u8]) {
    let db = Database::open(path).unwrap();
    let transaction = db.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert(key, value).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn a_view_of_another_format_or_installation_is_replaced_by_an_empty_one() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("view.redb");
    let world = World::settled(5);
    let (mut writer, _) = ViewWriter::open(&path, INSTALLATION).unwrap();
    writer.apply(&batch(&world.records), true).unwrap();
    drop(writer);
    let other = InstallationId::from_u128(9);
    let (mut writer, opened) = ViewWriter::open(&path, other).unwrap();
    assert_eq!(opened, Opened::Rebuilt(Stale::Installation { found: INSTALLATION, expected: other }));
    assert_eq!((writer.sequence(), digest(&writer)), (0, digest(&ViewWriter::in_memory(other).unwrap())));
    writer.apply(&batch(&world.records), true).unwrap();
    drop(writer);
    let found = FORMAT_VERSION + 1;
    rewrite(&path, "format", &found.to_be_bytes());
    let (writer, opened) = ViewWriter::open(&path, other).unwrap();
    assert_eq!(opened, Opened::Rebuilt(Stale::Format { found, expected: FORMAT_VERSION }));
    assert_eq!(writer.sequence(), 0);
}

#[test]
fn what_is_no_view_is_left_alone() {
    let directory = tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    fs::write(&text, "not a database at all").unwrap();
    let error = ViewWriter::open(&text, INSTALLATION).unwrap_err();
    assert!(matches!(error, ViewError::Open { .. }), "{error}");
    assert_eq!(fs::read(&text).unwrap(), b"not a database at all");

    let journal = directory.path().join("journal.redb");
    let db = Database::create(&journal).unwrap();
    let transaction = db.begin_write().unwrap();
    transaction
        .open_table(TableDefinition::<u64, &[u8]>::new("frames"))
        .unwrap()
        .insert(1, &b"f"[..])
        .unwrap();
    transaction.commit().unwrap();
    drop(db);
    let error = ViewWriter::open(&journal, INSTALLATION).unwrap_err();
    assert!(matches!(&error, ViewError::NotAView(path) if *path == journal), "{error}");
    assert!(Database::open(&journal).is_ok());

    let empty = directory.path().join("empty.redb");
    fs::write(&empty, "").unwrap();
    assert_eq!(ViewWriter::open(&empty, INSTALLATION).unwrap().1, Opened::Fresh);
}

#[test]
fn one_process_writes() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("view.redb");
    let (_writer, _) = ViewWriter::open(&path, INSTALLATION).unwrap();
    assert!(matches!(ViewWriter::open(&path, INSTALLATION), Err(ViewError::Open { .. })));
}

/// A refused batch leaves no trace.
fn refused(writer: &mut ViewWriter, batch: &Batch<'_>) -> ViewError {
    let before = (digest(writer), writer.sequence());
    let error = writer.apply(batch, false).unwrap_err();
    assert_eq!((digest(writer), writer.sequence()), before);
    error
}

#[test]
fn frames_come_in_order_and_once_and_records_without_a_gap() {
    let records = World::settled(5).records;
    let mut writer = view_of(&records[..5], 5);
    let again = refused(&mut writer, &batch(&records[4..6]));
    assert!(matches!(again, ViewError::OutOfOrder { .. }), "{again}");
    let swapped = [records[6].clone(), records[5].clone()];
    let swapped = refused(&mut writer, &batch(&swapped));
    assert!(matches!(swapped, ViewError::OutOfOrder { .. }), "{swapped}");
    let early = Batch { last_sequence: records[5].position.sequence() - 1, ..batch(&records[5..6]) };
    let early = refused(&mut writer, &early);
    assert!(matches!(early, ViewError::OutOfOrder { .. }), "{early}");
    let gap = refused(&mut writer, &batch(&records[6..]));
    assert!(matches!(gap, ViewError::Gap { expected: 6, found: 7, .. }), "{gap}");
    writer.apply(&batch(&records[5..]), false).unwrap();
    assert_eq!(digest(&writer), digest(&view_of(&records, usize::MAX)));
}

#[test]
fn frames_without_records_move_the_checkpoint() {
    let mut writer = ViewWriter::in_memory(INSTALLATION).unwrap();
    writer.apply(&Batch { records: &[], last_sequence: 7, checkpoint: b"seven" }, false).unwrap();
    let snapshot = writer.reader().snapshot().unwrap();
    assert_eq!((snapshot.sequence().unwrap(), snapshot.checkpoint().unwrap()), (7, b"seven".to_vec()));
    let back = refused(&mut writer, &Batch { records: &[], last_sequence: 6, checkpoint: b"six" });
    assert!(matches!(back, ViewError::OutOfOrder { after: 7, found: 6 }), "{back}");
}

/// Each would be a row that means something else than the fact: applying stops instead.
#[test]
fn facts_that_no_row_can_express_stop_the_view() {
    let world = World::settled(5);
    let grant = world.state.grants().last().unwrap();
    let key = world.state.keys().last().unwrap();
    let unknown = Gives::Permissions(vec!["unheard".to_owned()]);
    let oddities = [
        Event::GrantCreated { grant: Grant { id: Id::from_u128(77), gives: unknown, ..grant.clone() } },
        Event::GrantCreated {
            grant: Grant { id: Id::from_u128(77), object_type: Some("unheard".to_owned()), ..grant.clone() },
        },
        Event::GrantRevoked {
            grant: Grant {
                created_at: grant.created_at.plus_millis(1),
                ended_at: Some(world.now),
                ..grant.clone()
            },
        },
        Event::OrganizationCreated {
            id: Id::from_u128(77),
            name: "other".to_owned(),
            created_at: world.now,
            writers: Vec::new(),
        },
    ];
    for event in oddities {
        let mut writer = view_of(&world.records, usize::MAX);
        let mut odd = world.records.last().unwrap().clone();
        odd.position = grantbook_domain::position::Position::of(odd.position.sequence() + 1, 0);
        odd.record.ordinal += 1;
        odd.record.events = vec![event.clone()];
        let error = refused(&mut writer, &batch(&[odd]));
        assert!(matches!(error, ViewError::NotUnderstood { .. }), "{event:?}: {error}");
    }
    let mut writer = view_of(&world.records, usize::MAX);
    let mut foreign = World::founded(6).records.remove(0);
    foreign.position = grantbook_domain::position::Position::of(world.position().sequence() + 1, 0);
    foreign.record.events.push(Event::KeyIssued { key: key.clone() });
    let error = refused(&mut writer, &batch(&[foreign]));
    assert!(matches!(error, ViewError::NotUnderstood { .. }), "{error}");
}

#[test]
fn a_snapshot_does_not_move() {
    let records = World::settled(5).records;
    let (early, late) = records.split_at(12);
    let mut writer = view_of(early, usize::MAX);
    let reader = writer.reader();
    let snapshot = reader.snapshot().unwrap();
    let before = snapshot.digest(None).unwrap();
    writer.apply(&batch(late), false).unwrap();
    assert_eq!(snapshot.digest(None).unwrap(), before);
    assert_eq!(snapshot.position(records[0].org).unwrap(), early.last().unwrap().position);
    assert_eq!(
        reader.snapshot().unwrap().position(records[0].org).unwrap(),
        records.last().unwrap().position
    );
}
