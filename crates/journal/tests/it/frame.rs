//! Frames: what goes in comes out, what does not belong is refused, no changed byte passes.

use bytes::Bytes;
use grantbook_domain::{
    event::Event,
    id::{InstallationId, OrgId},
    record::Record,
    time::Timestamp,
};
use grantbook_journal::{
    Stored,
    chain::{ChainError, Chains, Step},
    frame::{
        EncodedRecord, FRAME_MAX_BYTES, FrameBuilder, FrameError, Link, RECORD_MAX_BYTES, decode, encode,
    },
    hash::Hash,
};
use proptest::prelude::*;

use crate::samples::{events, full_record, id, minimal_record};

const INSTALLATION: InstallationId = InstallationId::from_u128(1);
const ORG: OrgId = OrgId::from_u128(2);

fn first() -> Link {
    Link { installation: INSTALLATION, org: ORG, ordinal: 1, prev: Hash::ZERO }
}

fn record(ordinal: u64, reason_bytes: usize) -> Record {
    Record { ordinal, reason: Some("r".repeat(reason_bytes)), ..minimal_record() }
}

fn encoded(ordinal: u64, reason_bytes: usize) -> EncodedRecord {
    EncodedRecord::of(&record(ordinal, reason_bytes)).unwrap()
}

/// A frame with this head line (without `body`) and these record lines.
fn raw(head: &str, body: &str) -> Vec<u8> {
    let hash = Hash::of(body.as_bytes());
    format!("{},\"body\":\"{hash}\"}}\n{body}", head.strip_suffix('}').unwrap()).into_bytes()
}

fn head(format: u16) -> String {
    let Link { installation, org, ordinal, prev } = first();
    format!(
        r#"{{"format":{format},"installation":"{installation}","org":"{org}","ordinal":{ordinal},"prev":"{prev}"}}"#
    )
}

fn line(record: &Record) -> String {
    serde_json::to_string(record).unwrap()
}

#[test]
fn another_format_is_refused_by_both_numbers_whatever_else_the_head_holds() {
    for head in [head(2), r#"{"format":2,"unheard_of":{}}"#.to_owned()] {
        let error = decode(&raw(&head, &line(&record(1, 0)))).unwrap_err();
        assert_eq!(error, FrameError::Format { found: 2 });
        assert_eq!(error.to_string(), "frame format 2 is not understood, expected 1");
    }
}

#[test]
fn a_signed_frame_is_refused_whatever_the_signature_looks_like() {
    for signature in [r#""c0ffee""#, r#"{"ed25519":"c0ffee"}"#] {
        let head = head(1).replace('}', &format!(",\"signature\":{signature}}}"));
        let error = decode(&raw(&head, &line(&record(1, 0)))).unwrap_err();
        assert_eq!(error.to_string(), "signed frames are not understood by this version");
    }
}

#[test]
fn a_head_is_written_in_one_way_only() {
    let body = line(&record(1, 0));
    let canonical = raw(&head(1), &body);
    decode(&canonical).unwrap();
    let text = String::from_utf8(canonical).unwrap();
    let spaced = text.replacen(':', ": ", 1);
    let null = text.replacen("\"}\n", "\",\"signature\":null}\n", 1);
    for other in [spaced, null] {
        assert_eq!(decode(other.as_bytes()).unwrap_err(), FrameError::NotCanonical, "{other}");
    }
    let unknown = head(1).replace('}', ",\"more\":1}");
    assert!(matches!(decode(&raw(&unknown, &body)).unwrap_err(), FrameError::Head(_)));
    let missing = head(1).replace("\"ordinal\":1,", "");
    assert!(matches!(decode(&raw(&missing, &body)).unwrap_err(), FrameError::Head(_)));
    for garbage in ["", "\n", "{}", "null\n{}"] {
        assert!(matches!(decode(garbage.as_bytes()).unwrap_err(), FrameError::Head(_)), "{garbage}");
    }
}

