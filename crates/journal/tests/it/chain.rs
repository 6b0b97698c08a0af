//! The chain: every way in which a stream can be wrong is an error that names the sequence.

use bytes::Bytes;
use grantbook_domain::{
    id::{InstallationId, OrgId},
    record::Record,
    time::Timestamp,
};
use grantbook_journal::{
    Foreign, Item, Stored,
    chain::{ChainError, Chains, ForeignMet, OrgEnd, Step},
    frame::{FrameError, Link, encode},
    hash::Hash,
};

use crate::samples::minimal_record;

const INSTALLATION: InstallationId = InstallationId::from_u128(1);
const A: OrgId = OrgId::from_u128(10);
const B: OrgId = OrgId::from_u128(11);

pub(crate) fn record(ordinal: u64, at: i64) -> Record {
    Record { ordinal, at: Timestamp::from_millis(at), ..minimal_record() }
}

fn stored(sequence: u64, link: Link, records: &[Record]) -> Stored {
    Stored { sequence, org: link.org, bytes: encode(link, records).unwrap(), guard: None }
}

/// Takes a frame of one record for each (organization, time), in order.
fn after(appends: &[(OrgId, i64)]) -> (Chains, Vec<Stored>) {
    let mut chains = Chains::new(INSTALLATION);
    let mut stream = Vec::new();
    for (sequence, (org, at)) in (1..).zip(appends) {
        let next = record(chains.org(*org).record_ordinal + 1, *at);
        let frame = stored(sequence, chains.next_link(*org), &[next]);
        assert!(matches!(chains.take(&frame), Ok(Step::Next(_))));
        stream.push(frame);
    }
    (chains, stream)
}

/// The error of a frame at sequence 4 behind two frames of A and one of B; what was taken stays as it was.
fn refused(change: impl FnOnce(Link) -> Link, records: &[Record]) -> ChainError {
    let (mut chains, _) = after(&[(A, 1), (B, 5), (A, 2)]);
    let before = chains.clone();
    let error = chains.take(&stored(4, change(chains.next_link(A)), records)).unwrap_err();
    assert_eq!(chains, before, "an error changes nothing");
    assert!(error.to_string().starts_with("sequence 4: "), "{error}");
    let right = stored(4, chains.next_link(A), &[record(3, 2)]);
    assert!(matches!(chains.take(&right), Ok(Step::Next(_))), "the right frame is taken after a wrong one");
    error
}

#[test]
fn organizations_have_chains_of_their_own_in_one_stream() {
    let (chains, stream) = after(&[(A, 1), (B, 5), (A, 2), (A, 2), (B, 5)]);
    let end = chains.org(A);
    let hash = Hash::of(&stream[3].bytes);
    let expected = OrgEnd { sequence: 4, ordinal: 3, hash, record_ordinal: 3, at: end.at, foreign: 0 };
    assert_eq!(end, expected);
    assert_eq!(end.at, Timestamp::from_millis(2));
    assert_eq!(chains.end().sequence, 5);
    assert_eq!(chains.end().hash, Hash::of(&stream[4].bytes));
    assert_eq!(chains.orgs().map(|(org, _)| org).collect::<Vec<_>>(), [A, B]);
}

#[test]
fn the_last_frame_again_is_nothing_and_another_in_its_place_is_quarantined() {
    let (mut chains, stream) = after(&[(A, 1), (A, 2)]);
    assert_eq!(chains.take(&stream[1]), Ok(Step::Repeat));
    let other = stored(2, after(&[(A, 1)]).0.next_link(A), &[record(2, 3)]);
    assert_eq!(chains.take(&other), Err(ChainError::Quarantine { sequence: 2 }));
    let garbage = Stored { bytes: Bytes::from_static(b"garbage"), ..other };
    assert_eq!(chains.take(&garbage), Err(ChainError::Quarantine { sequence: 2 }));
    assert_eq!(chains.take(&stream[0]), Err(ChainError::Backwards { sequence: 1, expected: 3 }));
}

#[test]
fn gaps_and_steps_back_in_the_stream_are_named() {
    let (mut chains, stream) = after(&[(A, 1), (B, 1)]);
    for (sequence, error) in [
        (0, ChainError::Backwards { sequence: 0, expected: 3 }),
        (1, ChainError::Backwards { sequence: 1, expected: 3 }),
        (4, ChainError::Gap { sequence: 4, expected: 3 }),
    ] {
        let frame = Stored { sequence, ..stream[0].clone() };
        assert_eq!(chains.take(&frame), Err(error));
    }
    let zero = Stored { sequence: 0, ..stream[0].clone() };
    let expected = Err(ChainError::Backwards { sequence: 0, expected: 1 });
    assert_eq!(Chains::new(INSTALLATION).take(&zero), expected, "there is no frame 0");
}

#[test]
fn a_frame_of_another_journal_is_refused() {
    let found = InstallationId::from_u128(2);
    let error = refused(|link| Link { installation: found, ..link }, &[record(3, 2)]);
    assert_eq!(error, ChainError::Installation { sequence: 4, found, expected: INSTALLATION });
}

#[test]
fn a_frame_stored_for_another_organization_is_refused() {
    let (mut chains, _) = after(&[(A, 1)]);
    let frame = Stored { org: B, ..stored(2, chains.next_link(A), &[record(2, 1)]) };
    let expected = ChainError::Organization { sequence: 2, stored: B, found: A };
    assert_eq!(chains.take(&frame), Err(expected));
}

