//! A view in chunks, and the view that is made of them.

use std::{collections::BTreeMap, path::Path};

use grantbook_domain::{
    access::effective::{AccessRow, Extent},
    principal::Principal,
    state::OrgState,
};
use grantbook_views::{
    Access, AccessParts, Chunk, Groups, Holder, Loader, Snapshot, ViewError, ViewWriter, Whole,
};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::{
    agree::steps,
    world::{INSTALLATION, World, frames, view_of},
};

fn chunks(snapshot: &Snapshot) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    snapshot
        .dump(|chunk| {
            chunks.push(Chunk::parse(chunk.bytes().to_vec())?);
            assert_eq!(chunks.last(), Some(&chunk));
            Ok::<_, ViewError>(())
        })
        .unwrap();
    chunks
}

/// The lines of a listing, read back.
fn listing(snapshot: &Snapshot, sequence: u64) -> Vec<AccessParts> {
    let mut lines = Vec::new();
    snapshot
        .access_listing(sequence, |parts| {
            let read = AccessParts::parse(&parts.line().unwrap()).unwrap();
            assert_eq!(read, *parts);
            lines.push(read);
            Ok::<_, ViewError>(())
        })
        .unwrap();
    assert!(lines.iter().is_sorted_by(|one, other| one.place() < other.place()));
    lines
}

/// What rows of effective access say of every permission and type.
fn access(rows: Vec<AccessRow>) -> Access {
    let mut access = Access::new();
    for row in rows {
        for type_name in row.types {
            let (projects, objects, except) = (row.projects.clone(), row.objects.clone(), row.except.clone());
            let extent = Extent { organization: row.organization, projects, objects, except };
            assert_eq!(access.insert((row.permission.clone(), type_name), extent), None);
        }
    }
    access
}

fn load(path: &Path, snapshot: &Snapshot, chunks: &[Chunk]) -> Result<ViewWriter, ViewError> {
    let mut loader = Loader::begin(path).unwrap();
    chunks.iter().try_for_each(|chunk| loader.load(chunk))?;
    let (checkpoint, digest) = (snapshot.checkpoint().unwrap(), snapshot.kept_digest().unwrap());
    let sequence = snapshot.sequence().unwrap();
    loader.finish(INSTALLATION, &Whole { sequence, checkpoint: &checkpoint, digest })
}

#[test]
fn a_view_made_of_chunks_is_the_view_and_goes_on_like_it() {
    let directory = tempdir().unwrap();
    let world = World::settled(5);
    let (first, rest) = world.records.split_at(world.records.len() / 2);
    let snapshot = view_of(first, 3).reader().snapshot().unwrap();
    let path = directory.path().join("view.redb");
    drop(load(&path, &snapshot, &chunks(&snapshot)).unwrap());
    assert!(ViewWriter::would_resume(&path, INSTALLATION).unwrap());
    let verified = ViewWriter::verify(&path, |_| true).unwrap();
    assert_eq!(verified.digest, snapshot.digest(None).unwrap());
    let (mut loaded, _) = ViewWriter::open(&path, INSTALLATION).unwrap();
    assert_eq!((loaded.sequence(), loaded.digest()), (verified.sequence, verified.digest));
    assert_eq!(loaded.checkpoint(), snapshot.checkpoint().unwrap());
    loaded.apply(&crate::lifecycle::batch(rest), true).unwrap();
    let (loaded, whole) = (loaded.reader().snapshot().unwrap(), view_of(&world.records, 1));
    assert_eq!(loaded.scrub(|_| true).unwrap(), whole.reader().snapshot().unwrap().scrub(|_| true).unwrap());
    assert_eq!(loaded.kept_digest().unwrap(), whole.digest());
}

#[test]
fn chunks_that_are_not_all_and_just_these_make_no_view() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("view.redb");
    let snapshot = view_of(&World::settled(5).records, 1).reader().snapshot().unwrap();
    let chunks = chunks(&snapshot);
    for at in 0..chunks.len() {
        let mut fewer = chunks.clone();
        fewer.remove(at);
        assert!(matches!(load(&path, &snapshot, &fewer), Err(ViewError::Diverged { .. })), "without {at}");
        let mut twice = chunks.clone();
        twice.insert(at, chunks[at].clone());
        assert!(matches!(load(&path, &snapshot, &twice), Err(ViewError::BadRow { .. })), "{at} twice");
        let mut bytes = chunks[at].bytes().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        let mut doctored = chunks.clone();
        match Chunk::parse(bytes) {
            Ok(chunk) => doctored[at] = chunk,
            Err(_) => continue,
        }
        assert!(
            matches!(load(&path, &snapshot, &doctored), Err(ViewError::Diverged { .. })),
            "{at} doctored"
        );
    }
    assert!(Chunk::parse(b"\x04none".to_vec()).is_err());
    assert!(Chunk::parse(b"\x04orgs\x00\x00\x00\x10short".to_vec()).is_err());
    // What was given up is not taken for a view.
    assert!(!ViewWriter::would_resume(&path, INSTALLATION).unwrap());
}

/// The listing as of an earlier frame is what the view listed when it stood there.
#[test]
fn access_is_listed_as_of_any_frame() {
    let world = World::settled(5);
    let whole = view_of(&world.records, usize::MAX).reader().snapshot().unwrap();
    let mut writer = ViewWriter::in_memory(INSTALLATION).unwrap();
    let mut lengths = Vec::new();
    for record in &world.records {
        writer.apply(&crate::lifecycle::batch(std::slice::from_ref(record)), false).unwrap();
        let sequence = writer.sequence();
        let then = listing(&writer.reader().snapshot().unwrap(), sequence);
        assert_eq!(listing(&whole, sequence), then, "at {sequence}");
        lengths.push(then.len());
    }
    assert!(lengths.last() > lengths.first());
}

/// What every principal may do at a frame, put together from the lines.
fn expanded(snapshot: &Snapshot, sequence: u64) -> BTreeMap<Principal, Access> {
    let (mut groups, mut found) = (Groups::new(), BTreeMap::new());
    for parts in listing(snapshot, sequence) {
        let principal = match parts.holder {
            Holder::Group(id) => {
                assert!(parts.groups.is_empty() && groups.insert(id, parts).is_none());
                continue;
            }
            Holder::User(id) => Principal::User(id),
            Holder::Token(id) => Principal::Token(id),
        };
        let access = parts.expand(&groups).unwrap();
        // Somebody whose allows are all denied has a line that gives nothing.
        assert!(access.is_empty() || found.insert(principal, access).is_none());
    }
    found
}

proptest! {
    #![proptest_config(crate::draw::cases(12))]

    /// The fold, asked about each principal by itself, says the same.
    #[test]
    fn lines_put_together_are_everybodys_access_at_every_frame(steps in steps(10..40)) {
        let world = World::lived(5, &steps);
        let settled = World::settled(5).records.len() - 1;
        let present = view_of(&world.records, usize::MAX).reader().snapshot().unwrap();
        let mut state = OrgState::default();
        for (at, records) in frames(&world.records, 1).into_iter().enumerate() {
            for one in records {
                state.apply_record(&one.record);
            }
            if at < settled / 2 {
                continue;
            }
            let last = records.last().unwrap();
            let users = state.users().map(|user| Principal::User(user.id));
            let everybody = users.chain(state.tokens().map(|token| Principal::Token(token.id)));
            let of = |who| (who, access(state.access(who, last.record.at).rows));
            let expected: BTreeMap<_, _> = everybody.map(of).filter(|(_, access)| !access.is_empty()).collect();
            prop_assert_eq!(expanded(&present, last.position.sequence()), expected);
        }
    }
}