#[test]
fn another_schema_is_named_and_what_is_unknown_is_refused() {
    let good = line(&record(1, 0));
    let later = good.replace("\"schema\":2", "\"schema\":3");
    let later_and_strange = later.replace("\"ordinal\"", "\"number\"");
    for body in [later, later_and_strange] {
        let error = decode(&raw(&head(1), &body)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "record schema 3 is not understood: this version reads schemas up to 2"
        );
    }
    let unknown_event = good.replace("ProjectCreated", "ProjectPainted");
    let unknown_field = good.replace("\"ordinal\"", "\"colour\":1,\"ordinal\"");
    let unknown_inside = good.replace("\"created_at\"", "\"colour\":1,\"created_at\"");
    let cut = good.strip_suffix('}').unwrap().to_owned();
    let blank = format!("{good}\n");
    for body in [unknown_event, unknown_field, unknown_inside, cut, blank] {
        let error = decode(&raw(&head(1), &body)).unwrap_err();
        assert!(matches!(error, FrameError::Record { .. }), "{body}: {error}");
    }
}

#[test]
fn an_unknown_field_is_refused_wherever_it_stands() {
    for record in [Record { events: events(), ..full_record() }, minimal_record()] {
        let value = serde_json::to_value(&record).unwrap();
        let mut objects = Vec::new();
        find_objects(&value, String::new(), &mut objects);
        for path in objects {
            // Labels are a map: every key is known there.
            let is_map = path.ends_with("/labels") || path.ends_with("/label");
            if is_map {
                continue;
            }
            let mut changed = value.clone();
            let object = changed.pointer_mut(&path).unwrap().as_object_mut().unwrap();
            object.insert("colour".to_owned(), "red".into());
            let outcome = decode(&raw(&head(1), &changed.to_string()));
            assert!(matches!(outcome, Err(FrameError::Record { index: 0, .. })), "accepted in {path}");
        }
    }
}

fn find_objects(value: &serde_json::Value, path: String, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, field) in fields {
                find_objects(field, format!("{path}/{name}"), found);
            }
            found.push(path);
        }
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_objects(item, format!("{path}/{index}"), found);
            }
        }
        _ => (),
    }
}

#[test]
fn a_frame_holds_1_to_1024_records_without_a_gap() {
    assert_eq!(encode(first(), &[]).unwrap_err(), FrameError::Empty);
    assert_eq!(decode(&raw(&head(1), "")).unwrap_err(), FrameError::Empty);
    let records: Vec<Record> = (1..=1025).map(|ordinal| record(ordinal, 0)).collect();
    let most = encode(first(), &records[..1024]).unwrap();
    assert_eq!(decode(&most).unwrap().records, records[..1024]);
    assert_eq!(encode(first(), &records).unwrap_err(), FrameError::TooMany);
    let lines: Vec<String> = records.iter().map(line).collect();
    assert_eq!(decode(&raw(&head(1), &lines.join("\n"))).unwrap_err(), FrameError::TooMany);

    let gap = [record(4, 0), record(6, 0)];
    let expected = FrameError::Ordinal { expected: 5, found: 6 };
    assert_eq!(encode(first(), &gap).unwrap_err(), expected);
    assert_eq!(decode(&raw(&head(1), &gap.each_ref().map(line).join("\n"))).unwrap_err(), expected);
    let zero = FrameError::Ordinal { expected: 1, found: 0 };
    assert_eq!(encode(first(), &[record(0, 0)]).unwrap_err(), zero);
    assert_eq!(decode(&raw(&head(1), &line(&record(0, 0)))).unwrap_err(), zero);
}

#[test]
fn what_fits_goes_in_and_the_rest_waits_for_the_next_frame() {
    let overhead = encoded(1, 0).json().len();
    assert_eq!(encoded(1, RECORD_MAX_BYTES - overhead).json().len(), RECORD_MAX_BYTES);
    let error = EncodedRecord::of(&record(1, RECORD_MAX_BYTES - overhead + 1)).unwrap_err();
    assert_eq!(error, FrameError::RecordTooLarge { bytes: RECORD_MAX_BYTES + 1 });

    let mut builder = FrameBuilder::new();
    let large = encoded(1, RECORD_MAX_BYTES - overhead);
    assert!(builder.fits(&large), "every record fits an empty frame");
    builder.push(&large).unwrap();
    let next = encoded(2, RECORD_MAX_BYTES / 2);
    assert!(!builder.fits(&next));
    assert!(matches!(builder.push(&next).unwrap_err(), FrameError::TooLarge { .. }));
    let small = encoded(2, RECORD_MAX_BYTES / 2 - 2048);
    assert!(builder.fits(&small));
    builder.push(&small).unwrap();
    assert_eq!(builder.len(), 2);
    let link = Link { ordinal: u64::MAX, ..first() };
    let frame = builder.finish(link).unwrap();
    assert!(frame.len() <= FRAME_MAX_BYTES);
    assert_eq!(decode(&frame).unwrap().records.len(), 2);
}

