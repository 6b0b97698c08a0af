//! A scan of all rows finds what was changed behind the writer's back.

use std::{fs, path::Path};

use grantbook_views::{Opened, ViewError, ViewWriter};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use tempfile::tempdir;

use crate::{
    lifecycle::batch,
    world::{INSTALLATION, World},
};

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

fn written(path: &Path) {
    let (mut writer, _) = ViewWriter::open(path, INSTALLATION).unwrap();
    writer.apply(&batch(&World::settled(5).records), true).unwrap();
}

fn scrubbed(path: &Path) -> Result<u64, ViewError> {
    let (writer, opened) = ViewWriter::open(path, INSTALLATION)?;
    assert_eq!(opened, Opened::Resumed);
    writer.reader().snapshot()?.scrub(|_| true)
}

/// The bug planted: a row put, changed or removed by somebody else than the writer.
#[test]
fn a_row_that_the_writer_did_not_write_is_found_in_any_table() {
    let directory = tempdir().unwrap();
    for table in ["orgs", "history", "times", "audit", "things", "access", "keys", "lists"] {
        for change in ["put", "change", "remove"] {
            let path = directory.path().join(format!("{table}.{change}.redb"));
            written(&path);
            assert!(scrubbed(&path).unwrap() > 0);
            let rows: Rows = TableDefinition::new(table);
            let db = Database::open(&path).unwrap();
            let first = {
                let open = db.begin_read().unwrap().open_table(rows).unwrap();
                let (key, value) = open.first().unwrap().unwrap();
                (key.value().to_vec(), value.value().to_vec())
            };
            let transaction = db.begin_write().unwrap();
            {
                let mut open = transaction.open_table(rows).unwrap();
                let (key, value) = &first;
                let longer = |bytes: &[u8]| [bytes, b"+"].concat();
                if change == "put" {
                    open.insert(longer(key).as_slice(), value.as_slice()).unwrap();
                } else if change == "change" {
                    open.insert(key.as_slice(), longer(value).as_slice()).unwrap();
                } else {
                    open.remove(key.as_slice()).unwrap();
                }
            }
            transaction.commit().unwrap();
            drop(db);
            let found = scrubbed(&path);
            assert!(matches!(found, Err(ViewError::Diverged { .. })), "{table} {change}: {found:?}");
        }
    }
}

/// Wherever a byte of a value is flipped in the file of a stopped writer, either the store or the sum notices.
#[test]
fn a_flipped_byte_in_the_file_is_found() {
    let directory = tempdir().unwrap();
    let (path, damaged) = (directory.path().join("view.redb"), directory.path().join("damaged.redb"));
    written(&path);
    let bytes = fs::read(&path).unwrap();
    let text = b"\"name\":";
    let places: Vec<usize> = bytes
        .windows(text.len())
        .enumerate()
        .filter(|(_, part)| part == text)
        .map(|(place, _)| place)
        .collect();
    assert!(places.len() > 10);
    let mut found = 0;
    for place in places {
        let mut bytes = bytes.clone();
        bytes[place + 1] ^= 1;
        fs::write(&damaged, bytes).unwrap();
        // Pages of earlier commits lie about in the file too; damage to them is none.
        match scrubbed(&damaged) {
            Ok(_) => {}
            Err(ViewError::Diverged { .. } | ViewError::Storage(_) | ViewError::Open { .. }) => found += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(found > 10, "{found}");
}
