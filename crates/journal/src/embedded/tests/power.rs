//! Power failure and failing disks: what was acknowledged stays, what fails is never called a success.

use std::{num::NonZeroUsize, time::Duration};

use redb::ReadableDatabase;

use crate::{
    append_surely,
    embedded::tests::{
        disk::{Broken, Disk, Op, apply},
        *,
    },
};

fn start(disk: &Disk) -> EmbeddedJournal {
    let db = Database::builder().create_with_backend(disk.clone()).unwrap();
    let found = file::inspect(&db.begin_read().unwrap(), Path::new("disk"));
    let (identity, head) = found.unwrap_or_else(|_| {
        file::initialize(&db, identity(1)).unwrap();
        (identity(1), 0)
    });
    EmbeddedJournal::start(db, (identity, head), Path::new("journal.redb")).unwrap()
}

fn frame(number: u64) -> Bytes {
    // Long enough that a frame spans pages, and a torn write shows.
    Bytes::from(format!("{number} ").repeat(3000))
}

/// Cuts the power after every operation in turn. Of what was written since the last sync, none, all, or every
/// other operation reaches the disk, and the last write may be torn.
#[tokio::test]
async fn every_acknowledged_frame_outlives_a_power_failure_at_any_point() {
    let disk = Disk::default();
    let journal = start(&disk);
    let made = disk.ops().len();
    let mut acknowledged = vec![made];
    for number in 0..6 {
        journal.append(org(1), number, frame(number)).await.unwrap();
        acknowledged.push(disk.ops().len());
    }
    let ops = disk.ops();
    for cut in made..=ops.len() {
        let landed = acknowledged.iter().filter(|after| **after <= cut).count() as u64 - 1;
        for surviving in [Surviving::None, Surviving::All, Surviving::Even, Surviving::Odd, Surviving::Torn] {
            let journal = start(&Disk::with(image(&ops[..cut], surviving)));
            let head = journal.head().await.unwrap();
            assert!(
                (landed..=landed + 1).contains(&head),
                "cut {cut}, {surviving:?}: head {head} of {landed}"
            );
            let frames = journal.tail(0).next(NonZeroUsize::MAX, Duration::ZERO).await.unwrap();
            assert_eq!(frames.len() as u64, head);
            assert!((0..).zip(frames).all(|(number, item)| item.bytes() == &frame(number)));
            let next = journal.append(org(1), head, frame(head)).await.unwrap();
            assert_eq!(next, head + 1, "and it goes on");
        }
    }
}

/// What reaches the disk of the operations since the last sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surviving {
    None,
    All,
    Even,
    Odd,
    Torn,
}

fn image(ops: &[Op], surviving: Surviving) -> Vec<u8> {
    let synced = ops.iter().rposition(|op| matches!(op, Op::Sync)).map_or(0, |index| index + 1);
    let (durable, pending) = ops.split_at(synced);
    let mut image = Vec::new();
    for op in durable {
        apply(&mut image, op);
    }
    for (index, op) in pending.iter().enumerate() {
        let last = index + 1 == pending.len();
        match (surviving, op) {
            (Surviving::None, _) => (),
            (Surviving::Torn, Op::Write(offset, data)) if last => {
                apply(&mut image, &Op::Write(*offset, data[..data.len() / 2].to_vec()));
            }
            (Surviving::All | Surviving::Torn, op) => apply(&mut image, op),
            // The file's length is the file system's matter, which keeps it in order.
            (_, op @ Op::SetLen(_)) => apply(&mut image, op),
            (Surviving::Even, op) if index % 2 == 0 => apply(&mut image, op),
            (Surviving::Odd, op) if index % 2 == 1 => apply(&mut image, op),
            (Surviving::Even | Surviving::Odd, _) => (),
        }
    }
    image
}

#[tokio::test]
async fn a_failed_commit_is_an_unknown_outcome_and_nothing_is_written_after_it() {
    for broken in [Broken::Syncs, Broken::Writes] {
        let disk = Disk::default();
        let journal = start(&disk);
        journal.append(org(1), 0, frame(0)).await.unwrap();
        assert!(journal.halted().is_none());
        disk.break_down(broken);
        // Far away: a journal that has halted is not asked again and again until then.
        let deadline = tokio::time::Instant::now() + Duration::from_mins(10);
        let failed = append_surely(&journal, org(1), 1, frame(1), deadline).await.unwrap_err();
        assert!(matches!(failed, AppendError::OutcomeUnknown(_)), "{broken:?}: {failed:?}");
        assert!(journal.halted().is_some(), "{broken:?}: it says so, for whoever watches");
        for (number, after) in [(1, 1), (2, 0)] {
            let later = journal.append(org(number), after, frame(2)).await.unwrap_err();
            assert!(matches!(later, AppendError::Unavailable(_)), "{broken:?}: {later:?}");
        }
        assert_eq!(journal.head().await.unwrap(), 1, "{broken:?}: only what was acknowledged is the head");
    }
}