#[test]
fn a_filled_frame_never_passes_its_limit_even_with_the_longest_head() {
    let mut builder = FrameBuilder::new();
    let mut ordinal = u64::MAX - 2000;
    loop {
        let next = encoded(ordinal, 800);
        if !builder.fits(&next) {
            break;
        }
        builder.push(&next).unwrap();
        ordinal += 1;
    }
    assert!(builder.len() < 1024, "the bytes run out first");
    let frame = builder.finish(Link { ordinal: u64::MAX, ..first() }).unwrap();
    assert!(frame.len() <= FRAME_MAX_BYTES && frame.len() > FRAME_MAX_BYTES - 2048);
    decode(&frame).unwrap();
}

#[test]
fn a_frame_longer_than_allowed_is_refused_unread() {
    let error = decode(&vec![b'{'; FRAME_MAX_BYTES + 1]).unwrap_err();
    assert_eq!(error, FrameError::TooLarge { bytes: FRAME_MAX_BYTES + 1 });
}

#[test]
fn no_flipped_bit_of_a_frame_passes_decode_and_chain() {
    let frame = encode(first(), &[record(1, 3), record(2, 3)]).unwrap();
    for index in 0..frame.len() {
        for bit in 0..8 {
            let mut damaged = frame.to_vec();
            damaged[index] ^= 1 << bit;
            let stored = Stored { sequence: 1, org: ORG, bytes: Bytes::from(damaged), guard: None };
            Chains::new(INSTALLATION).take(&stored).expect_err("a flipped bit passed");
        }
    }
}

/// Any organization's records: any events, any texts, times that never step back.
fn any_records() -> impl Strategy<Value = Vec<Record>> {
    let events = proptest::collection::vec(proptest::sample::select(events()), 1..4);
    let one = (any::<String>(), proptest::option::of(any::<String>()), 0..1000_i64, events);
    proptest::collection::vec(one, 1..8).prop_map(|records| {
        let mut at = 0;
        let build = |(ordinal, (request_id, reason, step, events)): (u64, (_, _, i64, Vec<Event>))| {
            at += step;
            let at = Timestamp::from_millis(at);
            Record { ordinal, at, request_id, reason, events, ..minimal_record() }
        };
        (1..).zip(records).map(build).collect()
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(records in any_records(), prev in any::<[u8; 32]>(), ordinal in 1_u64..) {
        let link = Link { installation: INSTALLATION, org: id(1), ordinal, prev: Hash::from_bytes(prev) };
        let frame = encode(link, &records).unwrap();
        let decoded = decode(&frame).unwrap();
        prop_assert_eq!(decoded.head.link(), link);
        prop_assert_eq!(decoded.hash, Hash::of(&frame));
        prop_assert_eq!(decoded.records, records);
    }

    #[test]
    fn any_changed_byte_is_noticed_at_once(
        records in any_records(),
        place in any::<prop::sample::Index>(),
        other in any::<u8>(),
    ) {
        let frame = encode(first(), &records).unwrap();
        let mut chains = Chains::new(INSTALLATION);
        let mut damaged = frame.to_vec();
        let byte = place.get_mut(&mut damaged);
        prop_assume!(*byte != other);
        *byte = other;
        let stored = |bytes| Stored { sequence: 1, org: ORG, bytes, guard: None };
        prop_assert!(chains.take(&stored(Bytes::from(damaged.clone()))).is_err());
        prop_assert!(matches!(chains.take(&stored(frame)), Ok(Step::Next(_))), "the true one still passes");
        let replaced = chains.take(&stored(Bytes::from(damaged)));
        prop_assert_eq!(replaced, Err(ChainError::Quarantine { sequence: 1 }));
    }

    #[test]
    fn no_bytes_make_the_decoder_fail_otherwise_than_with_an_error(bytes in any::<Vec<u8>>()) {
        prop_assert!(decode(&bytes).is_err());
    }
}
