//! The rows of a snapshot, piece by piece: fetched, held against their hash, decompressed and added up, and written, each step
//! while the one before works on the next piece.

use std::path::Path;

use bytes::Bytes;
use grantbook_journal::hash::Hash;
use grantbook_views::{Chunk, Loader, ViewError, ViewWriter, Whole};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    bootstrap::{Refused, Stage, Tell},
    snapshots::{Manifest, Piece, Store},
};

/// Pieces that wait between two steps.
const CHANNEL_CAPACITY: usize = 2;

/// Makes the view in a file of its own.
pub(super) async fn load(
    store: &Store,
    name: &str,
    (manifest, file): (&Manifest, &Path),
    tell: Tell<'_>,
) -> Result<ViewWriter, Refused> {
    let (give_raw, raw) = mpsc::channel(CHANNEL_CAPACITY);
    let (give_chunk, chunks) = mpsc::channel(CHANNEL_CAPACITY);
    let (count, mut counted) = mpsc::channel(CHANNEL_CAPACITY * 2);
    let opening = spawn_blocking(move || open_all(raw, &give_chunk));
    let writing = write(file, manifest, chunks, count)?;
    let (mut rows, of) = (0, manifest.rows);
    let fetching = async {
        for piece in &manifest.pieces {
            let bytes = store.get(name, &piece.name, piece.bytes).await?;
            if give_raw.send((piece.clone(), bytes)).await.is_err() {
                // Whoever takes them says why.
                break;
            }
        }
        drop(give_raw);
        Ok::<_, Refused>(())
    };
    let telling = async {
        while let Some(loaded) = counted.recv().await {
            rows += loaded;
            tell(Stage::Loading { name, rows, of });
        }
    };
    let (fetched, ()) = tokio::join!(fetching, telling);
    let (opened, written) = (opening.await?, writing.await?);
    // The first step that failed is the reason of all that failed behind it.
    fetched.and(opened)?;
    written
}

/// A piece that is what the manifest says, decompressed.
pub(crate) fn opened(piece: &Piece, bytes: &Bytes) -> Result<Vec<u8>, Refused> {
    let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if found != piece.bytes {
        return Err(Refused::Length { piece: piece.name.clone(), found, expected: piece.bytes });
    }
    if Hash::of(bytes) != piece.hash {
        return Err(Refused::Damaged { piece: piece.name.clone() });
    }
    lz4_flex::block::decompress_size_prepended(bytes)
        .map_err(|fault| Refused::Squeezed { piece: piece.name.clone(), fault: fault.to_string() })
}

fn open_all(mut raw: mpsc::Receiver<(Piece, Bytes)>, give: &mpsc::Sender<Chunk>) -> Result<(), Refused> {
    while let Some((piece, bytes)) = raw.blocking_recv() {
        let chunk = Chunk::parse(opened(&piece, &bytes)?)?;
        if give.blocking_send(chunk).is_err() {
            break;
        }
    }
    Ok(())
}

fn write(
    file: &Path,
    manifest: &Manifest,
    mut chunks: mpsc::Receiver<Chunk>,
    count: mpsc::Sender<u64>,
) -> Result<JoinHandle<Result<ViewWriter, Refused>>, Refused> {
    let checkpoint = manifest.checkpoint.encode().map_err(ViewError::from)?;
    let (file, installation) = (file.to_owned(), manifest.installation);
    let (sequence, digest) = (manifest.sequence, manifest.digest);
    Ok(spawn_blocking(move || {
        let mut loader = Loader::begin(&file)?;
        while let Some(chunk) = chunks.blocking_recv() {
            loader.load(&chunk)?;
            // Nobody may listen any more.
            count.blocking_send(chunk.rows()).unwrap_or_default();
        }
        Ok(loader.finish(installation, &Whole { sequence, checkpoint: &checkpoint, digest })?)
    }))
}