#[test]
fn the_organizations_frames_are_counted_and_linked() {
    for found in [2, 4] {
        let error = refused(|link| Link { ordinal: found, ..link }, &[record(3, 2)]);
        assert_eq!(error, ChainError::Ordinal { sequence: 4, org: A, expected: 3, found });
    }
    let error = refused(|link| Link { prev: Hash::of(b"another"), ..link }, &[record(3, 2)]);
    assert_eq!(error, ChainError::Prev { sequence: 4, org: A });
}

#[test]
fn the_organizations_records_are_counted() {
    for found in [2, 4] {
        let error = refused(|link| link, &[record(found, 2), record(found + 1, 2)]);
        assert_eq!(error, ChainError::Record { sequence: 4, org: A, expected: 3, found });
    }
}

#[test]
fn time_never_steps_back_within_an_organization() {
    let back = ChainError::Time { sequence: 4, org: A };
    assert_eq!(refused(|link| link, &[record(3, 1)]), back, "behind the frame before");
    assert_eq!(refused(|link| link, &[record(3, 9), record(4, 8)]), back, "within a frame");
}

#[test]
fn what_is_no_frame_is_refused_by_its_sequence() {
    let mut chains = Chains::new(INSTALLATION);
    let frame = Stored { sequence: 1, org: A, bytes: Bytes::from_static(b"{\"format\":9}\n"), guard: None };
    let fault = FrameError::Format { found: 9 };
    assert_eq!(chains.take(&frame), Err(ChainError::Frame { sequence: 1, fault }));
}

#[test]
fn a_checkpoint_goes_on_where_it_left_off() {
    let (chains, _) = after(&[(A, 1), (B, 5), (A, 2)]);
    let text = serde_json::to_string(&chains).unwrap();
    let mut from_text: Chains = serde_json::from_str(&text).unwrap();
    assert_eq!(from_text, chains);
    let from_parts = Chains::restore(chains.installation(), chains.end(), chains.orgs());
    assert_eq!(from_parts, chains);
    let next = stored(4, chains.next_link(B), &[record(2, 5)]);
    assert!(matches!(from_text.take(&next), Ok(Step::Next(_))));
}

fn foreign(sequence: u64, org: OrgId, bytes: &'static [u8]) -> Item {
    Item::Foreign(Foreign { sequence, token: org.to_string(), bytes: Bytes::from_static(bytes) })
}

/// The guard is the subject's last sequence, whatever stands there; the chain's end is the last frame.
#[test]
fn a_foreign_message_moves_the_guard_and_not_the_chain() {
    let (mut chains, _) = after(&[(A, 1), (B, 5), (A, 2)]);
    let (before, link) = (chains.org(A), chains.next_link(A));
    assert_eq!(chains.take_item(&foreign(4, A, b"one")), Ok(Step::Foreign));
    assert_eq!(chains.take_item(&foreign(5, A, b"two")), Ok(Step::Foreign));
    let end = chains.org(A);
    assert_eq!((end.guard(), end), (5, OrgEnd { foreign: 5, ..before }));
    assert_eq!((chains.next_link(A), chains.org(B).guard()), (link, 2), "no chain has moved");
    assert_eq!(chains.end().foreign, ForeignMet { count: 2, last: 5 });
    let text = serde_json::to_string(&chains).unwrap();
    assert_eq!(serde_json::from_str::<Chains>(&text).unwrap(), chains, "a checkpoint keeps both");
    assert!(matches!(chains.take(&stored(6, link, &[record(3, 2)])), Ok(Step::Next(_))));
    assert_eq!((chains.org(A).guard(), chains.org(A).foreign), (6, 0));
}

#[test]
fn a_foreign_message_has_its_place_and_is_known_again() {
    let (mut chains, stream) = after(&[(A, 1)]);
    let expected = ChainError::Gap { sequence: 3, expected: 2 };
    assert_eq!(chains.take_item(&foreign(3, A, b"x")), Err(expected));
    assert_eq!(chains.take_item(&foreign(2, A, b"x")), Ok(Step::Foreign));
    assert_eq!(chains.take_item(&foreign(2, A, b"x")), Ok(Step::Repeat));
    for other in [foreign(2, A, b"y"), foreign(2, B, b"x")] {
        assert_eq!(chains.take_item(&other), Err(ChainError::Quarantine { sequence: 2 }));
    }
    // The bytes of a frame without its mark are another thing than the frame.
    let (mut chains, _) = after(&[(A, 1)]);
    let replayed =
        Item::Foreign(Foreign { sequence: 1, token: A.to_string(), bytes: stream[0].bytes.clone() });
    assert_eq!(chains.take_item(&replayed), Err(ChainError::Quarantine { sequence: 1 }));
}

/// Nobody makes readers remember more organizations than there are.
#[test]
fn a_subject_without_a_frame_is_not_remembered() {
    let (mut chains, _) = after(&[(A, 1)]);
    assert_eq!(chains.take_item(&foreign(2, B, b"x")), Ok(Step::Foreign));
    assert_eq!((chains.org(B), chains.orgs().count()), (OrgEnd::START, 1));
}

/// Checkpoints of before there were foreign messages are read, and those without any are written as they were.
#[test]
fn a_checkpoint_without_foreign_messages_is_the_old_one() {
    let (chains, _) = after(&[(A, 1)]);
    let text = serde_json::to_string(&chains).unwrap();
    assert!(!text.contains("foreign"), "{text}");
    assert_eq!(serde_json::from_str::<Chains>(&text).unwrap(), chains);
}
