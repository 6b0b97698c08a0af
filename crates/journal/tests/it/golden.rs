//! The stored forms, as files: written once, never edited, reviewed like code.
//!
//! `GOLDEN=accept cargo test -p grantbook-journal golden` writes what is missing; it changes nothing that is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use grantbook_domain::{event::Event, id::InstallationId, record::Record};
use grantbook_journal::{
    frame::{EncodedRecord, Link, decode, encode},
    hash::Hash,
};

use crate::samples::{events, full_record, id, minimal_record};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/journal")
}

/// Compares with the golden file, or writes it if that was asked for and there is none: what is stored is never changed.
fn compare(name: &str, actual: &str) {
    let path = directory().join(name);
    if !path.exists() && std::env::var("GOLDEN").is_ok_and(|wish| wish == "accept") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, actual).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, golden, "{name} differs: this form is stored for ever and cannot be changed");
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn name(event: &Event) -> String {
    let value = serde_json::to_value(event).unwrap();
    value.as_object().unwrap().keys().next().unwrap().clone()
}

/// All names that the domain understands, from what it says about one that it does not.
fn declared() -> BTreeSet<String> {
    let error = serde_json::from_str::<Event>(r#"{"Nothing":{}}"#).unwrap_err().to_string();
    let names = error.split("expected one of").nth(1).unwrap().split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn every_event_has_a_sample_and_a_golden_file() {
    let samples: BTreeSet<String> = events().iter().map(name).collect();
    assert_eq!(samples, declared());
    assert_eq!(samples.len(), events().len(), "one sample each");
    for event in events() {
        assert_eq!(name(&event), event.kind().name());
        let file = format!("event/{}.v2.json", name(&event));
        compare(&file, &pretty(&event));
        let golden = fs::read_to_string(directory().join(file)).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&golden).unwrap(), event, "still understood");
    }
    let current: BTreeSet<_> = samples.iter().map(|name| format!("{name}.v2.json")).collect();
    assert_eq!(files(".v2.json"), current);
}

/// Schema 1 had 34 events. What is read of one of them is all of it: written again, it is the same.
#[test]
fn events_of_schema_1_are_understood_to_the_last_member() {
    let files = files(".v1.json");
    assert_eq!(files.len(), 34);
    for file in files {
        let golden = fs::read_to_string(directory().join("event").join(&file)).unwrap();
        let event: Event = serde_json::from_str(&golden).unwrap();
        assert_eq!(pretty(&event), golden, "{file}");
        assert_eq!(format!("{}.v1.json", name(&event)), file);
    }
}

fn files(ending: &str) -> BTreeSet<String> {
    let names = fs::read_dir(directory().join("event")).unwrap();
    let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(ending)).collect()
}

#[test]
fn records_have_golden_files() {
    for (file, record) in
        [("record.full.v2.json", full_record()), ("record.minimal.v2.json", minimal_record())]
    {
        compare(file, &pretty(&record));
        let golden = fs::read_to_string(directory().join(file)).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&golden).unwrap(), record);
    }
    for (file, record) in
        [("record.full.v1.json", full_record()), ("record.minimal.v1.json", minimal_record())]
    {
        let golden = fs::read_to_string(directory().join(file)).unwrap();
        let old = Record { schema: 1, ..record };
        assert_eq!(serde_json::from_str::<Record>(&golden).unwrap(), old);
        assert_eq!(pretty(&old), golden);
    }
}

#[test]
fn a_frame_has_a_golden_file_to_the_byte() {
    let installation = InstallationId::from_u128(id::<()>(0).uuid().as_u128());
    let link = Link { installation, org: id(1), ordinal: 3, prev: Hash::of(b"the frame before") };
    let records = [full_record(), minimal_record()];
    let frame = encode(link, &records).unwrap();
    compare("frame.v2.ndjson", std::str::from_utf8(&frame).unwrap());
    let of_schema_1 = records.clone().map(|record| Record { schema: 1, ..record });
    for (file, records) in [("frame.v1.ndjson", of_schema_1), ("frame.v2.ndjson", records.clone())] {
        let golden = fs::read(directory().join(file)).unwrap();
        let decoded = decode(&golden).unwrap();
        assert_eq!(decoded.head.link(), link);
        assert_eq!(decoded.records, records);
        assert_eq!(decoded.hash, Hash::of(&golden));
    }
    let golden = fs::read(directory().join("frame.v2.ndjson")).unwrap();
    let lines: Vec<_> = golden.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines[1], EncodedRecord::of(&records[0]).unwrap().json());
}
