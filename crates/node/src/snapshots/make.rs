//! Making a snapshot: one read transaction, in which the view does not move, while the projector goes on.

use std::time::Duration;

use grantbook_domain::id::InstallationId;
use grantbook_journal::{hash::Hash, stamp::clock::Clock};
use grantbook_views::{FORMAT_VERSION, LISTING_FORM, Snapshot, ViewDigest, ViewError};
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    maintenance::JobStats,
    project::{Checkpoint, Settle},
    snapshots::{
        KEPT, Listed, Manifest, NodeId, Piece, SnapshotError, SnapshotKey, SnapshotName, Store, store::Draft,
    },
};

/// Text of the listing in one piece.
const LISTING_BYTES: usize = 4 * 1024 * 1024;

/// Who makes snapshots, for whom, and where.
#[derive(Debug, Clone)]
pub struct SnapshotMaker {
    /// Where they lie.
    pub store: Store,
    /// What signs them.
    pub key: SnapshotKey,
    /// Whose journal the view is filled from.
    pub installation: InstallationId,
    /// The node.
    pub node: NodeId,
    /// What time it is.
    pub clock: Clock,
}

/// A snapshot that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// What it is.
    pub manifest: Manifest,
}

/// What comes out of the view, in order.
enum Part {
    Rows { squeezed: Vec<u8>, raw: u64, rows: u64 },
    Listing { squeezed: Vec<u8>, lines: u64 },
}

/// Makes a snapshot of a view whose checkpoint holds the ends of all chains, and removes those that are too many.
pub async fn make(maker: &SnapshotMaker, snapshot: Snapshot) -> Result<Made, SnapshotError> {
    let (sequence, digest) = (snapshot.sequence()?, snapshot.kept_digest()?);
    let checkpoint = Checkpoint::decode(&snapshot.checkpoint()?).map_err(|_| SnapshotError::Checkpoint)?;
    if sequence == 0 || checkpoint.orgs().is_none() || checkpoint.end.sequence != sequence {
        return Err(SnapshotError::Nothing);
    }
    let made_at = maker.clock.now();
    let name = SnapshotName::new(sequence, made_at, maker.node).to_string();
    let draft = maker.store.begin(&name).await?;
    let mut manifest = Manifest {
        grantbook_snapshot: 1,
        installation: maker.installation,
        format: FORMAT_VERSION,
        sequence,
        digest,
        rows: 0,
        bytes: 0,
        pieces: Vec::new(),
        listing: Listed { form: LISTING_FORM, lines: 0, pieces: Vec::new() },
        checkpoint,
        made_at: made_at.millis(),
        node: maker.node,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    fill(&draft, &mut manifest, snapshot).await?;
    draft.seal(manifest.sign(&maker.key)?).await?;
    maker.store.keep_newest(KEPT).await?;
    Ok(Made { name, manifest })
}

/// Writes all pieces. They are read and compressed beside the runtime, while the ones before are written.
async fn fill(draft: &Draft, manifest: &mut Manifest, snapshot: Snapshot) -> Result<(), SnapshotError> {
    let (give, mut take) = mpsc::channel(2);
    let sequence = manifest.sequence;
    let reading = spawn_blocking(move || read(&snapshot, sequence, &give));
    while let Some(part) = take.recv().await {
        let (squeezed, pieces, word) = match part {
            Part::Rows { squeezed, raw, rows } => {
                manifest.rows = manifest.rows.saturating_add(rows);
                manifest.bytes = manifest.bytes.saturating_add(raw);
                (squeezed, &mut manifest.pieces, "rows")
            }
            Part::Listing { squeezed, lines } => {
                manifest.listing.lines = manifest.listing.lines.saturating_add(lines);
                (squeezed, &mut manifest.listing.pieces, "access")
            }
        };
        let name = format!("{word}-{:06}.lz4", pieces.len());
        let bytes = u64::try_from(squeezed.len()).unwrap_or(u64::MAX);
        pieces.push(Piece { name: name.clone(), bytes, hash: Hash::of(&squeezed) });
        draft.put(&name, squeezed).await?;
    }
    let digest = reading.await??;
    // A damaged view must not be handed on.
    if digest != manifest.digest {
        return Err(ViewError::Diverged { kept: manifest.digest, found: digest }.into());
    }
    Ok(())
}

/// Hands out everything; gives the sum of the rows.
fn read(snapshot: &Snapshot, sequence: u64, give: &mpsc::Sender<Part>) -> Result<ViewDigest, SnapshotError> {
    // Whoever takes has an error of its own when it ends early.
    let give = |part| give.blocking_send(part).map_err(|_| SnapshotError::Ended);
    let mut digest = ViewDigest::default();
    snapshot.dump(|chunk| {
        digest.join(chunk.digest());
        let raw = u64::try_from(chunk.bytes().len()).unwrap_or(u64::MAX);
        give(Part::Rows { squeezed: squeeze(chunk.bytes()), raw, rows: chunk.rows() })
    })?;
    let (mut text, mut lines) = (String::new(), 0_u64);
    snapshot.access_listing(sequence, |parts| {
        text.push_str(&parts.line()?);
        text.push('\n');
        lines = lines.saturating_add(1);
        if text.len() >= LISTING_BYTES {
            give(Part::Listing { squeezed: squeeze(text.as_bytes()), lines })?;
            text.clear();
            lines = 0;
        }
        Ok::<_, SnapshotError>(())
    })?;
    if !text.is_empty() {
        give(Part::Listing { squeezed: squeeze(text.as_bytes()), lines })?;
    }
    Ok(digest)
}

/// LZ4 in one block, behind the length of what it holds (u32, least significant byte first).
fn squeeze(bytes: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress_prepend_size(bytes)
}

/// Makes one every so often, unless somebody else has just made one or nothing was appended since; tells of it, and goes on
/// whatever happens.
pub async fn keep_making(maker: SnapshotMaker, (settle, tally): (Settle, JobStats), every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let begun = Instant::now();
        match make_if_due(&maker, &settle, every).await {
            Ok(Some(Made { name, manifest })) => {
                tally.note(begun, true);
                let Manifest { sequence, rows, bytes, .. } = manifest;
                tracing::info!(name, sequence, rows, bytes, "a snapshot was made");
            }
            Ok(None) | Err(SnapshotError::Nothing) => {}
            Err(SnapshotError::Ended) => return,
            Err(error) => {
                tally.note(begun, false);
                tracing::warn!(%error, "no snapshot was made; it is tried again next time");
            }
        }
    }
}

async fn make_if_due(
    maker: &SnapshotMaker,
    settle: &Settle,
    every: Duration,
) -> Result<Option<Made>, SnapshotError> {
    let newest = maker.store.list().await?.first().and_then(|name| SnapshotName::parse(name));
    let snapshot = settle.snapshot().await.ok_or(SnapshotError::Ended)?;
    if let Some(newest) = newest {
        let age = maker.clock.now().millis().saturating_sub(newest.made_at);
        let recent = u128::try_from(age).is_ok_and(|age| age < every.as_millis() / 2);
        if recent || newest.sequence == snapshot.sequence()? {
            return Ok(None);
        }
    }
    make(maker, snapshot).await.map(Some)
}
