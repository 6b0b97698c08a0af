//! A view in chunks, and the view that is made of them.

use std::path::Path;

use grantbook_views::{Chunk, Loader, Snapshot, ViewError, ViewWriter, Whole};
use tempfile::tempdir;

use crate::world::{INSTALLATION, World, view_of};

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

fn listing(snapshot: &Snapshot, sequence: u64) -> Vec<String> {
    let mut lines = Vec::new();
    snapshot
        .access_listing(sequence, |line| {
            lines.push(line.to_owned());
            Ok::<_, ViewError>(())
        })
        .unwrap();
    lines
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
